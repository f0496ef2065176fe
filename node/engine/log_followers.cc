#include "node/engine/log_followers.h"

#include <algorithm>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

void Answer(const std::string& to, uint64_t request, uint32_t code, std::string error,
            std::string data, bool last, Env& env) {
  bus::LogResponse response;
  response.set_request(request);
  response.set_code(code);
  response.set_error(std::move(error));
  response.set_data(std::move(data));
  response.set_last(last);
  env.outbox.Send(to, std::move(response));
}

}  // namespace

void LogFollowers::Receive(const Message& message, Sandboxes& sandboxes, Env& env) {
  const auto& request = message.As<bus::LogRequest>();
  const std::pair<std::string, uint64_t> key{message.from, request.request()};
  if (request.cancel()) {
    followers_.erase(key);
    return;
  }
  Sandbox* const sandbox = sandboxes.FindByName(request.namespace_(), request.pod());
  const Container* container = sandbox == nullptr ? nullptr
                                                  : sandboxes.Newest(*sandbox, request.container(),
                                                                     request.previous() ? 1 : 0);
  if (container == nullptr) {
    return Answer(message.from, request.request(), 400,
                  StrCat(request.previous() ? "previous terminated container \"" : "container \"",
                         request.container(), "\" in pod \"", request.pod(), "\" not found"),
                  "", true, env);
  }
  LogBuffer::Query query;
  query.timestamps = request.timestamps();
  if (request.has_tail_lines()) query.tail = request.tail_lines();
  if (request.has_since_seconds()) {
    // Further back than any log reaches is as good as always.
    constexpr int64_t kLongest = int64_t{100} * 365 * 86400;
    query.since =
        env.wall - std::chrono::seconds(std::clamp<int64_t>(request.since_seconds(), 0, kLongest));
  }
  const bool follow = request.follow() && container->state != Container::State::kExited &&
                      followers_.size() < kFollowersMax;
  Answer(message.from, request.request(), 200, "", container->log.Read(query), !follow, env);
  if (!follow) return;
  followers_[key] =
      Follower{container->id, container->log.end(), request.timestamps(), env.outbox.cause()};
}

void LogFollowers::Pump(Sandboxes& sandboxes, Env& env) {
  for (auto it = followers_.begin(); it != followers_.end();) {
    const auto current = it++;
    Follower& follower = current->second;
    const Container* const container = sandboxes.Get(follower.container);
    const bool last = container == nullptr || container->state == Container::State::kExited;
    const bool more = container != nullptr && container->log.end() > follower.next_line;
    if (!last && !more) continue;
    std::string data;
    if (more) {
      data = container->log.Read({.from = follower.next_line, .timestamps = follower.timestamps});
      follower.next_line = container->log.end();
    }
    const Trace cause = env.outbox.cause();
    env.outbox.Because(follower.trace);
    Answer(current->first.first, current->first.second, 200, "", std::move(data), last, env);
    env.outbox.Because(cause);
    if (last) followers_.erase(current);
  }
}

}  // namespace kubemu
