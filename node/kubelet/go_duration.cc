#include "node/kubelet/go_duration.h"

#include "messages/core/strings.h"

namespace kubemu {

std::string GoDuration(Duration duration) {
  const int64_t ms = duration / 1ms;
  if (ms == 0) return "0s";
  if (ms < 1000) return StrCat(ms, "ms");
  const int64_t minutes = ms / 60'000;
  const int64_t rest = ms % 60'000;
  std::string text;
  if (minutes >= 60) StrAppend(&text, minutes / 60, "h");
  if (minutes > 0) StrAppend(&text, minutes % 60, "m");
  StrAppend(&text, rest / 1000);
  if (rest % 1000 != 0) {
    std::string fraction = StrCat(1000 + rest % 1000).substr(1);
    while (fraction.back() == '0') fraction.pop_back();
    StrAppend(&text, ".", fraction);
  }
  return text + "s";
}

}  // namespace kubemu
