// A small TFLite runtime: what the delegate needs of one, and nothing that it shares
// with it. Every tensor has memory of its own, so that sanitizers see where it ends.

#ifndef ONEXN_TESTING_FAKE_CONTEXT_H_
#define ONEXN_TESTING_FAKE_CONTEXT_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fake_graph.h"

namespace onexn {

class FakeInterpreter {
 public:
  // The graph outlives the interpreter.
  explicit FakeInterpreter(const FakeGraph& graph, int threads = 1);
  FakeInterpreter(const FakeInterpreter&) = delete;
  FakeInterpreter& operator=(const FakeInterpreter&) = delete;
  ~FakeInterpreter();

  // These return whether all went well; if not, `errors` tells why.
  bool Apply(TfLiteDelegate* delegate);
  bool Allocate();
  // Prepares what the delegate runs, without memory for inputs.
  bool PrepareDelegated();
  bool Invoke();

  void Resize(int input, const std::vector<int>& shape);
  const TfLiteTensor& tensor(int index) const { return tensors_[index]; }
  std::vector<int> shape(int tensor) const;
  void Fill(int input, const std::vector<float>& values);
  std::vector<float> Output(int output) const;

  // Operators that the delegate runs.
  int delegated() const;
  const std::string& errors() const { return errors_; }

 private:
  struct Node;
  struct FreeArray {
    void operator()(void* array) const { free(array); }
  };
  using IntArray = std::unique_ptr<TfLiteIntArray, FreeArray>;
  // What a partition hands to `init`.
  struct Partition {
    TfLiteDelegateParams params = {};
    IntArray nodes, inputs, outputs;
  };

  static FakeInterpreter& Of(TfLiteContext* context);
  static IntArray ArrayOf(const std::vector<int>& values);
  static void ReportError(TfLiteContext* context, const char* format, ...);
  static int ResizeTensor(TfLiteContext* context, TfLiteTensor* tensor,
                          TfLiteIntArray* size);
  static int GetExecutionPlan(TfLiteContext* context, TfLiteIntArray** plan);
  static int GetNode(TfLiteContext* context, int index, TfLiteNode** node,
                     TfLiteRegistration** registration);
  static int Replace(TfLiteContext* context, TfLiteRegistration registration,
                     const TfLiteIntArray* nodes, TfLiteDelegate* delegate);
  static int Preview(TfLiteContext* context, const TfLiteIntArray* nodes,
                     TfLiteDelegateParams** partitions, int* count);

  void MakeTensor(const FakeTensor& from);
  void MakeSparsity(const FakeSparsity& from, TfLiteTensor* tensor);
  TfLiteIntArray* Keep(const std::vector<int>& values);
  // Parts a set of nodes as a runtime does; `behind` is what must come after them.
  // Returns whether they can run as one.
  bool Part(const TfLiteIntArray* nodes, Partition* partition, std::vector<int>* before,
            std::vector<int>* behind) const;
  void FreeNodes(size_t first);

  const FakeGraph& graph_;
  TfLiteContext context_ = {};
  std::vector<TfLiteTensor> tensors_;
  std::deque<Node> nodes_;
  // as runtimes keep them
  std::vector<std::pair<TfLiteNode, TfLiteRegistration>> listed_;
  IntArray plan_;
  std::vector<IntArray> arrays_;                 // that tensors point to
  std::vector<std::unique_ptr<char[]>> memory_;  // of constants
  std::vector<std::unique_ptr<TfLiteDimensionMetadata[]>> levels_;
  std::vector<std::unique_ptr<TfLiteSparsity>> sparsities_;
  std::vector<Partition> previewed_;
  std::string errors_;
};

// Gives the outputs of a graph's operators the shapes that a file has.
void StoreShapes(FakeGraph* graph);

}  // namespace onexn

#endif  // ONEXN_TESTING_FAKE_CONTEXT_H_
