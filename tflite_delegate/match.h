// Finds the operators of a graph that can be computed as one chain.
//
//   [PAD] → conv → [HARD_SWISH] → [ADD]
//   [conv → [HARD_SWISH]] → [PAD] → depthwise → [HARD_SWISH] → [squeeze and excite]
//     → conv → [HARD_SWISH] → [ADD]
//
// Squeeze and excite is MEAN → conv → conv → [MUL by a number] → MUL. Tensors between
// the operators have one reader each, but for what is squeezed.

#ifndef ONEXN_MATCH_H_
#define ONEXN_MATCH_H_

#include "graph.h"
#include "layer.h"
#include "memory.h"

namespace onexn {

struct Match {
  const Layer* expand = nullptr;  // null for what is not there
  const Layer* first = nullptr;   // of squeeze and excite
  const Layer* second = nullptr;
  const Layer* project = nullptr;
  bool has_depthwise = false;
  DepthwiseLayer depthwise;
  bool swish_behind_expand = false;
  bool swish_behind_depthwise = false;
  bool swish_behind_project = false;
  float scale = 1;       // of squeeze and excite
  Padding padding;       // of the one layer with a window that matters
  int input = -1;        // tensors
  int residual = -1;
  int output = -1;
  int operators = 0;     // but for DENSIFY and DEQUANTIZE
  Array<int> positions;  // of all its nodes
};

// How much of what surrounds a convolution is matched with it.
enum class Extent {
  kBlock,      // everything
  kBlockOnly,  // without HARD_SWISH and ADD behind it
  kNeighbours, // no depthwise convolution
  kLayer,      // the layer and its constants
  kNode,       // the one operator, which leaves DENSIFY behind
};

class Matcher {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph) {}

  // Reads all layers. Returns whether there was memory.
  bool ReadLayers();
  const Array<Layer>& layers() const { return layers_; }

  // Matches a chain that ends in a layer. Returns whether there is one of this extent;
  // false as well if there is no memory.
  bool Find(const Layer& project, Extent extent, Match* match) const;

  // Keeps the nodes of a match out of later ones.
  void Take(const Match& match);
  bool taken(const Layer& layer) const { return taken_[layer.position]; }

 private:
  // The node of some kind that alone makes a tensor which nothing but one node reads;
  // -1 if there is none.
  int Behind(int tensor_index, int code) const;
  int Ahead(int tensor_index, int code) const;
  const Layer* LayerAt(int position) const;
  bool Add(int position, Match* match) const;
  bool AddLayer(const Layer& layer, Match* match) const;
  bool AddConstant(const Constant& constant, Match* match) const;

  bool FindBehind(Match* match, int* tensor_index) const;
  bool FindSqueeze(int* tensor_index, Match* match) const;
  bool FindGate(int gate, int feature_map, Match* match) const;
  bool FindPadding(int* tensor_index, Padding* padding, Match* match) const;
  bool FindExpansion(int* tensor_index, Match* match) const;
  bool FindAhead(Match* match) const;

  const Graph& graph_;
  Array<Layer> layers_;
  Array<int> layer_at_;  // node -> layer, -1 for none
  Array<bool> taken_;    // nodes
};

}  // namespace onexn

#endif  // ONEXN_MATCH_H_
