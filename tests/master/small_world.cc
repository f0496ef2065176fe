#include "tests/master/small_world.h"

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/apps.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using ProtoMessage = google::protobuf::Message;
using k8s::core::v1::Pod;

std::unique_ptr<ProtoMessage> CopyOf(const Object& object) {
  std::unique_ptr<ProtoMessage> copy(object.message().New());
  copy->CopyFrom(object.message());
  return copy;
}

// The part "spec" or "status" of a kind that has it.
void CopyPart(const char* name, const ProtoMessage& from, ProtoMessage* to) {
  const auto* field = from.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr) return;
  if (!from.GetReflection()->HasField(from, field)) {
    to->GetReflection()->ClearField(to, field);
  } else {
    to->GetReflection()->MutableMessage(to, field)->CopyFrom(
        from.GetReflection()->GetMessage(from, field));
  }
}

std::string PartOf(const char* name, const ProtoMessage& from) {
  const auto* field = from.GetDescriptor()->FindFieldByName(name);
  return field == nullptr ? "" : from.GetReflection()->GetMessage(from, field).SerializeAsString();
}

bool Is(const Object& object, const char* kind) {
  return object.kind().kind == kind;
}

}  // namespace

void SmallWorld::AddPart(const std::string& address, Component* part) {
  parts_.emplace(address, Part{part, random_.Fork(address)});
}

void SmallWorld::Step(const std::string& address, const Message* message) {
  Part& part = parts_.at(address);
  Outbox outbox(address, message == nullptr ? Trace{} : message->Context());
  Env env{now_, wall(), part.random, outbox};
  if (message != nullptr) {
    part.component->Receive(*message, env);
  } else {
    part.component->Tick(env);
  }
  for (Message& out : outbox.messages()) {
    out.id = next_id_++;
    if (out.trace.trace_id == 0) out.trace.trace_id = out.id;
    queue_.push_back(std::move(out));
  }
}

bool SmallWorld::Turn() {
  bool worked = false;
  while (!queue_.empty()) {
    worked = true;
    const Message message = std::move(queue_.front());
    queue_.pop_front();
    if (message.to == "master/apiserver") {
      Handle(message);
    } else {
      Step(message.to, &message);
    }
  }
  for (auto& [address, part] : parts_) {
    if (part.component->NextWake() > now_) continue;
    worked = true;
    Step(address, nullptr);
  }
  return worked;
}

Time SmallWorld::NextWake() const {
  Time wake = pod_duties_.empty() ? kNever : pod_duties_.begin()->first;
  for (const auto& [address, part] : parts_) wake = std::min(wake, part.component->NextWake());
  return wake;
}

void SmallWorld::Run(Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool SmallWorld::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  for (;;) {
    while (Turn()) {
    }
    if (done()) return true;
    const Time next = NextWake();
    if (next > end) break;
    now_ = std::max(now_, next);
    DoPodDuties();
  }
  now_ = end;
  return done();
}

Object SmallWorld::Find(const Kind& kind, const std::string& key) {
  const auto at = objects_[&kind].find(key);
  return at == objects_[&kind].end() ? Object() : at->second;
}

int SmallWorld::writes(const Kind& kind) const {
  const auto at = writes_.find(&kind);
  return at == writes_.end() ? 0 : at->second;
}

std::vector<std::string> SmallWorld::EventMessages(const std::string& reason) const {
  std::vector<std::string> messages;
  const auto at = objects_.find(&KindOf<k8s::core::v1::Event>());
  if (at == objects_.end()) return messages;
  std::map<uint64_t, std::string> by_age;
  for (const auto& [key, object] : at->second) {
    const auto& event = object.As<k8s::core::v1::Event>();
    if (event.reason() == reason) by_age[object.revision()] = event.message();
  }
  for (auto& [revision, message] : by_age) messages.push_back(message);
  return messages;
}

void SmallWorld::Apply(Object object) {
  if (Find(object.kind(), object.key())) {
    Replace(object);
  } else {
    Create(object);
  }
}

