#ifndef KUBEMU_LAB_OBSERVE_MESSAGE_LOG_H_
#define KUBEMU_LAB_OBSERVE_MESSAGE_LOG_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/time.h"
#include "messages/proto/journal.pb.h"

namespace kubemu {

// One message of a cluster, put together from the journals of its sender and its receiver.
struct SeenMessage {
  uint64_t id = 0;
  uint64_t trace_id = 0;
  uint64_t cause = 0;
  uint64_t lamport = 0;
  std::string from;
  std::string to;
  std::string kind;  // "WatchEvent"
  std::string what;
  uint64_t revision = 0;
  uint64_t flow = 0;
  uint32_t bytes = 0;
  WallTime sent{};          // when it left, or was handed over inside a process
  WallTime received{};      // zero: the receiver's journal does not (yet) have it
  bool sent_known = false;  // `sent` is the sender's word, not the receiver's for want of it
  std::string lost;         // why it was lost; "" if it was not
  bool background = false;  // heartbeats and the like: see IsBackground in the .cc file

  bool between_processes() const { return received != WallTime{}; }
};

// The messages of a whole cluster in one order: by the senders' clocks, but never before their
// cause (clocks of several machines differ).
class MessageLog {
 public:
  // Adds records of one process's journal. May be called again with others, in any order.
  void Add(const std::vector<bus::JournalRecord>& records);

  // All messages, ordered. Valid until the next Add.
  const std::vector<SeenMessage*>& Ordered();
  const SeenMessage* Find(uint64_t id) const;
  // Records that a journal could not write, as far as its records were added.
  uint64_t gaps() const { return gaps_; }
  size_t size() const { return messages_.size(); }

 private:
  void MarkBackground();

  std::map<uint64_t, SeenMessage> messages_;
  std::vector<SeenMessage*> ordered_;
  bool sorted_ = false;
  uint64_t gaps_ = 0;
};

// Which messages to show. Empty strings match everything.
struct MessageFilter {
  std::string from;  // address or a prefix of it: "node-2", "node-2/kubelet"
  std::string to;
  std::string either;  // from or to
  std::string kind;    // "FlowOpen"
  std::string text;    // in `what`
  uint64_t trace_id = 0;
  bool background = false;  // heartbeats, bookmarks and health checks too
  bool lost_only = false;

  bool Matches(const SeenMessage& message) const;
};

// One line for a terminal: time, sender, receiver, kind, what. `color`: with ANSI colours.
std::string FormatLine(const SeenMessage& message, bool color);
// One JSON object, one line.
std::string FormatJson(const SeenMessage& message);
// A trace id as people write it: 16 hexadecimal digits.
std::string FormatTraceId(uint64_t trace_id);

}  // namespace kubemu

#endif  // KUBEMU_LAB_OBSERVE_MESSAGE_LOG_H_
