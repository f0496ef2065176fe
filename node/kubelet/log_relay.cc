#include "node/kubelet/log_relay.h"

#include <vector>

#include "messages/core/strings.h"
#include "node/kubelet/pod_status.h"
#include "node/kubelet/pod_worker.h"

namespace kubemu {
namespace {

using Role = ContainerRecord::Role;
using Phase = ContainerRecord::Phase;

void Refuse(const Message& message, std::string error, Env& env) {
  bus::LogResponse response;
  response.set_request(message.As<bus::LogRequest>().request());
  response.set_code(400);
  response.set_error(std::move(error));
  response.set_last(true);
  env.outbox.Send(message.from, std::move(response));
}

std::string NameMissing(const std::string& pod, const PodContainers& containers) {
  std::vector<std::string> names;
  std::vector<std::string> init_names;
  for (const ContainerRecord& record : containers.records()) {
    (record.role == Role::kMain ? names : init_names).push_back(record.name);
  }
  std::string text = StrCat("a container name must be specified for pod ", pod,
                            ", choose one of: [", StrJoin(names, " "), "]");
  if (!init_names.empty()) {
    StrAppend(&text, " or one of the init containers: [", StrJoin(init_names, " "), "]");
  }
  return text;
}

// "" if the container has a log.
std::string WhyNone(const std::string& pod, const ContainerRecord& record, bool previous,
                    bool initialized) {
  const bool ran = record.exit && record.exit->started_ns != 0;
  const bool backing_off = record.phase == Phase::kBackOff;
  if (previous) {
    if (record.last || (backing_off && ran)) return "";
    return StrCat("previous terminated container \"", record.name, "\" in pod \"", pod,
                  "\" not found");
  }
  if (record.phase == Phase::kRunning || record.phase == Phase::kStopping || ran || record.last) {
    return "";
  }
  const std::string reason = WaitingReason(record, initialized);
  const bool image = reason == "ErrImagePull" || reason == "ImagePullBackOff";
  return StrCat("container \"", record.name, "\" in pod \"", pod,
                "\" is waiting to start: ", image ? "trying and failing to pull image" : reason);
}

}  // namespace

void LogRelay::Cancel(const std::string& from, uint64_t request, Env& env) {
  for (auto it = readers_.begin(); it != readers_.end(); ++it) {
    if (it->second.from != from || it->second.request != request) continue;
    bus::LogRequest cancel;
    cancel.set_request(it->first);
    cancel.set_cancel(true);
    env.outbox.Send(engine_, std::move(cancel));
    readers_.erase(it);
    return;
  }
}

void LogRelay::OnRequest(const Message& message, const PodWorker* pod, Env& env) {
  const auto& request = message.As<bus::LogRequest>();
  if (request.cancel()) return Cancel(message.from, request.request(), env);
  if (pod == nullptr) {
    return Refuse(message, StrCat("pod \"", request.pod(), "\" does not run on this node"), env);
  }
  const std::vector<ContainerRecord>& records = pod->containers().records();
  const ContainerRecord* chosen = nullptr;
  size_t mains = 0;
  for (const ContainerRecord& record : records) {
    if (record.role == Role::kMain) ++mains;
    const bool wanted = request.container().empty() ? record.role == Role::kMain
                                                    : record.name == request.container();
    if (wanted && chosen == nullptr) chosen = &record;
  }
  if (request.container().empty() && (mains != 1 || records.size() != mains)) {
    return Refuse(message, NameMissing(request.pod(), pod->containers()), env);
  }
  if (chosen == nullptr) {
    return Refuse(
        message, StrCat("container ", request.container(), " is not valid for pod ", request.pod()),
        env);
  }
  const std::string why =
      WhyNone(request.pod(), *chosen, request.previous(), pod->containers().Initialized());
  if (!why.empty()) return Refuse(message, why, env);
  if (readers_.size() >= kReadersMax) {
    return Refuse(message, "kReadersMax: too many logs are read from this node", env);
  }
  bus::LogRequest forwarded = request;
  forwarded.set_container(chosen->name);
  forwarded.set_request(next_);
  // While it waits for its restart, or starts, the newest log is that of the run before.
  if (chosen->phase != Phase::kRunning && chosen->phase != Phase::kStopping &&
      chosen->phase != Phase::kExited && chosen->phase != Phase::kStarting) {
    forwarded.set_previous(false);
  }
  readers_[next_++] = Reader{message.from, request.request()};
  env.outbox.Send(engine_, std::move(forwarded));
}

void LogRelay::OnResponse(const Message& message, Env& env) {
  const auto it = readers_.find(message.As<bus::LogResponse>().request());
  if (it == readers_.end()) return;
  bus::LogResponse response = message.As<bus::LogResponse>();
  response.set_request(it->second.request);
  const bool last = response.last();
  env.outbox.Send(it->second.from, std::move(response));
  if (last) readers_.erase(it);
}

}  // namespace kubemu
