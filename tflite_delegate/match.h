// Finds the operators of a graph that can be computed as one chain.
//
//   [PAD] → conv → [HARD_SWISH] → [ADD]
//
//   [conv → [HARD_SWISH]] → [PAD] → depthwise → [HARD_SWISH] → [squeeze and excite]
//     → conv → [HARD_SWISH] → [ADD]
//
// Squeeze and excite is MEAN → conv → conv → [MUL by a number] → MUL. Tensors between
// the operators have one reader, but for the one that is squeezed.

#ifndef ONEXN_MATCH_H_
#define ONEXN_MATCH_H_

#include "graph.h"
#include "layer.h"
#include "memory.h"

namespace onexn {

// Operators that form a chain. Layers are null where there is none.
struct Match {
  static constexpr int kMostNodes = 40;

  const Layer* expand = nullptr;
  const Layer* first = nullptr;  // of squeeze and excite
  const Layer* second = nullptr;
  const Layer* project = nullptr;
  bool has_depthwise = false;
  DepthwiseLayer depthwise;
  bool swish_behind_expand = false;
  bool swish_behind_depthwise = false;
  bool swish_behind_project = false;
  float scale = 1;  // of squeeze and excite
  // around the depthwise convolution's input or, without one, around the input
  Padding padding;
  int input = -1;  // tensors
  int residual = -1;
  int output = -1;
  int operators = 0;  // but for DENSIFY and DEQUANTIZE
  int node_count = 0;
  int nodes[kMostNodes];  // among the nodes of the graph, rising
};

// How much around a layer becomes one chain with it.
enum class Extent {
  kBlock,           // all there is, with a depthwise convolution
  kBlockToProject,  // without what comes behind the projection
  kNeighbours,      // all there is, without a depthwise convolution
  kLayer,           // the layer and what unpacks its constants
  kNode,            // the operator alone, beside a DENSIFY that stays
};

class Matcher {
 public:
  explicit Matcher(const Graph& graph) : graph_(graph) {}

  // Reads all layers. Returns whether there was memory.
  bool ReadLayers();
  const Array<Layer>& layers() const { return layers_; }

  // Matches a chain that ends in a layer, of nodes that are not taken. Returns whether
  // there is one of this extent.
  bool Find(const Layer& project, Extent extent, Match* match) const;

  void Take(const Match& match);
  bool taken(const Layer& layer) const { return taken_[layer.position]; }

 private:
  // The node of some kind that makes a tensor with so many readers; -1 if it is
  // another.
  int Behind(int tensor_index, int code, int readers = 1) const;
  // The node of some kind that alone reads a tensor; -1 if it is another.
  int Ahead(int tensor_index, int code) const;
  // The layer that alone makes a tensor with one reader, pixel by pixel, or null.
  const Layer* PointwiseBehind(int tensor_index) const;

  bool FindBlock(Match* match) const;
  void FindSqueeze(int* tensor_index, Match* match) const;
  bool FindGate(int gate, int feature_map, Match* match) const;
  int FindScale(int gate, Match* match) const;
  void FindExpansion(int* tensor_index, Match* match) const;
  void FindPadding(int* tensor_index, Match* match) const;
  void FindAhead(Match* match) const;

  const Graph& graph_;
  Array<Layer> layers_;
  Array<int> layer_at_;  // for each node; -1 for none
  Array<bool> taken_;    // for each node
};

}  // namespace onexn

#endif  // ONEXN_MATCH_H_
