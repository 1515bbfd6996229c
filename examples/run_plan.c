// Runs a plan that `onexn build --format plan` made, from C:
//
//   cc run_plan.c -I plan -L plan -lplan -Wl,-rpath,plan -o run_plan
//   ./run_plan plan image.bin
//
// The file has the numbers of the network's input; the place of the largest output and
// its value are printed.

#include <runner.h>
#include <stdio.h>

static int Fail(const char* message) {
  fprintf(stderr, "%s\n", message);
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 3) return Fail("usage: run_plan FOLDER INPUT");
  char message[512];
  onexn_plan* plan = onexn_plan_open(argv[1], 1, message, sizeof(message));
  if (plan == NULL) return Fail(message);

  const onexn_tensor* input;
  const onexn_tensor* output;
  onexn_plan_inputs(plan, &input);
  onexn_plan_outputs(plan, &output);

  FILE* file = fopen(argv[2], "rb");
  if (file == NULL) return Fail("the input cannot be opened");
  size_t read = fread(input->data, 1, input->bytes, file);
  fclose(file);
  if (read != input->bytes) return Fail("the input is too short");

  if (onexn_plan_run(plan) != 0) return Fail(onexn_plan_message(plan));

  const float* scores = output->data;
  size_t best = 0;
  for (size_t i = 1; i < output->bytes / sizeof(float); ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  printf("%zu %.6f\n", best, scores[best]);
  onexn_plan_close(plan);
  return 0;
}
