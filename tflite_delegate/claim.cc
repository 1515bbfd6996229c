#include "claim.h"

#include "cost.h"
#include "damage.h"
#include "kernels/select.h"
#include "replace.h"

namespace onexn {

Claimer::~Claimer() {
  if (session_ != nullptr) session_->Release();
}

int Claimer::Run() {
  if (!graph_.Read(context_)) return Fail("could not read the graph");
  char message[640];
  if (!CheckSparsity(graph_, message, sizeof(message))) {
    context_->ReportError(context_, "onexn delegate: the model is damaged: %s.",
                          message);
    return kTfLiteError;
  }
  session_ = Session::Create(options_.num_threads, options_.debug);
  if (session_ == nullptr) return Fail("no memory");
  session_->Acquire();
  if (!matcher_.ReadLayers() || !judged_.Resize(matcher_.layers().size())) {
    return Fail("no memory");
  }
  for (size_t i = 0; i < judged_.size(); ++i) {
    const Layer& layer = matcher_.layers()[i];
    const Node& node = graph_.nodes()[layer.position];
    judged_[i] = Verdict();
    judged_[i].node = node.index;
    judged_[i].op = node.code == kTfLiteBuiltinConv2d ? "CONV_2D" : "FULLY_CONNECTED";
    judged_[i].output = graph_.name(node.output());
    judged_[i].n = layer.sparse ? layer.blocks.blocks.n : 0;
    judged_[i].reason = layer.reason;
  }
  if (ClaimBlocks() != kTfLiteOk || ClaimLayers() != kTfLiteOk) return kTfLiteError;
  const bool told = options_.verbose || options_.verdicts != nullptr;
  return !told || WriteVerdicts() ? kTfLiteOk : Fail("no memory");
}

// Blocks around a depthwise convolution first, lest their layers are taken singly.
int Claimer::ClaimBlocks() {
  for (const Layer& layer : matcher_.layers()) {
    for (Extent extent : {Extent::kBlock, Extent::kBlockToProject}) {
      Match match;
      if (!matcher_.Find(layer, extent, &match)) break;
      const Outcome outcome = Claim(match);
      if (outcome == Outcome::kFailed) return kTfLiteError;
      if (outcome != Outcome::kNotOneNode) break;
    }
  }
  return kTfLiteOk;
}

int Claimer::ClaimLayers() {
  for (const Layer& layer : matcher_.layers()) {
    for (Extent extent : {Extent::kNeighbours, Extent::kLayer, Extent::kNode}) {
      Match match;
      if (!matcher_.Find(layer, extent, &match)) break;
      const Outcome outcome = Claim(match);
      if (outcome == Outcome::kFailed) return kTfLiteError;
      if (outcome != Outcome::kNotOneNode) break;
    }
  }
  return kTfLiteOk;
}

Claimer::Outcome Claimer::Claim(const Match& match) {
  struct {
    int size;
    int data[Match::kMostNodes];
  } indices;
  indices.size = match.node_count;
  for (int i = 0; i < match.node_count; ++i) {
    indices.data[i] = graph_.nodes()[match.nodes[i]].index;
  }
  auto* nodes = reinterpret_cast<TfLiteIntArray*>(&indices);
  Verdict& verdict = judged_[match.project - matcher_.layers().begin()];
  if (!IsOneNode(match, nodes)) {
    verdict.reason = Reason::kPartition;
    return Outcome::kNotOneNode;
  }
  Owned<ClaimedChain> chain(
      ClaimedChain::Create(graph_, match, SelectKernels(options_.reference)));
  if (!chain) {
    Fail("no memory");
    return Outcome::kFailed;
  }
  verdict.gain = chain->Gain();
  if (options_.cost_gate && verdict.gain < kLeastGain) {
    verdict.reason = Reason::kCost;
    return Outcome::kTooSlow;
  }
  if (!chain->Pack()) {
    Fail("no memory");
    return Outcome::kFailed;
  }
  Judge(match, *chain);
  *pending_ = New<ClaimedNode>(session_, chain.get(), verdict.node);
  if (*pending_ == nullptr) {
    Fail("no memory");
    return Outcome::kFailed;
  }
  chain.release();
  const int status = ReplaceNodes(context_, registration_, nodes, delegate_);
  const bool untouched = *pending_ != nullptr;
  Delete(*pending_);
  *pending_ = nullptr;
  if (status != kTfLiteOk || untouched) {
    Fail("the runtime did not replace a chain");
    return Outcome::kFailed;
  }
  matcher_.Take(match);
  return Outcome::kClaimed;
}

bool Claimer::IsOneNode(const Match& match, TfLiteIntArray* nodes) {
  TfLiteDelegateParams* partitions = nullptr;
  int count = 0;
  if (context_->PreviewDelegatePartitioning == nullptr ||
      context_->PreviewDelegatePartitioning(context_, nodes, &partitions, &count) !=
          kTfLiteOk ||
      count != 1) {
    return false;
  }
  const TfLiteIntArray* outputs = partitions[0].output_tensors;
  return partitions[0].nodes_to_replace->size == match.node_count &&
         outputs->size == 1 && outputs->data[0] == match.output;
}

void Claimer::Judge(const Match& match, const ClaimedChain& chain) {
  const ChainSpec& spec = chain.spec();
  const char* kernel = chain.kernel_name();
  Reason reason = match.operators == 1 ? Reason::kAlone : Reason::kWithNeighbours;
  if (spec.has_depthwise) reason = Reason::kProjection;
  JudgeLayer(match, match.project, reason, spec.project.kernel.n, kernel);
  JudgeLayer(match, match.expand, Reason::kExpansion, spec.expand.kernel.n, kernel);
  JudgeLayer(match, match.first, Reason::kSqueezeExcite, spec.squeeze.first.kernel.n,
             kernel);
  JudgeLayer(match, match.second, Reason::kSqueezeExcite, spec.squeeze.second.kernel.n,
             kernel);
}

void Claimer::JudgeLayer(const Match& match, const Layer* layer, Reason reason, int n,
                         const char* kernel) {
  if (layer == nullptr) return;
  Verdict& verdict = judged_[layer - matcher_.layers().begin()];
  verdict.claimed = true;
  verdict.reason = reason;
  verdict.n = n;
  verdict.kernel = kernel;
  verdict.operators = match.operators;
}

bool Claimer::WriteVerdicts() {
  for (const Verdict& verdict : judged_) {
    if (!AppendVerdict(verdict, &text_)) return false;
  }
  return true;
}

int Claimer::Fail(const char* what) {
  context_->ReportError(context_, "onexn delegate: %s.", what);
  return kTfLiteError;
}

}  // namespace onexn
