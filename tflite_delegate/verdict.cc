#include "verdict.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace onexn {
namespace {

// One sentence for the user. %d stands for the operators of the chain, %.2f for the
// expected gain.
const char* Sentence(Reason reason) {
  switch (reason) {
    case Reason::kAlone:
      return "Its zero blocks are skipped.";
    case Reason::kWithNeighbours:
      return "Its zero blocks are skipped, and it is computed as one with its "
             "neighbours, %d operators in all.";
    case Reason::kExpansion:
      return "It is the expansion of an inverted residual of %d operators.";
    case Reason::kProjection:
      return "It is the projection behind a depthwise convolution, computed as one of "
             "%d operators.";
    case Reason::kSqueezeExcite:
      return "It is part of the squeeze and excite in a chain of %d operators.";
    case Reason::kDenseKernel:
      return "Its kernel is stored dense.";
    case Reason::kComputedKernel:
      return "Its kernel is not a constant of the file.";
    case Reason::kOtherLayout:
      return "Its kernel is sparse, but not in blocks of output channels.";
    case Reason::kNotFloat:
      return "It does not compute in float32.";
    case Reason::kBias:
      return "Its bias is not a constant of one float for each output channel.";
    case Reason::kActivation:
      return "Its activation is none of ReLU, ReLU6, ReLU from -1 to 1 and hard-swish.";
    case Reason::kGroups:
      return "It is a grouped convolution.";
    case Reason::kShapes:
      return "The shapes of its input, kernel and output do not fit together.";
    case Reason::kWeightsFormat:
      return "Its weights are stored in a shuffled order.";
    case Reason::kTooWide:
      return "Its kernel has more inputs than a panel has room for.";
    case Reason::kCost:
      return "It is not expected to get faster: the runtime's dense time divided by "
             "the delegate's is %.2f.";
    case Reason::kPartition:
      return "The runtime does not hand it over as one operator.";
  }
  return "";
}

bool AppendText(const char* text, Array<char>* line) {
  return line->Append(text, strlen(text));
}

// The length of the UTF-8 character at the start of a text, 0 if there is none.
int CharacterBytes(const unsigned char* text) {
  const unsigned char first = text[0];
  int bytes = 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) bytes = 2;
  if (first >= 0xe0 && first <= 0xef) bytes = 3;
  if (first >= 0xf0 && first <= 0xf4) bytes = 4;
  for (int i = 1; i < bytes; ++i) {
    if ((text[i] & 0xc0u) != 0x80) return 0;
  }
  if (bytes == 3) {
    if (first == 0xe0 && text[1] < 0xa0) return 0;  // too long
    if (first == 0xed && text[1] > 0x9f) return 0;  // a half of a pair
  }
  if (bytes == 4) {
    if (first == 0xf0 && text[1] < 0x90) return 0;  // too long
    if (first == 0xf4 && text[1] > 0x8f) return 0;  // past the last
  }
  return bytes;
}

bool AppendString(const char* text, Array<char>* line) {
  if (!AppendText("\"", line)) return false;
  const auto* at = reinterpret_cast<const unsigned char*>(text);
  while (*at != '\0') {
    char escaped[8] = {};
    int bytes = CharacterBytes(at);
    if (*at == '"' || *at == '\\') {
      snprintf(escaped, sizeof(escaped), "\\%c", *at);
    } else if (*at < 0x20 || *at == 0x7f) {
      snprintf(escaped, sizeof(escaped), "\\u%04x", *at);
    } else if (bytes == 0) {  // not UTF-8
      snprintf(escaped, sizeof(escaped), "\\ufffd");
      bytes = 1;
    } else {
      memcpy(escaped, at, bytes);
    }
    if (!AppendText(escaped, line)) return false;
    at += bytes;
  }
  return AppendText("\"", line);
}

bool AppendNumber(int number, Array<char>* line) {
  char text[16];
  snprintf(text, sizeof(text), "%d", number);
  return AppendText(text, line);
}

bool AppendReason(const Verdict& verdict, Array<char>* line) {
  char sentence[256];
  const char* format = Sentence(verdict.reason);
  if (verdict.reason == Reason::kCost) {
    snprintf(sentence, sizeof(sentence), format, verdict.gain);
  } else {
    snprintf(sentence, sizeof(sentence), format, verdict.operators);
  }
  return AppendString(sentence, line);
}

}  // namespace

bool AppendVerdict(const Verdict& verdict, Array<char>* text) {
  return AppendText("{\"node\": ", text) && AppendNumber(verdict.node, text) &&
         AppendText(", \"operator\": ", text) && AppendString(verdict.op, text) &&
         AppendText(", \"output\": ", text) && AppendString(verdict.output, text) &&
         AppendText(", \"claimed\": ", text) &&
         AppendText(verdict.claimed ? "true" : "false", text) &&
         AppendText(", \"kernel\": ", text) && AppendString(verdict.kernel, text) &&
         AppendText(", \"n\": ", text) && AppendNumber(verdict.n, text) &&
         AppendText(", \"reason\": ", text) && AppendReason(verdict, text) &&
         AppendText("}\n", text);
}

bool ReplaceFile(const char* path, const Array<char>& text) {
  Array<char> temporary;
  char suffix[32];
  snprintf(suffix, sizeof(suffix), ".%ld.part", static_cast<long>(getpid()));
  if (!AppendText(path, &temporary) || !AppendText(suffix, &temporary) ||
      !temporary.Append('\0')) {
    return false;
  }
  FILE* file = fopen(temporary.data(), "wb");
  if (file == nullptr) return false;
  bool written = text.empty() || fwrite(text.data(), text.size(), 1, file) == 1;
  written = fclose(file) == 0 && written;
  if (!written || rename(temporary.data(), path) != 0) {
    unlink(temporary.data());
    return false;
  }
  return true;
}

}  // namespace onexn
