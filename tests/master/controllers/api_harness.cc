#include "tests/master/controllers/api_harness.h"

#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

constexpr int kStepsMax = 200'000;

bus::ApiResponse Refusal(uint32_t code, const std::string& reason) {
  bus::ApiResponse response;
  response.set_code(code);
  response.set_reason(reason);
  return response;
}

}  // namespace

template <class T>
void ApiHarness::Send(T body, std::vector<Object> objects) {
  Message message;
  message.from = "master/apiserver";
  message.kind = MessageKindOf<T>();
  message.body = std::make_shared<const T>(std::move(body));
  message.objects = std::move(objects);
  (message.kind == bus::WATCH_EVENT ? events_ : answers_).push_back(std::move(message));
}

void ApiHarness::Put(const Object& object) {
  const Object before = Find(object.kind(), object.key());
  const Object stored = Stored(object, ++revision_, before);
  objects_[object.kind().id][object.key()] = stored;
  Emit(object.kind(), before ? bus::WatchEvent::MODIFIED : bus::WatchEvent::ADDED, stored);
}

void ApiHarness::Remove(const Kind& kind, const std::string& key) {
  const Object before = Find(kind, key);
  if (!before) return;
  objects_[kind.id].erase(key);
  Emit(kind, bus::WatchEvent::DELETED, Stored(before, ++revision_, before));
}

Object ApiHarness::Find(const Kind& kind, const std::string& key) const {
  const auto of_kind = objects_.find(kind.id);
  if (of_kind == objects_.end()) return Object();
  const auto it = of_kind->second.find(key);
  return it == of_kind->second.end() ? Object() : it->second;
}

std::vector<Object> ApiHarness::All(const Kind& kind) const {
  std::vector<Object> result;
  const auto of_kind = objects_.find(kind.id);
  if (of_kind == objects_.end()) return result;
  for (const auto& [key, object] : of_kind->second) result.push_back(object);
  return result;
}

Object ApiHarness::Stored(const Object& object, uint64_t revision, const Object& before) {
  std::unique_ptr<google::protobuf::Message> copy(object.message().New());
  copy->CopyFrom(object.message());
  k8s::meta::v1::ObjectMeta* meta = MutableMetaOf(copy.get());
  meta->set_resource_version(StrCat(revision));
  if (before) meta->set_uid(before.meta().uid());
  if (meta->uid().empty()) meta->set_uid(StrCat("uid-", ++uids_));
  return Object::Of(std::move(copy));
}

void ApiHarness::Emit(const Kind& kind, bus::WatchEvent::Type type, const Object& object) {
  for (const auto& [id, stream] : streams_) {
    if (stream.kind == &kind) SendEvent(id, type, object);
  }
}

void ApiHarness::SendEvent(uint64_t id, bus::WatchEvent::Type type, const Object& object) {
  Stream& stream = streams_[id];
  bus::WatchEvent event;
  event.set_stream(id);
  event.set_generation(stream.generation);
  event.set_sequence(++stream.sequence);
  event.set_type(type);
  event.set_revision(object ? object.revision() : revision_);
  Send(std::move(event), object ? std::vector<Object>{object} : std::vector<Object>{});
}

void ApiHarness::Handle(const Message& message) {
  if (message.kind == bus::WATCH_REQUEST) {
    const auto& request = message.As<bus::WatchRequest>();
    const Kind* kind = KindById(static_cast<int>(request.kind()));
    streams_[request.stream()] = Stream{request.generation(), 0, kind};
    for (const Object& object : All(*kind)) {
      SendEvent(request.stream(), bus::WatchEvent::ADDED, object);
    }
    SendEvent(request.stream(), bus::WatchEvent::SYNCED, Object());
  } else if (message.kind == bus::API_REQUEST) {
    HandleRequest(message);
  }
}

void ApiHarness::HandleRequest(const Message& message) {
  const auto& request = message.As<bus::ApiRequest>();
  const Kind* kind = KindById(static_cast<int>(request.kind()));
  if (kind == &KindOf<k8s::core::v1::Event>() && !message.objects.empty()) {
    const auto& event = message.objects[0].As<k8s::core::v1::Event>();
    recorded_.push_back(StrCat(event.type(), " ", event.reason(), " ", event.message()));
    return;
  }
  const std::string name = message.objects.empty() || !request.name().empty()
                               ? request.name()
                               : message.objects[0].meta().name();
  log_.push_back(StrCat(bus::Verb_Name(request.verb()), " ", kind->plural, " ",
                        ObjectKey(request.namespace_(), name),
                        request.subresource().empty() ? "" : "/", request.subresource()));
  std::vector<Object> answer;
  const int refused = refuse ? refuse(request) : 0;
  bus::ApiResponse response = refused != 0 ? Refusal(static_cast<uint32_t>(refused), "Refused")
                                           : Execute(request, message, &answer);
  response.set_request(request.request());
  Send(std::move(response), std::move(answer));
}

