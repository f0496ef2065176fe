#include "node/network/log_buffer.h"

#include <algorithm>
#include <cstdio>

namespace kubemu {

void LogBuffer::Append(WallTime wall, std::string_view line) {
  lines_.push_back(Line{wall, std::string(line.substr(0, kLineMax))});
  bytes_ += lines_.back().text.size() + sizeof(Line);
  while (bytes_ > kBytesMax && lines_.size() > 1) {
    bytes_ -= lines_.front().text.size() + sizeof(Line);
    lines_.pop_front();
    ++first_;
  }
}

std::string LogBuffer::Read(const Query& query) const {
  size_t from = query.from > first_ ? static_cast<size_t>(query.from - first_) : 0;
  if (query.tail) {
    const uint64_t tail = static_cast<uint64_t>(std::max<int64_t>(*query.tail, 0));
    if (tail < lines_.size()) from = std::max<size_t>(from, lines_.size() - tail);
  }
  std::string text;
  for (size_t i = from; i < lines_.size(); ++i) {
    const Line& line = lines_[i];
    if (query.since && line.wall < *query.since) continue;
    if (query.timestamps) text += FormatWallTime(line.wall) + " ";
    text += line.text;
    text += '\n';
  }
  return text;
}

std::string FormatWallTime(WallTime wall) {
  const auto since = wall.time_since_epoch();
  const std::chrono::sys_time<Duration> time{since};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<Duration> clock{time - day};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

}  // namespace kubemu
