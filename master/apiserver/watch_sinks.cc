#include "master/apiserver/watch_sinks.h"

#include "master/apiserver/http/encode.h"

namespace kubemu {

bus::WatchEvent BusSink::Next(bus::WatchEvent::Type type, uint64_t revision) {
  bus::WatchEvent event;
  event.set_stream(stream_);
  event.set_generation(generation_);
  event.set_sequence(++sequence_);
  event.set_type(type);
  event.set_revision(revision);
  return event;
}

void BusSink::Event(bus::WatchEvent::Type type, const Object& object, uint64_t revision, Env& env) {
  env.outbox.Because(object.trace());
  env.outbox.Send(watcher_, Next(type, revision), {object});
}

void BusSink::Bookmark(uint64_t revision, Env& env) {
  env.outbox.Because(Trace{});
  env.outbox.Send(watcher_, Next(bus::WatchEvent::BOOKMARK, revision));
}

void BusSink::Synced(uint64_t revision, Env& env) {
  env.outbox.Because(Trace{});
  env.outbox.Send(watcher_, Next(bus::WatchEvent::SYNCED, revision));
}

void BusSink::End(const ApiStatus* error, Env& env) {
  bus::WatchEvent event = Next(bus::WatchEvent::ERROR, 0);
  if (error != nullptr) {
    event.set_code(static_cast<uint32_t>(error->code()));
    event.set_message(error->message());
  }
  env.outbox.Because(Trace{});
  env.outbox.Send(watcher_, std::move(event));
}

void HttpSink::Open(Env& env) {
  bus::HttpResponse response = PlainResponse(request_, 200, "application/json", "");
  response.set_last(false);
  env.outbox.Send(client_, std::move(response));
}

void HttpSink::Write(std::string text, bool last, Env& env) {
  bus::HttpResponse response;
  response.set_request(request_);
  response.set_body(std::move(text));
  response.set_last(last);
  env.outbox.Send(client_, std::move(response));
}

void HttpSink::Event(bus::WatchEvent::Type type, const Object& object, uint64_t, Env& env) {
  env.outbox.Because(object.trace());
  Write(WatchLine(bus::WatchEvent::Type_Name(type), object, format_, env.wall), false, env);
}

void HttpSink::Bookmark(uint64_t revision, Env& env) {
  Write(BookmarkLine(*kind_, revision, false, format_), false, env);
}

void HttpSink::Synced(uint64_t revision, Env& env) {
  if (initial_events_end_) Write(BookmarkLine(*kind_, revision, true, format_), false, env);
}

void HttpSink::End(const ApiStatus* error, Env& env) {
  Write(error == nullptr ? "" : ErrorLine(*error), true, env);
}

}  // namespace kubemu