void SmallWorld::Handle(const Message& message) {
  if (message.kind == bus::WATCH_REQUEST) Watch(message);
  if (message.kind == bus::API_REQUEST) Call(message);
}

void SmallWorld::Watch(const Message& message) {
  const auto& request = message.As<bus::WatchRequest>();
  std::erase_if(watchers_, [&](const Watcher& watcher) {
    return watcher.address == message.from && watcher.request.stream() == request.stream();
  });
  Watcher& watcher = watchers_.emplace_back(Watcher{message.from, request, 0});
  // Whoever resumes gets all there is again: the cache knows what it has.
  for (const auto& [key, object] : objects_[KindById(static_cast<int>(request.kind()))]) {
    SendEvent(watcher, bus::WatchEvent::ADDED, {object});
  }
  SendEvent(watcher, bus::WatchEvent::SYNCED, {});
}

void SmallWorld::SendEvent(Watcher& watcher, bus::WatchEvent::Type type,
                           std::vector<Object> objects) {
  bus::WatchEvent event;
  event.set_type(type);
  event.set_stream(watcher.request.stream());
  event.set_generation(watcher.request.generation());
  event.set_sequence(++watcher.sequence);
  event.set_revision(revision_);
  Outbox outbox("master/apiserver", objects.empty() ? Trace{} : objects[0].trace());
  outbox.Send(watcher.address, std::move(event), std::move(objects));
  outbox.messages()[0].id = next_id_++;
  queue_.push_back(std::move(outbox.messages()[0]));
}

void SmallWorld::Tell(const Kind& kind, const Object& object, bus::WatchEvent::Type type) {
  ++writes_[&kind];
  for (Watcher& watcher : watchers_) {
    if (KindById(static_cast<int>(watcher.request.kind())) == &kind) {
      SendEvent(watcher, type, {object});
    }
  }
  after_write();
}

void SmallWorld::Call(const Message& message) {
  const auto& request = message.As<bus::ApiRequest>();
  bus::ApiResponse response;
  Object written;
  const auto [code, reason] = refuse(request);
  if (code != 0) {
    response.set_code(code);
    response.set_reason(reason);
    response.set_message("refused by the test");
  } else {
    response = Do(request, message.objects.empty() ? Object() : message.objects[0], &written);
  }
  if (loses_answer()) return;
  response.set_request(request.request());
  Outbox outbox("master/apiserver", message.Context());
  outbox.Send(message.from, std::move(response),
              written ? std::vector<Object>{written} : std::vector<Object>());
  outbox.messages()[0].id = next_id_++;
  queue_.push_back(std::move(outbox.messages()[0]));
}

bus::ApiResponse SmallWorld::Do(const bus::ApiRequest& request, const Object& object,
                                Object* written) {
  const auto answer = [](uint32_t code, const char* reason) {
    bus::ApiResponse response;
    response.set_code(code);
    response.set_reason(reason);
    return response;
  };
  const Kind& kind = *KindById(static_cast<int>(request.kind()));
  const std::string key = object ? object.key() : ObjectKey(request.namespace_(), request.name());
  const Object old = Find(kind, key);
  if (request.verb() == bus::CREATE && request.subresource().empty()) {
    if (old) return answer(409, "AlreadyExists");
    *written = Create(object);
    return answer(201, "");
  }
  if (!old) return answer(404, "NotFound");
  const std::string& version = object ? object.meta().resource_version() : "";
  if (!version.empty() && version != old.meta().resource_version()) return answer(409, "Conflict");
  if (request.subresource() == "binding") {
    if (!old.As<Pod>().spec().node_name().empty()) return answer(409, "Conflict");
    Pod pod = old.As<Pod>();
    pod.mutable_spec()->set_node_name(object.As<Pod>().spec().node_name());
    *written = Write(std::make_unique<Pod>(std::move(pod)));
    return answer(201, "");
  }
  if (request.verb() == bus::DELETE) {
    if (!request.precondition_uid().empty() && request.precondition_uid() != old.meta().uid()) {
      return answer(409, "Conflict");
    }
    *written = Remove(kind, key, false);
  } else {
    *written = request.subresource() == "status" ? WriteStatus(object) : Replace(object);
  }
  return answer(200, "");
}

