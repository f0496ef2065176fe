#include "lab/observe/message_log.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <ctime>
#include <set>

#include "messages/core/strings.h"
#include "messages/message.h"

namespace kubemu {
namespace {

bool AddressMatches(const std::string& pattern, const std::string& address) {
  if (pattern.empty()) return true;
  return address.starts_with(pattern) && (address.size() == pattern.size() ||
                                          address[pattern.size()] == '/' || pattern.back() == '/');
}

// Messages that begin a trace nobody asked for: what runs on a timer.
bool BeginsBackground(const SeenMessage& message) {
  return message.from == "lb/health" || message.kind == "HealthCheck" ||
         message.kind == "WatchRequest" || message.kind == "LinkUp" || message.kind == "LinkDown" ||
         message.kind == "Hello" || message.kind == "PeerEndpoint" ||
         message.kind == "EngineStatusRequest" || message.kind == "StoreCompact" ||
         message.what.starts_with("BOOKMARK") ||
         message.what.find(" leases kube-node-lease/") != std::string::npos;
}

std::string ClockTime(WallTime wall) {
  const auto since = wall.time_since_epoch();
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
  const long micros =
      std::chrono::duration_cast<std::chrono::microseconds>(since).count() % 1'000'000;
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%06ld", local.tm_hour, local.tm_min,
                local.tm_sec, micros);
  return text;
}

// A message that a fault doubled was sent when the first one was.
void SetSent(bus::JournalRecord::Event event, WallTime wall, SeenMessage* message) {
  const bool by_sender =
      event == bus::JournalRecord::SENT || event == bus::JournalRecord::DELIVERED;
  if (message->sent_known && !by_sender) return;
  const bool better = by_sender && !message->sent_known;
  if (better || message->sent == WallTime{} || wall < message->sent) message->sent = wall;
  message->sent_known = message->sent_known || by_sender;
}

}  // namespace

void MessageLog::Add(const std::vector<bus::JournalRecord>& records) {
  sorted_ = false;
  for (const bus::JournalRecord& record : records) {
    if (record.event() == bus::JournalRecord::GAP) gaps_ += record.lamport();
    if (record.event() == bus::JournalRecord::GAP || record.event() == bus::JournalRecord::START) {
      continue;
    }
    SeenMessage& message = messages_[record.id()];
    const WallTime wall{Duration(record.wall_ns())};
    if (record.event() == bus::JournalRecord::RECEIVED) message.received = wall;
    if (record.event() == bus::JournalRecord::LOST) message.lost = record.reason();
    SetSent(record.event(), wall, &message);
    if (message.id != 0 && record.event() == bus::JournalRecord::RECEIVED) continue;
    message.id = record.id();
    message.trace_id = record.trace_id();
    message.cause = record.cause();
    message.lamport = record.lamport();
    message.from = record.from();
    message.to = record.to();
    message.kind = std::string(MessageKindName(record.kind()));
    message.what = record.what();
    message.revision = record.revision();
    message.flow = record.flow();
    message.bytes = record.bytes();
  }
}

const std::vector<SeenMessage*>& MessageLog::Ordered() {
  if (sorted_) return ordered_;
  ordered_.clear();
  for (auto& [id, message] : messages_) ordered_.push_back(&message);
  // Causes have smaller Lamport times: one pass in that order keeps every effect behind its cause.
  std::sort(ordered_.begin(), ordered_.end(), [](const SeenMessage* a, const SeenMessage* b) {
    return std::pair(a->lamport, a->id) < std::pair(b->lamport, b->id);
  });
  for (SeenMessage* message : ordered_) {
    const SeenMessage* cause = Find(message->cause);
    if (cause != nullptr && message->sent < cause->sent) message->sent = cause->sent;
  }
  std::stable_sort(ordered_.begin(), ordered_.end(),
                   [](const SeenMessage* a, const SeenMessage* b) { return a->sent < b->sent; });
  MarkBackground();
  sorted_ = true;
  return ordered_;
}

void MessageLog::MarkBackground() {
  std::set<uint64_t> traces;
  for (const SeenMessage* message : ordered_) {
    const bool root = message->cause == 0 || !messages_.contains(message->cause);
    if (root && BeginsBackground(*message)) traces.insert(message->trace_id);
  }
  for (SeenMessage* message : ordered_) {
    message->background = traces.contains(message->trace_id) || BeginsBackground(*message);
  }
}

const SeenMessage* MessageLog::Find(uint64_t id) const {
  const auto it = messages_.find(id);
  return it == messages_.end() ? nullptr : &it->second;
}

bool MessageFilter::Matches(const SeenMessage& message) const {
  if (message.background && !background && trace_id == 0) return false;
  if (lost_only && message.lost.empty()) return false;
  if (trace_id != 0 && message.trace_id != trace_id) return false;
  if (!kind.empty() && AsciiLower(kind) != AsciiLower(message.kind)) return false;
  if (!text.empty() && message.what.find(text) == std::string::npos) return false;
  if (!either.empty() && !AddressMatches(either, message.from) &&
      !AddressMatches(either, message.to)) {
    return false;
  }
  return AddressMatches(from, message.from) && AddressMatches(to, message.to);
}

std::string FormatTraceId(uint64_t trace_id) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(trace_id));
  return text;
}

std::string FormatLine(const SeenMessage& message, bool color) {
  const auto paint = [color](const char* code, const std::string& text) {
    return color ? StrCat("\x1b[", code, "m", text, "\x1b[0m") : text;
  };
  std::string line = StrCat(ClockTime(message.sent), "  ", paint("36", message.from), " -> ",
                            paint("36", message.to), "  ", paint("1", message.kind));
  if (!message.what.empty()) StrAppend(&line, "  ", message.what);
  if (message.flow != 0) StrAppend(&line, "  flow ", message.flow);
  if (message.bytes != 0) StrAppend(&line, "  ", message.bytes, " B");
  if (message.received > message.sent) {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(message.received - message.sent);
    StrAppend(&line, "  +", micros.count(), "us");
  }
  if (!message.lost.empty()) line += paint("31", StrCat("  LOST: ", message.lost));
  return line;
}

std::string FormatJson(const SeenMessage& message) {
  boost::json::object json;
  json["time_ns"] = message.sent.time_since_epoch().count();
  if (message.between_processes()) {
    json["received_ns"] = message.received.time_since_epoch().count();
  }
  json["id"] = FormatTraceId(message.id);
  json["trace"] = FormatTraceId(message.trace_id);
  if (message.cause != 0) json["cause"] = FormatTraceId(message.cause);
  json["lamport"] = message.lamport;
  json["from"] = message.from;
  json["to"] = message.to;
  json["kind"] = message.kind;
  if (!message.what.empty()) json["what"] = message.what;
  if (message.revision != 0) json["revision"] = message.revision;
  if (message.flow != 0) json["flow"] = message.flow;
  if (message.bytes != 0) json["bytes"] = message.bytes;
  if (!message.lost.empty()) json["lost"] = message.lost;
  return boost::json::serialize(json);
}

}  // namespace kubemu
