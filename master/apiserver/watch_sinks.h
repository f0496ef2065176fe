#ifndef KUBEMU_MASTER_APISERVER_WATCH_SINKS_H_
#define KUBEMU_MASTER_APISERVER_WATCH_SINKS_H_

#include <string>
#include <utility>

#include "master/apiserver/http/media_type.h"
#include "master/apiserver/watches.h"

namespace kubemu {

// A stream of WatchEvent messages to a part.
class BusSink : public WatchSink {
 public:
  BusSink(std::string watcher, uint64_t stream, uint64_t generation)
      : watcher_(std::move(watcher)), stream_(stream), generation_(generation) {}

  void Event(bus::WatchEvent::Type type, const Object& object, uint64_t revision,
             Env& env) override;
  void Bookmark(uint64_t revision, Env& env) override;
  void Synced(uint64_t revision, Env& env) override;
  void End(const ApiStatus* error, Env& env) override;

 private:
  bus::WatchEvent Next(bus::WatchEvent::Type type, uint64_t revision);

  const std::string watcher_;
  const uint64_t stream_;
  const uint64_t generation_;
  uint64_t sequence_ = 0;
};

// The chunks of an HTTP answer, one JSON line for each event.
class HttpSink : public WatchSink {
 public:
  // `initial_events_end`: the client wants to be told of the end of the initial events.
  HttpSink(std::string client, uint64_t request, const Kind* kind, AnswerFormat format,
           bool initial_events_end)
      : client_(std::move(client)),
        request_(request),
        kind_(kind),
        format_(std::move(format)),
        initial_events_end_(initial_events_end) {}

  // Sends status and headers.
  void Open(Env& env);

  void Event(bus::WatchEvent::Type type, const Object& object, uint64_t revision,
             Env& env) override;
  void Bookmark(uint64_t revision, Env& env) override;
  void Synced(uint64_t revision, Env& env) override;
  void End(const ApiStatus* error, Env& env) override;

 private:
  void Write(std::string text, bool last, Env& env);

  const std::string client_;
  const uint64_t request_;
  const Kind* const kind_;
  const AnswerFormat format_;
  const bool initial_events_end_;
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_WATCH_SINKS_H_
