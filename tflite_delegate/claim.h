// Claims the chains of one graph and tells what became of each layer.

#ifndef ONEXN_CLAIM_H_
#define ONEXN_CLAIM_H_

#include "claimed_node.h"
#include "graph.h"
#include "match.h"
#include "memory.h"
#include "options.h"
#include "tflite_abi.h"
#include "verdict.h"

namespace onexn {

class Claimer {
 public:
  // `registration` is the one of a claimed node. Its `init` takes the node from
  // `pending`, where it is while the runtime replaces operators.
  Claimer(TfLiteContext* context, TfLiteDelegate* delegate, const Options& options,
          const TfLiteRegistration& registration, ClaimedNode** pending)
      : context_(context),
        delegate_(delegate),
        options_(options),
        registration_(registration),
        pending_(pending),
        matcher_(graph_) {}
  ~Claimer();

  // Claims what is worth it. Returns a TfLiteStatus; errors go to the runtime.
  int Run();

  // A line for each layer, in the order of the graph; none if no option asks for it.
  const Array<char>& verdicts() const { return text_; }

 private:
  enum class Outcome { kClaimed, kNotOneNode, kTooSlow, kFailed };

  int ClaimBlocks();
  int ClaimLayers();
  Outcome Claim(const Match& match);
  // Whether the runtime would replace these nodes by a single one whose only output is
  // the match's.
  bool IsOneNode(const Match& match, TfLiteIntArray* nodes);
  void Judge(const Match& match, const ClaimedChain& chain);
  void JudgeLayer(const Match& match, const Layer* layer, Reason reason, int n,
                  const char* kernel);
  bool WriteVerdicts();
  int Fail(const char* what);

  TfLiteContext* context_;
  TfLiteDelegate* delegate_;
  const Options& options_;
  TfLiteRegistration registration_;
  ClaimedNode** pending_;
  Session* session_ = nullptr;
  Graph graph_;
  Matcher matcher_;
  Array<Verdict> judged_;  // for each layer
  Array<char> text_;
};

}  // namespace onexn

#endif  // ONEXN_CLAIM_H_
