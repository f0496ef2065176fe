// How the containers of a pod are ended.
#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "node/kubelet/pod_containers.h"

namespace kubemu {
namespace {

using Role = ContainerRecord::Role;
using Phase = ContainerRecord::Phase;

constexpr Duration kGraceLongest = 24h * 365;

ContainerExit NeverRan() {
  ContainerExit exit;
  exit.exit_code = kUnknownExit;
  exit.reason = "ContainerStatusUnknown";
  exit.message = "The container could not be located when the pod was terminated";
  return exit;
}

}  // namespace

bool PodContainers::AllStopped() const {
  return std::none_of(records_.begin(), records_.end(),
                      [](const ContainerRecord& record) { return record.alive(); });
}

void PodContainers::Stop(Duration grace, PodContext& context) {
  const Time now = context.env.now;
  if (stop_began_ == kNever) stop_began_ = now;
  stop_deadline_ = std::min(stop_deadline_, now + std::min(grace, kGraceLongest));
  const bool out_of_time = stop_deadline_ <= now;
  bool mains_stopped = true;
  for (ContainerRecord& record : records_) {
    if (record.role == Role::kSidecar) continue;
    if (record.alive()) mains_stopped = false;
    StopOne(record, context);
  }
  if (!mains_stopped && !out_of_time) return;
  for (auto record = records_.rbegin(); record != records_.rend(); ++record) {
    if (record->role != Role::kSidecar) continue;
    const bool alive = record->alive();
    StopOne(*record, context);
    if (alive && !out_of_time) return;  // the next one when this one has ended
  }
}

void PodContainers::StopOne(ContainerRecord& record, PodContext& context) {
  const Time now = context.env.now;
  if (!record.alive()) {
    // It waited for something: it will not start any more.
    if (record.phase != Phase::kExited && record.phase != Phase::kBackOff) record.exit = NeverRan();
    record.phase = Phase::kExited;
    record.retry_at = kNever;
    return;
  }
  Duration grace = std::max(stop_deadline_ - now, Duration{});
  if (record.phase != Phase::kStopping && !std::exchange(record.told_stopping, true)) {
    Record(record, "Normal", "Killing", StrCat("Stopping container ", record.name), context);
  }
  if (record.phase == Phase::kRunning && !PreStopDone(record, stop_deadline_, context)) return;
  // A hook that took all of it leaves a little for the container itself.
  if (record.pre_stop.begun && stop_deadline_ > stop_began_) grace = std::max(grace, kGraceMin);
  const bool asked = record.phase == Phase::kStopping && record.retry_at > now;
  if (asked && record.stop_by <= now + grace) return;
  AskStop(record, grace, context);
}

}  // namespace kubemu
