// The delegate's two functions, with an owner.

#ifndef ONEXN_TESTING_PLUGIN_H_
#define ONEXN_TESTING_PLUGIN_H_

#include <initializer_list>
#include <utility>
#include <vector>

#include "../tflite_abi.h"

extern "C" {
TfLiteDelegate* tflite_plugin_create_delegate(const char* const* keys,
                                              const char* const* values, size_t count,
                                              void (*report_error)(const char*));
void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate);
}

namespace onexn {

class Plugin {
 public:
  using Option = std::pair<const char*, const char*>;

  Plugin(std::initializer_list<Option> options,
         void (*report_error)(const char*) = nullptr) {
    std::vector<const char*> keys, values;
    for (const Option& option : options) {
      keys.push_back(option.first);
      values.push_back(option.second);
    }
    delegate_ = tflite_plugin_create_delegate(keys.data(), values.data(), keys.size(),
                                              report_error);
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  ~Plugin() { Destroy(); }

  // Null where it could not be created.
  TfLiteDelegate* get() const { return delegate_; }
  void Destroy() {
    tflite_plugin_destroy_delegate(delegate_);
    delegate_ = nullptr;
  }

 private:
  TfLiteDelegate* delegate_;
};

}  // namespace onexn

#endif  // ONEXN_TESTING_PLUGIN_H_
