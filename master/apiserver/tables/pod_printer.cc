#include <algorithm>

#include "master/apiserver/tables/table.h"
#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::ContainerStatus;
using k8s::core::v1::Pod;

// Container restarts so far, and when the last one was.
struct Restarts {
  int64_t count = 0;
  WallTime last{};

  void Add(const ContainerStatus& status) {
    count += status.restart_count();
    if (status.last_state().has_terminated())
      last = std::max(last, ToWall(status.last_state().terminated().finished_at()));
  }
};

struct Summary {
  std::string reason;
  int ready = 0;
  int total = 0;
  Restarts restarts;
};

bool HasCondition(const Pod& pod, std::string_view type) {
  return std::any_of(pod.status().conditions().begin(), pod.status().conditions().end(),
                     [&](const auto& condition) {
                       return condition.type() == type && condition.status() == "True";
                     });
}

// An init container that keeps running beside the others (restartPolicy Always).
bool IsSidecar(const Pod& pod, const std::string& name) {
  return std::any_of(pod.spec().init_containers().begin(), pod.spec().init_containers().end(),
                     [&](const auto& container) {
                       return container.name() == name && container.restart_policy() == "Always";
                     });
}

std::string TerminatedText(const k8s::core::v1::ContainerStateTerminated& terminated) {
  if (!terminated.reason().empty()) return terminated.reason();
  if (terminated.signal() != 0) return StrCat("Signal:", terminated.signal());
  return StrCat("ExitCode:", terminated.exit_code());
}

// What keeps the pod from having started, "" if its init containers are done.
std::string InitReason(const Pod& pod, Summary* summary, Restarts* sidecars) {
  int index = -1;
  for (const ContainerStatus& status : pod.status().init_container_statuses()) {
    ++index;
    const bool sidecar = IsSidecar(pod, status.name());
    summary->restarts.Add(status);
    if (sidecar) sidecars->Add(status);
    const auto& state = status.state();
    if (state.has_terminated() && state.terminated().exit_code() == 0) continue;
    if (sidecar && status.started()) {
      if (status.ready()) ++summary->ready;
      continue;
    }
    if (state.has_terminated()) return "Init:" + TerminatedText(state.terminated());
    const std::string& waiting = state.waiting().reason();
    if (!waiting.empty() && waiting != "PodInitializing") return "Init:" + waiting;
    return StrCat("Init:", index, "/", pod.spec().init_containers_size());
  }
  return "";
}

void SummarizeContainers(const Pod& pod, Summary* summary) {
  bool has_running = false;
  const auto& statuses = pod.status().container_statuses();
  for (auto it = statuses.rbegin(); it != statuses.rend(); ++it) {
    summary->restarts.Add(*it);
    const auto& state = it->state();
    if (!state.waiting().reason().empty()) {
      summary->reason = state.waiting().reason();
    } else if (state.has_terminated()) {
      summary->reason = TerminatedText(state.terminated());
    } else if (it->ready() && state.has_running()) {
      has_running = true;
      ++summary->ready;
    }
  }
  if (summary->reason == "Completed" && has_running)
    summary->reason = HasCondition(pod, "Ready") ? "Running" : "NotReady";
}

Summary Summarize(const Pod& pod) {
  Summary summary;
  const std::string& phase = pod.status().phase();
  summary.reason = pod.status().reason().empty() ? phase : pod.status().reason();
  for (const auto& condition : pod.status().conditions()) {
    if (condition.type() == "PodScheduled" && condition.reason() == "SchedulingGated")
      summary.reason = "SchedulingGated";
  }
  summary.total = pod.spec().containers_size();
  for (const auto& container : pod.spec().init_containers())
    summary.total += container.restart_policy() == "Always";
  Restarts sidecars;
  const std::string init = InitReason(pod, &summary, &sidecars);
  if (!init.empty()) summary.reason = init;
  if (init.empty() || HasCondition(pod, "Initialized")) {
    summary.restarts = sidecars;
    SummarizeContainers(pod, &summary);
  }
  if (pod.metadata().has_deletion_timestamp()) {
    if (pod.status().reason() == "NodeLost") {
      summary.reason = "Unknown";
    } else if (phase != "Succeeded" && phase != "Failed") {
      summary.reason = "Terminating";
    }
  }
  return summary;
}

std::string ReadinessGates(const Pod& pod) {
  if (pod.spec().readiness_gates().empty()) return "<none>";
  int good = 0;
  for (const auto& gate : pod.spec().readiness_gates())
    good += HasCondition(pod, gate.condition_type());
  return StrCat(good, "/", pod.spec().readiness_gates_size());
}

TableCells PodCells(const Object& object, WallTime now) {
  const Pod& pod = object.As<Pod>();
  const Summary summary = Summarize(pod);
  std::string restarts = StrCat(summary.restarts.count);
  if (summary.restarts.count != 0 && summary.restarts.last != WallTime{}) {
    k8s::meta::v1::Time last;
    last.set_seconds(
        std::chrono::duration_cast<std::chrono::seconds>(summary.restarts.last.time_since_epoch())
            .count());
    StrAppend(&restarts, " (", AgeOf(last, now), " ago)");
  }
  const std::string ip = pod.status().pod_ips().empty() ? "" : pod.status().pod_ips(0).ip();
  return {pod.metadata().name(),
          StrCat(summary.ready, "/", summary.total),
          summary.reason,
          restarts,
          CreationAge(object, now),
          OrNone(ip),
          OrNone(pod.spec().node_name()),
          OrNone(pod.status().nominated_node_name()),
          ReadinessGates(pod)};
}

}  // namespace

const TablePrinter* PodPrinter(const Kind& kind) {
  static const TablePrinter kPrinter{{{"Name"},
                                      {"Ready"},
                                      {"Status"},
                                      {"Restarts"},
                                      {"Age"},
                                      {"IP", "string", 1},
                                      {"Node", "string", 1},
                                      {"Nominated Node", "string", 1},
                                      {"Readiness Gates", "string", 1}},
                                     PodCells};
  return &kind == &KindOf<Pod>() ? &kPrinter : nullptr;
}

}  // namespace kubemu
