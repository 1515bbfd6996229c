// What a user can set, as keys and values.

#ifndef ONEXN_OPTIONS_H_
#define ONEXN_OPTIONS_H_

#include <stddef.h>

namespace onexn {

struct Options {
  int num_threads = 0;  // 0: what the interpreter was given
  bool reference = false;
  bool cost_gate = true;
  bool verbose = false;
  bool debug = false;
  char* verdicts = nullptr;  // a path, owned

  Options() = default;
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  ~Options();
};

// Reads keys and values, and the environment. Returns whether all were understood;
// if not, `message` says what was wrong.
bool ParseOptions(const char* const* keys, const char* const* values, size_t count,
                  Options* options, char* message, size_t message_size);

}  // namespace onexn

#endif  // ONEXN_OPTIONS_H_
