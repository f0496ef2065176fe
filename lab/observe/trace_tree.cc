#include "lab/observe/trace_tree.h"

#include <cstdio>
#include <map>
#include <set>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

bool IsOutside(const std::string& address) {
  return address.starts_with("client/") || address.starts_with("internet/");
}

bool IsWrite(const std::string& what) {
  for (const char* verb : {"POST ", "PATCH ", "PUT ", "DELETE "}) {
    if (what.starts_with(verb)) return true;
  }
  return false;
}

// Messages that change something by themselves: a trace is read for these.
bool IsEffect(const SeenMessage& message) {
  if (message.kind == "ApiRequest") {
    return !message.what.starts_with("GET ") && !message.what.starts_with("LIST ") &&
           message.what.find(" events ") == std::string::npos;
  }
  return message.kind == "HttpRequest" || message.kind == "IptablesRestore" ||
         message.kind == "IptablesRestored" || message.kind == "Listen" ||
         message.kind == "StartContainer" || message.kind == "RunPodSandbox" ||
         message.kind == "StopContainer" || message.kind == "StopPodSandbox" ||
         message.kind == "FlowOpen" || message.kind == "EngineEvent" || !message.lost.empty() ||
         (message.kind == "HttpResponse" && IsOutside(message.to));
}

class Printer {
 public:
  Printer(const std::vector<const SeenMessage*>& messages, const TraceTreeOptions& options)
      : options_(options) {
    std::set<uint64_t> ids;
    for (const SeenMessage* message : messages) ids.insert(message->id);
    for (const SeenMessage* message : messages) {
      const uint64_t parent = ids.contains(message->cause) ? message->cause : 0;
      children_[parent].push_back(message);
    }
    if (!messages.empty()) start_ = messages.front()->sent;
  }

  std::vector<std::string> Print() {
    // Iterative: a trace may be deeper than the stack.
    struct Open {
      const SeenMessage* message;
      size_t depth;
    };
    std::vector<Open> open;
    const auto push_children = [&](uint64_t id, size_t depth) {
      const auto it = children_.find(id);
      if (it == children_.end()) return;
      for (auto child = it->second.rbegin(); child != it->second.rend(); ++child) {
        open.push_back({*child, depth});
      }
    };
    MarkKept();
    push_children(0, 0);
    std::vector<std::string> lines;
    while (!open.empty()) {
      const Open next = open.back();
      open.pop_back();
      const bool shown = options_.full || kept_.contains(next.message->id);
      if (shown) lines.push_back(Line(*next.message, next.depth));
      push_children(next.message->id, next.depth + (shown ? 1 : 0));
    }
    return lines;
  }

 private:
  // Keeps every effect, and every message on the way from the root to one, but for answers and
  // the store's, which say nothing that the next message does not.
  void MarkKept() {
    std::map<uint64_t, const SeenMessage*> by_id;
    for (const auto& [parent, children] : children_) {
      for (const SeenMessage* child : children) by_id[child->id] = child;
    }
    for (const auto& [id, message] : by_id) {
      if (!IsEffect(*message)) continue;
      for (const SeenMessage* at = message; at != nullptr;) {
        const bool noise = at->kind == "ApiResponse" || at->kind.starts_with("Store");
        if (!noise && !kept_.insert(at->id).second && at != message) break;
        const auto cause = by_id.find(at->cause);
        at = cause == by_id.end() ? nullptr : cause->second;
      }
    }
  }

  std::string Line(const SeenMessage& message, size_t depth) const {
    const double ms = std::chrono::duration<double, std::milli>(message.sent - start_).count();
    char time[24];
    std::snprintf(time, sizeof time, "%9.3f ms  ", ms);
    std::string line = time;
    line.append(2 * depth, ' ');
    const std::string kind =
        options_.color ? StrCat("\x1b[1m", message.kind, "\x1b[0m") : message.kind;
    StrAppend(&line, message.from, " -> ", message.to, "  ", kind);
    if (!message.what.empty()) StrAppend(&line, "  ", message.what);
    if (!message.lost.empty()) StrAppend(&line, "  LOST: ", message.lost);
    return line;
  }

  const TraceTreeOptions options_;
  std::map<uint64_t, std::vector<const SeenMessage*>> children_;
  std::set<uint64_t> kept_;
  WallTime start_{};
};

}  // namespace

std::optional<uint64_t> FindTrace(MessageLog& log, const std::string& which) {
  const auto& messages = log.Ordered();
  for (auto it = messages.rbegin(); it != messages.rend(); ++it) {
    const SeenMessage& message = **it;
    if (which == "last" && IsOutside(message.from) && !message.background) return message.trace_id;
    if (which == "last-apply" && message.kind == "HttpRequest" && IsWrite(message.what) &&
        message.what.find("fieldManager=kubectl-client-side-apply") != std::string::npos) {
      return message.trace_id;
    }
    if (FormatTraceId(message.trace_id) == which) return message.trace_id;
  }
  return std::nullopt;
}

std::vector<std::string> TraceTree(MessageLog& log, uint64_t trace_id,
                                   const TraceTreeOptions& options) {
  std::vector<const SeenMessage*> messages;
  for (const SeenMessage* message : log.Ordered()) {
    if (message->trace_id == trace_id) messages.push_back(message);
  }
  return Printer(messages, options).Print();
}

}  // namespace kubemu
