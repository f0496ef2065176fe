#include "messages/api/event_recorder.h"

#include "messages/api/calls.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

void SetTime(WallTime wall, k8s::meta::v1::Time* time) {
  time->set_seconds(
      std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count());
}

// Upstream's name of an event: the object's, a dot, and a time in hexadecimal (client-go
// tools/record). The time alone is not unique within a step here, so the number of the record is
// added to it: events of one second, too, list in the order in which they happened.
std::string EventName(const std::string& object, WallTime wall, uint64_t number) {
  static constexpr char kDigits[] = "0123456789abcdef";
  constexpr uint64_t kStepsApart = 4096;
  const uint64_t bits =
      static_cast<uint64_t>(wall.time_since_epoch().count()) + number % kStepsApart;
  std::string name = object + ".";
  for (int shift = 60; shift >= 0; shift -= 4) name += kDigits[bits >> shift & 15];
  return name;
}

}  // namespace

void EventRecorder::Record(const k8s::core::v1::ObjectReference& about, std::string_view type,
                           std::string_view reason, std::string message, Env& env) {
  const std::string key =
      StrCat(about.kind(), "|", about.namespace_(), "|", about.name(), "|", about.uid(), "|",
             about.field_path(), "|", type, "|", reason, "|", message);
  Known& known = known_[key];
  const bool first = known.count == 0;
  if (first) {
    known.name = EventName(about.name(), env.wall, uses_);
    // Events of cluster-scoped objects live in "default".
    known.ns = about.namespace_().empty() ? "default" : about.namespace_();
    known.first = env.wall;
  }
  ++known.count;
  known.last_use = ++uses_;

  k8s::core::v1::Event event;
  event.mutable_metadata()->set_name(known.name);
  event.mutable_metadata()->set_namespace_(known.ns);
  *event.mutable_involved_object() = about;
  event.set_type(std::string(type));
  event.set_reason(std::string(reason));
  event.set_message(std::move(message));
  event.mutable_source()->set_component(component_);
  if (!host_.empty()) event.mutable_source()->set_host(host_);
  event.set_reporting_component(component_);
  if (!host_.empty()) event.set_reporting_instance(host_);
  SetTime(known.first, event.mutable_first_timestamp());
  SetTime(env.wall, event.mutable_last_timestamp());
  event.set_count(known.count);

  const Object object = Object::From(std::move(event));
  bus::ApiRequest request = first ? CreateRequest(object.kind(), known.ns) : UpdateRequest(object);
  // Request number 0 belongs to no Calls: the answer is ignored by everyone.
  env.outbox.Send(std::string(kApiServerAddress), std::move(request), {object});
  if (known_.size() > kCorrelatedMax) Forget();
}

// Drops the half that was used longest ago, so that this runs seldom.
void EventRecorder::Forget() {
  const uint64_t horizon = uses_ - kCorrelatedMax / 2;
  std::erase_if(known_, [horizon](const auto& entry) { return entry.second.last_use <= horizon; });
}

k8s::core::v1::ObjectReference ReferenceTo(const Object& object) {
  k8s::core::v1::ObjectReference reference;
  const k8s::meta::v1::ObjectMeta& meta = object.meta();
  reference.set_api_version(object.kind().api_version());
  reference.set_kind(std::string(object.kind().kind));
  if (!meta.namespace_().empty()) reference.set_namespace_(meta.namespace_());
  reference.set_name(meta.name());
  reference.set_uid(meta.uid());
  reference.set_resource_version(meta.resource_version());
  return reference;
}

}  // namespace kubemu
