#include "claimed_node.h"

#include <stdio.h>
#include <time.h>

namespace onexn {
namespace {

constexpr int kMostThreads = 64;

double Microseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

void Free(TfLiteContext*, void* node) { Delete(static_cast<ClaimedNode*>(node)); }

int Prepare(TfLiteContext* context, TfLiteNode* node) {
  auto* claimed = static_cast<ClaimedNode*>(node->user_data);
  return claimed == nullptr ? kTfLiteError : claimed->Prepare(context);
}

int Invoke(TfLiteContext* context, TfLiteNode* node) {
  return static_cast<ClaimedNode*>(node->user_data)->Run(context);
}

}  // namespace

Session* Session::Create(int threads, bool debug) {
  Owned<Session> session(New<Session>());
  if (!session) return nullptr;
  session->threads_ = threads;
  session->debug_ = debug;
  return session.release();
}

Session::~Session() {
  if (pool_ != nullptr) ThreadPool::Destroy(pool_);
  if (scratch_ != nullptr) ScratchPool::Destroy(scratch_);
}

void Session::Release() {
  if (--users_ == 0) Delete(this);
}

bool Session::Start(const TfLiteContext& context) {
  if (scratch_ != nullptr) return true;
  scratch_ = ScratchPool::Create();
  if (scratch_ == nullptr) return false;
  int threads = threads_ > 0 ? threads_ : context.recommended_num_threads;
  if (threads > kMostThreads) threads = kMostThreads;
  // one thread computes the same, later
  if (threads > 1) pool_ = ThreadPool::Create(threads);
  return true;
}

int ClaimedNode::Prepare(TfLiteContext* context) {
  if (!session_->Start(*context)) {
    context->ReportError(context, "onexn delegate: no memory.");
    return kTfLiteError;
  }
  const ThreadPool* pool = session_->pool();
  return chain_->Prepare(context, pool == nullptr ? 1 : pool->threads());
}

int ClaimedNode::Run(TfLiteContext* context) {
  if (!session_->debug() || printed_) {
    return chain_->Run(context, session_->pool(), session_->scratch());
  }
  const double start = Microseconds();
  const int status = chain_->Run(context, session_->pool(), session_->scratch());
  const double time = Microseconds() - start;
  const Shape& input = chain_->input_shape();
  const Shape& output = chain_->output_shape();
  fprintf(stderr, "onexn: node %d %s %dx%dx%dx%d -> %dx%dx%dx%d, first run %.0f us\n",
          index_, chain_->kernel_name(), input.batch, input.height, input.width,
          input.channels, output.batch, output.height, output.width, output.channels,
          time);
  printed_ = true;
  return status;
}

TfLiteRegistration ClaimedNodeRegistration() {
  TfLiteRegistration registration = {};
  registration.free = Free;
  registration.prepare = Prepare;
  registration.invoke = Invoke;
  registration.builtin_code = kTfLiteBuiltinDelegate;
  registration.custom_name = "OnexnDelegate";
  registration.version = 1;
  return registration;
}

}  // namespace onexn
