// The operators of FakeInterpreter as plain loops that share nothing with the delegate.

#ifndef ONEXN_TESTING_FAKE_OPERATORS_H_
#define ONEXN_TESTING_FAKE_OPERATORS_H_

#include <vector>

#include "../tflite_abi.h"

namespace onexn {

// The shape of an operator's output.
std::vector<int> FakeOutputShape(const TfLiteContext& context, const TfLiteNode& node,
                                 int code);

void RunFakeOperator(const TfLiteContext& context, const TfLiteNode& node, int code);

// A sparse tensor as a dense one. The metadata is well-formed.
std::vector<float> Densified(const TfLiteTensor& tensor);

}  // namespace onexn

#endif  // ONEXN_TESTING_FAKE_OPERATORS_H_
