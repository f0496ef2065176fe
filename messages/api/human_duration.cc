#include "messages/api/human_duration.h"
#include "messages/core/strings.h"

#include <cstdint>

namespace kubemu {
namespace {

// "5m3s", or "5m" when the smaller part is zero.
std::string TwoUnits(int64_t large, const char* large_unit, int64_t small, const char* small_unit) {
  if (small == 0) return StrCat(large, large_unit);
  return StrCat(large, large_unit, small, small_unit);
}

}  // namespace

std::string HumanDuration(Duration age) {
  const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 2 * 60) return StrCat(seconds, "s");
  const int64_t minutes = seconds / 60;
  if (minutes < 10) return TwoUnits(minutes, "m", seconds % 60, "s");
  if (minutes < 3 * 60) return StrCat(minutes, "m");
  const int64_t hours = minutes / 60;
  if (hours < 8) return TwoUnits(hours, "h", minutes % 60, "m");
  if (hours < 48) return StrCat(hours, "h");
  const int64_t days = hours / 24;
  if (days < 8) return TwoUnits(days, "d", hours % 24, "h");
  if (days < 2 * 365) return StrCat(days, "d");
  const int64_t years = days / 365;
  if (years < 8) return TwoUnits(years, "y", days % 365, "d");
  return StrCat(years, "y");
}

std::string HumanAge(WallTime created, WallTime now) {
  if (created == WallTime{}) return "<unknown>";
  return HumanDuration(now - created);
}

}  // namespace kubemu