bus::ApiResponse ApiHarness::Execute(const bus::ApiRequest& request, const Message& message,
                                     std::vector<Object>* answer) {
  const Kind& kind = *KindById(static_cast<int>(request.kind()));
  bus::ApiResponse ok;
  ok.set_code(200);
  if (request.verb() == bus::CREATE || request.verb() == bus::UPDATE) {
    return Write(request, message.objects.at(0), answer);
  }
  if (request.verb() == bus::LIST) {
    List(request, answer);
    return ok;
  }
  const Object current = Find(kind, ObjectKey(request.namespace_(), request.name()));
  if (!current) return Refusal(404, "NotFound");
  answer->push_back(current);
  if (request.verb() == bus::PATCH) patches_.push_back(request);
  if (request.verb() != bus::DELETE) return ok;
  if (!request.precondition_uid().empty() && request.precondition_uid() != current.meta().uid()) {
    return Refusal(409, "Conflict");
  }
  Remove(kind, current.key());
  return ok;
}

void ApiHarness::List(const bus::ApiRequest& request, std::vector<Object>* answer) const {
  for (const Object& object : All(*KindById(static_cast<int>(request.kind())))) {
    if (!request.namespace_().empty() && object.meta().namespace_() != request.namespace_()) {
      continue;
    }
    answer->push_back(object);
    if (request.limit() > 0 && answer->size() == static_cast<size_t>(request.limit())) return;
  }
}

bus::ApiResponse ApiHarness::Write(const bus::ApiRequest& request, const Object& object,
                                   std::vector<Object>* answer) {
  Object written = object;
  if (request.verb() == bus::CREATE && object.meta().name().empty()) {
    std::unique_ptr<google::protobuf::Message> copy(object.message().New());
    copy->CopyFrom(object.message());
    k8s::meta::v1::ObjectMeta* meta = MutableMetaOf(copy.get());
    meta->set_name(StrCat(meta->generate_name(), ++names_));
    written = Object::Of(std::move(copy));
  }
  const Object current = Find(written.kind(), written.key());
  if (request.verb() == bus::CREATE && current) return Refusal(409, "AlreadyExists");
  if (request.verb() == bus::UPDATE) {
    if (!current) return Refusal(404, "NotFound");
    const std::string& version = object.meta().resource_version();
    if (!version.empty() && version != current.meta().resource_version()) {
      return Refusal(409, "Conflict");
    }
  }
  Put(written);
  answer->push_back(Find(written.kind(), written.key()));
  bus::ApiResponse ok;
  ok.set_code(200);
  return ok;
}

bool ApiHarness::StepOnce() {
  const Message* next = nullptr;
  std::deque<Message>* from = nullptr;
  if (deliver_events && !events_.empty()) {
    from = &events_;
  } else if (!answers_.empty()) {
    from = &answers_;
  }
  Message message;
  if (from != nullptr) {
    message = std::move(from->front());
    from->pop_front();
    next = &message;
  } else if (controller_->NextWake() > now_) {
    return false;
  }
  Outbox outbox("master/controllers/test", next == nullptr ? Trace{} : message.Context());
  Env env{now_, WallTime(now_.time_since_epoch()), random_, outbox};
  if (next == nullptr) {
    controller_->Tick(env);
    KUBEMU_CHECK(controller_->NextWake() > now_);
  } else {
    controller_->Receive(message, env);
  }
  for (const Message& sent : outbox.messages()) Handle(sent);
  return true;
}

void ApiHarness::Settle() {
  int steps = 0;
  while (StepOnce()) KUBEMU_CHECK(++steps < kStepsMax);
}

void ApiHarness::Advance(Duration duration) {
  const Time end = now_ + duration;
  Settle();
  while (controller_->NextWake() <= end) {
    now_ = std::max(now_, controller_->NextWake());
    Settle();
  }
  now_ = end;
}

std::vector<std::string> ApiHarness::TakeLog() {
  return std::exchange(log_, {});
}

std::vector<std::string> ApiHarness::TakeEvents() {
  return std::exchange(recorded_, {});
}

}  // namespace kubemu
