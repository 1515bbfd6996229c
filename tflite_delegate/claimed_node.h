// The operator that a runtime runs in place of a chain.

#ifndef ONEXN_CLAIMED_NODE_H_
#define ONEXN_CLAIMED_NODE_H_

#include "claimed_chain.h"
#include "memory.h"
#include "scratch.h"
#include "tflite_abi.h"
#include "thread_pool.h"

namespace onexn {

// What the claimed nodes of one graph share. It lives as long as the last of them, so
// that interpreters and delegates may go in any order.
class Session {
 public:
  // `threads` of 0 stands for what the interpreter was given. Returns null if there is
  // no memory.
  static Session* Create(int threads, bool debug);

  Session() = default;  // for Create
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  void Acquire() { ++users_; }
  void Release();

  // Starts the threads, once. Returns whether there is memory.
  bool Start(const TfLiteContext& context);

  ThreadPool* pool() const { return pool_; }  // null for one thread
  ScratchPool* scratch() const { return scratch_; }
  bool debug() const { return debug_; }

 private:
  int users_ = 0;
  int threads_ = 0;
  bool debug_ = false;
  ThreadPool* pool_ = nullptr;
  ScratchPool* scratch_ = nullptr;
};

class ClaimedNode {
 public:
  ClaimedNode(Session* session, ClaimedChain* chain, int index)
      : session_(session), chain_(chain), index_(index) {
    session_->Acquire();
  }
  ClaimedNode(const ClaimedNode&) = delete;
  ClaimedNode& operator=(const ClaimedNode&) = delete;
  ~ClaimedNode() {
    chain_ = Owned<ClaimedChain>();
    session_->Release();
  }

  int Prepare(TfLiteContext* context);
  int Run(TfLiteContext* context);

 private:
  Session* session_;
  Owned<ClaimedChain> chain_;
  int index_;  // of its last layer, in the file
  bool printed_ = false;
};

// The functions of such a node but for `init`.
TfLiteRegistration ClaimedNodeRegistration();

}  // namespace onexn

#endif  // ONEXN_CLAIMED_NODE_H_
