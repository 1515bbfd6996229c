// Damages a plan again and again; the runner must refuse it or stay in its memory.
//
//     fuzz_plan FOLDER COUNT SEED THREADS
//
// FOLDER has plan.bin and weights.bin, and an empty folder "damaged".

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_file.h"
#include "runner.h"

static uint64_t state;

static uint32_t Random(uint32_t end) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16) % end;
}

static uint8_t* Read(const char* folder, const char* name, size_t* size) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  FILE* file = fopen(path, "rb");
  uint8_t* content = malloc(1 << 20);
  if (file == NULL || content == NULL) exit(2);
  *size = fread(content, 1, 1 << 20, file);
  fclose(file);
  return content;
}

static void Write(const char* folder, const char* name, const uint8_t* content,
                  size_t size) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/damaged/%s", folder, name);
  FILE* file = fopen(path, "wb");
  if (file == NULL || fwrite(content, 1, size, file) != size) exit(2);
  fclose(file);
}

static void Damage(uint8_t* plan, size_t* size) {
  static const uint32_t kNumbers[] = {
      0,  1,   2,    7,          8,          63,         64,
      65, 255, 4096, 0x7FFFFFFF, 0x80000000, 0xFFFFFFC0, 0xFFFFFFFF};
  for (uint32_t left = 1 + Random(3); left > 0; --left) {
    switch (Random(8)) {
      case 0:
        *size = Random((uint32_t)*size + 1);
        break;
      case 1:
        plan[Random((uint32_t)*size + 1)] = (uint8_t)Random(256);
        break;
      case 2:
        plan[Random((uint32_t)*size + 1)] ^= (uint8_t)(1u << Random(8));
        break;
      default: {
        const uint32_t count = sizeof(kNumbers) / sizeof(kNumbers[0]);
        const uint32_t number = Random(2) ? kNumbers[Random(count)] : Random(40);
        memcpy(plan + 4 * Random((uint32_t)*size / 4 + 1), &number, sizeof(number));
      }
    }
  }
}

static void Put(uint8_t* plan, size_t at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) plan[at + (size_t)i] = (uint8_t)(value >> (8 * i));
}

// Makes a plan look as if it had been written so.
static void Seal(uint8_t* plan, size_t size) {
  memcpy(plan, "1xNplan", 8);
  Put(plan, 8, ONEXN_PLAN_VERSION, 4);
  Put(plan, 16, size, 8);
  Put(plan, 12, onexn_crc32(plan + 16, size - 16), 4);
}

int main(int count, char** words) {
  if (count != 5) return 2;
  const int times = atoi(words[2]);
  state = (uint64_t)atoll(words[3]) * 0x9E3779B97F4A7C15u + 1;
  const int threads = atoi(words[4]);
  size_t plan_size = 0, weights_size = 0;
  uint8_t* original = Read(words[1], "plan.bin", &plan_size);
  uint8_t* weights = Read(words[1], "weights.bin", &weights_size);
  Write(words[1], "weights.bin", weights, weights_size);
  uint8_t* plan = malloc(plan_size + 8);
  char folder[4096];
  snprintf(folder, sizeof(folder), "%s/damaged", words[1]);
  int opened = 0, ran = 0;
  for (int i = 0; i < times; ++i) {
    size_t size = plan_size;
    memset(plan + size, 0, 8);
    memcpy(plan, original, size);
    // the first as it is
    if (i > 0) Damage(plan, &size);
    const int sealed = size >= 64 && Random(16) != 0;
    const int same = size == plan_size && memcmp(plan, original, size) == 0;
    if (sealed) Seal(plan, size);
    Write(words[1], "plan.bin", plan, size);
    char message[256];
    onexn_plan* one = onexn_plan_open(folder, threads, message, sizeof(message));
    if (one == NULL) continue;
    if (!sealed && !same) {
      fprintf(stderr, "A damaged plan was opened, number %d.\n", i);
      return 1;
    }
    ++opened;
    const int first = onexn_plan_run(one);
    if (onexn_plan_run(one) != first) return 1;
    ran += first == 0;
    onexn_plan_close(one);
  }
  printf("%d damaged, %d opened, %d ran\n", times, opened, ran);
  free(original);
  free(weights);
  free(plan);
  return 0;
}
