// A chain bound to tensors of a runtime, with the constants that it computes with.

#ifndef ONEXN_CLAIMED_CHAIN_H_
#define ONEXN_CLAIMED_CHAIN_H_

#include "chain.h"
#include "match.h"
#include "memory.h"
#include "tflite_abi.h"

namespace onexn {

class ClaimedChain {
 public:
  // Reads the constants of a match. Returns null if there is no memory.
  static ClaimedChain* Create(const Graph& graph, const Match& match,
                              const Kernels& kernels);

  ClaimedChain() = default;  // for Create
  ClaimedChain(const ClaimedChain&) = delete;
  ClaimedChain& operator=(const ClaimedChain&) = delete;
  ~ClaimedChain();

  // The expected gain at the shapes of the graph it was read from.
  double Gain() const;

  // Makes the kernels ready. Returns whether there was memory.
  bool Pack();
  // Of what was packed.
  const char* kernel_name() const { return chain_->name(); }

  const ChainSpec& spec() const { return spec_; }
  const Shape& input_shape() const { return input_shape_; }
  const Shape& output_shape() const { return output_shape_; }

  // Sizes the output for the input as it is now, and plans the work. Errors go to the
  // runtime.
  int Prepare(TfLiteContext* context, int threads);
  int Run(TfLiteContext* context, ThreadPool* pool, ScratchPool* scratch) const;

 private:
  bool ReadSpec(const Graph& graph, const Match& match);
  bool ReadConvolution(const Graph& graph, const Layer& layer, bool hard_swish,
                       Convolution* convolution);
  // Finds the shapes and the window's padding for an input. Returns whether there is an
  // output of at least one pixel.
  bool FindShapes(const TfLiteTensor& input);
  int ResizeOutput(TfLiteContext* context) const;
  // The one window that padding matters to.
  Window& window() {
    return spec_.has_depthwise ? spec_.depthwise.window : spec_.project.window;
  }

  ChainSpec spec_;
  Storage storage_;  // of copied constants
  Padding padding_;
  bool fully_connected_ = false;
  bool keep_dimensions_ = false;
  int input_ = -1;  // tensors
  int residual_ = -1;
  int output_ = -1;
  Shape input_shape_;
  Shape output_shape_;
  const Kernels* kernels_ = nullptr;
  Chain* chain_ = nullptr;
};

}  // namespace onexn

#endif  // ONEXN_CLAIMED_CHAIN_H_
