// Runs a plan again and again and prints how long it took, as one line of JSON.

#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runner.h"

enum { kMostPorts = 64 };

typedef struct {
  const char* folder;
  int threads;
  int runs;
  int warmup;
  const char* inputs[kMostPorts];
  int input_count;
  const char* outputs[kMostPorts];
  int output_count;
} Options;

static const char kUsage[] =
    "usage: benchmark [FOLDER] [--threads N] [--runs N] [--warmup N]\n"
    "                 [--input FILE]... [--output FILE]...\n"
    "FOLDER is the plan's, by default this program's. Inputs are raw numbers, one "
    "file\n"
    "each, in order; without any they are random. Outputs are written likewise.\n";

static int Fail(const char* what, const char* name) {
  fprintf(stderr, "%s%s\n", what, name);
  return 1;
}

static int ReadCount(const char* text, int least, int* value) {
  char* end = NULL;
  const long number = strtol(text, &end, 10);
  if (end == text || *end != '\0' || number < least || number > 1000000) return -1;
  *value = (int)number;
  return 0;
}

static int ReadOption(Options* options, const char* name, const char* value) {
  if (strcmp(name, "--threads") == 0) return ReadCount(value, 1, &options->threads);
  if (strcmp(name, "--runs") == 0) return ReadCount(value, 1, &options->runs);
  if (strcmp(name, "--warmup") == 0) return ReadCount(value, 0, &options->warmup);
  if (strcmp(name, "--input") == 0 && options->input_count < kMostPorts) {
    options->inputs[options->input_count++] = value;
    return 0;
  }
  if (strcmp(name, "--output") == 0 && options->output_count < kMostPorts) {
    options->outputs[options->output_count++] = value;
    return 0;
  }
  return -1;
}

static int ReadOptions(Options* options, int count, char** words) {
  for (int i = 1; i < count; ++i) {
    if (strncmp(words[i], "--", 2) != 0) {
      options->folder = words[i];
    } else if (i + 1 == count || ReadOption(options, words[i], words[i + 1]) != 0) {
      return -1;
    } else {
      ++i;
    }
  }
  return 0;
}

// Fills memory with floats in [0, 1), the same every time.
static void FillRandom(const onexn_tensor* tensor) {
  uint32_t state = 2463534242u;
  if (tensor->code != 2 || tensor->bits != 32) return;  // others stay zero
  float* values = tensor->data;
  for (size_t i = 0; i < tensor->bytes / sizeof(float); ++i) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    values[i] = (float)(state >> 8) * 0x1p-24f;
  }
}

static int ReadInput(const onexn_tensor* tensor, const char* path) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) return Fail("Cannot open ", path);
  const size_t got = fread(tensor->data, 1, tensor->bytes, file);
  const int more = fgetc(file) != EOF;
  fclose(file);
  if (got == tensor->bytes && !more) return 0;
  fprintf(stderr, "%s must have %zu bytes, those of the input %s.\n", path,
          tensor->bytes, tensor->name);
  return 1;
}

static int WriteOutput(const onexn_tensor* tensor, const char* path) {
  FILE* file = fopen(path, "wb");
  if (file == NULL) return Fail("Cannot write ", path);
  const size_t put = fwrite(tensor->data, 1, tensor->bytes, file);
  const int closed = fclose(file);
  return put == tensor->bytes && closed == 0 ? 0 : Fail("Cannot write ", path);
}

static int FillInputs(const onexn_plan* plan, const Options* options) {
  const onexn_tensor* tensors = NULL;
  const int count = onexn_plan_inputs(plan, &tensors);
  if (options->input_count != 0 && options->input_count != count) {
    fprintf(stderr, "The plan has %d inputs, not %d.\n", count, options->input_count);
    return 1;
  }
  for (int i = 0; i < count; ++i) {
    if (options->input_count == 0) {
      FillRandom(&tensors[i]);
    } else if (ReadInput(&tensors[i], options->inputs[i]) != 0) {
      return 1;
    }
  }
  return 0;
}

static int WriteOutputs(const onexn_plan* plan, const Options* options) {
  const onexn_tensor* tensors = NULL;
  const int count = onexn_plan_outputs(plan, &tensors);
  if (options->output_count > count) {
    fprintf(stderr, "The plan has %d outputs, not %d.\n", count, options->output_count);
    return 1;
  }
  for (int i = 0; i < options->output_count; ++i) {
    if (WriteOutput(&tensors[i], options->outputs[i]) != 0) return 1;
  }
  return 0;
}

static double Milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static int Compare(const void* a, const void* b) {
  const double left = *(const double*)a;
  const double right = *(const double*)b;
  return (left > right) - (left < right);
}

// Between two of the sorted times, where the share falls between them.
static double Percentile(const double* sorted, int count, double share) {
  const double place = share * (count - 1);
  const int below = (int)place;
  if (below + 1 >= count) return sorted[count - 1];
  return sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

static int Measure(onexn_plan* plan, const Options* options) {
  double* times = calloc((size_t)options->runs, sizeof(*times));
  if (times == NULL) return Fail("There is no memory.", "");
  for (int i = -options->warmup; i < options->runs; ++i) {
    const double start = Milliseconds();
    if (onexn_plan_run(plan) != 0) {
      free(times);
      return Fail("", onexn_plan_message(plan));
    }
    if (i >= 0) times[i] = Milliseconds() - start;
  }
  printf("{\"runtime\": \"tvm_plan\", \"target\": \"%s\", \"threads\": %d, \"ms\": [",
         onexn_plan_target(), options->threads);
  for (int i = 0; i < options->runs; ++i) {
    printf(i == 0 ? "%.4f" : ", %.4f", times[i]);
  }
  qsort(times, (size_t)options->runs, sizeof(*times), Compare);
  printf("], \"runs\": %d, \"median_ms\": %.4f, \"p10_ms\": %.4f, \"p90_ms\": %.4f}\n",
         options->runs, Percentile(times, options->runs, 0.5),
         Percentile(times, options->runs, 0.1), Percentile(times, options->runs, 0.9));
  free(times);
  return 0;
}

static int Run(const Options* options) {
  char message[1024];
  onexn_plan* plan =
      onexn_plan_open(options->folder, options->threads, message, sizeof(message));
  if (plan == NULL) return Fail("", message);
  int status = FillInputs(plan, options);
  if (status == 0) status = Measure(plan, options);
  if (status == 0) status = WriteOutputs(plan, options);
  onexn_plan_close(plan);
  return status;
}

int main(int count, char** words) {
  Options options = {.threads = 1, .runs = 50, .warmup = 5};
  if (ReadOptions(&options, count, words) != 0) {
    fputs(kUsage, stderr);
    return 2;
  }
  char here[4096] = ".";
  const char* slash = strrchr(words[0], '/');
  if (slash != NULL && (size_t)(slash - words[0]) < sizeof(here)) {
    snprintf(here, sizeof(here), "%.*s", (int)(slash - words[0] + 1), words[0]);
  }
  if (options.folder == NULL) options.folder = here;
  return Run(&options);
}