Object SmallWorld::Create(const Object& object) {
  std::unique_ptr<ProtoMessage> copy = CopyOf(object);
  auto* meta = MutableMetaOf(copy.get());
  meta->set_uid(random_.Uuid());
  meta->set_generation(1);
  meta->mutable_creation_timestamp()->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(wall().time_since_epoch()).count());
  return Write(std::move(copy));
}

Object SmallWorld::Replace(const Object& object) {
  const Object old = Find(object.kind(), object.key());
  std::unique_ptr<ProtoMessage> copy = CopyOf(object);
  auto* meta = MutableMetaOf(copy.get());
  meta->set_uid(old.meta().uid());
  *meta->mutable_creation_timestamp() = old.meta().creation_timestamp();
  const bool same = PartOf("spec", *copy) == PartOf("spec", old.message());
  meta->set_generation(old.meta().generation() + (same ? 0 : 1));
  CopyPart("status", old.message(), copy.get());
  return Write(std::move(copy));
}

Object SmallWorld::WriteStatus(const Object& object) {
  std::unique_ptr<ProtoMessage> copy = CopyOf(Find(object.kind(), object.key()));
  CopyPart("status", object.message(), copy.get());
  return Write(std::move(copy));
}

Object SmallWorld::Write(std::unique_ptr<ProtoMessage> message) {
  MutableMetaOf(message.get())->set_resource_version(std::to_string(++revision_));
  const Object object = Object::Of(std::move(message), Trace{revision_, next_id_});
  const bool is_new = !Find(object.kind(), object.key());
  objects_[&object.kind()][object.key()] = object;
  if (Is(object, "Pod")) pod_duties_.emplace(now_ + kStopTime, object.key());
  Tell(object.kind(), object, is_new ? bus::WatchEvent::ADDED : bus::WatchEvent::MODIFIED);
  return object;
}

Object SmallWorld::Remove(const Kind& kind, const std::string& key, bool at_once) {
  const Object old = Find(kind, key);
  if (!old) return old;
  if (Is(old, "Pod") && !at_once) {
    if (old.meta().has_deletion_timestamp()) return old;
    std::unique_ptr<ProtoMessage> copy = CopyOf(old);
    MutableMetaOf(copy.get())->mutable_deletion_timestamp()->set_seconds(1);
    return Write(std::move(copy));
  }
  std::unique_ptr<ProtoMessage> last = CopyOf(old);
  MutableMetaOf(last.get())->set_resource_version(std::to_string(++revision_));
  const Object gone = Object::Of(std::move(last), Trace{revision_, next_id_});
  objects_[&kind].erase(key);
  Tell(kind, gone, bus::WatchEvent::DELETED);
  return gone;
}

void SmallWorld::DoPodDuties() {
  while (!pod_duties_.empty() && pod_duties_.begin()->first <= now_) {
    const std::string key = pod_duties_.begin()->second;
    pod_duties_.erase(pod_duties_.begin());
    DoPodDuty(key);
  }
}

void SmallWorld::DoPodDuty(const std::string& key) {
  const Object object = Find(KindOf<Pod>(), key);
  if (!object) return;
  if (object.meta().has_deletion_timestamp()) {
    Remove(KindOf<Pod>(), key, true);
    return;
  }
  Pod pod = object.As<Pod>();
  if (!pod.status().phase().empty() || !becomes_ready(object)) return;
  if (needs_node && pod.spec().node_name().empty()) return;
  const int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(wall().time_since_epoch()).count();
  if (seconds - pod.metadata().creation_timestamp().seconds() <
      std::chrono::duration_cast<std::chrono::seconds>(kStartTime).count()) {
    pod_duties_.emplace(now_ + kStartTime - kStopTime, key);
    return;
  }
  pod.mutable_status()->set_phase("Running");
  auto* ready = pod.mutable_status()->add_conditions();
  ready->set_type("Ready");
  ready->set_status("True");
  ready->mutable_last_transition_time()->set_seconds(seconds);
  WriteStatus(Object::From(std::move(pod)));
}

}  // namespace kubemu
