#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/select.h"

namespace onexn {
namespace {

constexpr int kMostThreads = 64;

bool ParseThreads(const char* value, int* threads) {
  char* end = nullptr;
  const long number = strtol(value, &end, 10);
  if (*value == '\0' || *end != '\0' || number < 1 || number > kMostThreads) {
    return false;
  }
  *threads = static_cast<int>(number);
  return true;
}

// Whether a value is one of two words; `chosen` tells whether it is the second.
bool ParseChoice(const char* value, const char* first, const char* second,
                 bool* chosen) {
  *chosen = strcmp(value, second) == 0;
  return *chosen || strcmp(value, first) == 0;
}

// Returns what a key takes, or null if there is no such key.
const char* Expected(const char* key) {
  if (strcmp(key, "num_threads") == 0) return "a number from 1 to 64";
  if (strcmp(key, "kernel") == 0) return "auto or reference";
  if (strcmp(key, "cost_gate") == 0) return "on or off";
  if (strcmp(key, "verbose") == 0) return "0 or 1";
  if (strcmp(key, "verdicts") == 0) return "the path of a file to write";
  return nullptr;
}

bool Parse(const char* key, const char* value, Options* options) {
  if (strcmp(key, "num_threads") == 0) {
    return ParseThreads(value, &options->num_threads);
  }
  if (strcmp(key, "kernel") == 0) {
    return ParseChoice(value, "auto", "reference", &options->reference);
  }
  if (strcmp(key, "cost_gate") == 0) {
    return ParseChoice(value, "off", "on", &options->cost_gate);
  }
  if (strcmp(key, "verbose") == 0) {
    return ParseChoice(value, "0", "1", &options->verbose);
  }
  if (*value == '\0') return false;
  free(options->verdicts);
  options->verdicts = strdup(value);
  return options->verdicts != nullptr;
}

}  // namespace

Options::~Options() { free(verdicts); }

bool ParseOptions(const char* const* keys, const char* const* values, size_t count,
                  Options* options, char* message, size_t message_size) {
  for (size_t i = 0; i < count; ++i) {
    const char* expected = Expected(keys[i]);
    if (expected == nullptr) {
      snprintf(message, message_size,
               "onexn delegate: unknown option \"%s\"; there are num_threads, kernel, "
               "cost_gate, verbose and verdicts",
               keys[i]);
      return false;
    }
    if (!Parse(keys[i], values[i], options)) {
      snprintf(message, message_size,
               "onexn delegate: option %s is \"%s\", expected %s", keys[i], values[i],
               expected);
      return false;
    }
  }
  const char* debug = getenv("ONEXN_DEBUG");
  options->debug = debug != nullptr && strcmp(debug, "1") == 0;
  options->verbose = options->verbose || options->debug;
  const char* isa = getenv("ONEXN_ISA");
  if (isa != nullptr && KernelsFor(isa) == nullptr) {
    snprintf(message, message_size,
             "onexn delegate: ONEXN_ISA is \"%s\", expected portable, avx2, avx512 or "
             "neon, and one that this processor has",
             isa);
    return false;
  }
  return true;
}

}  // namespace onexn
