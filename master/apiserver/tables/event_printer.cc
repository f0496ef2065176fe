#include <algorithm>

#include "master/apiserver/tables/table.h"
#include "messages/api/human_duration.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_event.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Event;

WallTime ToWallMicro(const k8s::meta::v1::MicroTime& time) {
  return WallTime(std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos()));
}

std::string Source(const Event& event) {
  std::string text = event.source().component();
  if (text.empty()) text = event.reporting_component();
  std::string host = event.source().host();
  if (host.empty()) host = event.reporting_instance();
  if (!host.empty()) StrAppend(&text, ", ", host);
  return text;
}

TableCells EventCells(const Object& object, WallTime now) {
  const Event& event = object.As<Event>();
  const WallTime first = event.has_first_timestamp() ? ToWall(event.first_timestamp())
                                                     : ToWallMicro(event.event_time());
  WallTime last = event.has_last_timestamp() ? ToWall(event.last_timestamp()) : first;
  int64_t count = std::max(event.count(), 1);
  if (event.has_series()) {
    last = ToWallMicro(event.series().last_observed_time());
    count = event.series().count();
  }
  std::string target = AsciiLower(event.involved_object().kind());
  if (!event.involved_object().name().empty())
    StrAppend(&target, "/", event.involved_object().name());
  return {HumanAge(last, now),
          event.type(),
          event.reason(),
          target,
          event.involved_object().field_path(),
          Source(event),
          std::string(StripSpaces(event.message())),
          HumanAge(first, now),
          count,
          event.metadata().name()};
}

}  // namespace

const TablePrinter* EventPrinter(const Kind& kind) {
  static const TablePrinter kPrinter{{{"Last Seen"},
                                      {"Type"},
                                      {"Reason"},
                                      {"Object"},
                                      {"Subobject", "string", 1},
                                      {"Source", "string", 1},
                                      {"Message"},
                                      {"First Seen", "string", 1},
                                      {"Count", "integer", 1},
                                      {"Name", "string", 1}},
                                     EventCells};
  return &kind == &KindOf<Event>() ? &kPrinter : nullptr;
}

}  // namespace kubemu
