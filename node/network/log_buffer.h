#ifndef KUBEMU_NODE_NETWORK_LOG_BUFFER_H_
#define KUBEMU_NODE_NETWORK_LOG_BUFFER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "messages/core/time.h"

namespace kubemu {

// What one container wrote to stdout and stderr: the last lines, within a limit (the kubelet's log
// rotation). Lines are numbered from 0 over the container's life, so that a follower knows where
// it stands when old lines have gone.
class LogBuffer {
 public:
  static constexpr size_t kBytesMax = 16 * 1024;
  static constexpr size_t kLineMax = 4 * 1024;  // longer lines are cut

  void Append(WallTime wall, std::string_view line);

  // Number of the next line that will be written, and of the oldest one that is kept.
  uint64_t end() const { return first_ + lines_.size(); }
  uint64_t begin() const { return first_; }

  struct Query {
    uint64_t from = 0;              // line number
    std::optional<int64_t> tail;    // at most the last so many lines
    std::optional<WallTime> since;  // lines written at or after it
    bool timestamps = false;        // RFC 3339 with nanoseconds before each line
  };
  // The text of the lines that the query asks for, each with a newline.
  std::string Read(const Query& query) const;

 private:
  struct Line {
    WallTime wall;
    std::string text;
  };
  std::deque<Line> lines_;
  uint64_t first_ = 0;
  size_t bytes_ = 0;
};

// "2026-11-23T18:13:22.000000001Z".
std::string FormatWallTime(WallTime wall);

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_LOG_BUFFER_H_
