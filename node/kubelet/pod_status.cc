#include "node/kubelet/pod_status.h"

#include <algorithm>

#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/k8s/core_pod_status.pb.h"
#include "node/kubelet/node_object.h"

namespace kubemu {
namespace {

using k8s::core::v1::ContainerState;
using k8s::core::v1::ContainerStatus;
using k8s::core::v1::Pod;
using k8s::core::v1::PodCondition;
using k8s::core::v1::PodStatus;
using Role = ContainerRecord::Role;
using Phase = ContainerRecord::Phase;

constexpr char kScheme[] = "kubemu://";

void SetNanoseconds(int64_t ns, k8s::meta::v1::Time* time) {
  SetWallTime(WallTime(Duration(ns)), time);
}

void SetTerminated(const ContainerExit& exit, ContainerState* state) {
  auto* terminated = state->mutable_terminated();
  terminated->set_exit_code(exit.exit_code);
  terminated->set_reason(exit.reason);
  if (!exit.message.empty()) terminated->set_message(exit.message);
  if (exit.started_ns != 0) SetNanoseconds(exit.started_ns, terminated->mutable_started_at());
  if (exit.finished_ns != 0) SetNanoseconds(exit.finished_ns, terminated->mutable_finished_at());
  if (!exit.container_id.empty()) terminated->set_container_id(kScheme + exit.container_id);
}

void SetContainer(const ContainerRecord& record, const std::string& image, bool initialized,
                  ContainerStatus* status) {
  status->set_name(record.name);
  status->set_restart_count(static_cast<int32_t>(record.attempt));
  status->set_image(image);
  status->set_image_id(record.image_id);
  const bool running = record.phase == Phase::kRunning || record.phase == Phase::kStopping;
  status->mutable_last_state();
  if (running) {
    SetNanoseconds(record.started_ns,
                   status->mutable_state()->mutable_running()->mutable_started_at());
  } else if (record.phase == Phase::kExited && record.exit) {
    SetTerminated(*record.exit, status->mutable_state());
  } else {
    auto* waiting = status->mutable_state()->mutable_waiting();
    waiting->set_reason(WaitingReason(record, initialized));
    if (!record.message.empty()) waiting->set_message(record.message);
  }
  if (record.phase == Phase::kBackOff && record.exit) {
    SetTerminated(*record.exit, status->mutable_last_state());
  } else if (record.last) {
    SetTerminated(*record.last, status->mutable_last_state());
  }
  if (running || record.phase == Phase::kExited || record.phase == Phase::kBackOff) {
    if (!record.container_id.empty()) status->set_container_id(kScheme + record.container_id);
  } else if (record.last && !record.last->container_id.empty()) {
    status->set_container_id(kScheme + record.last->container_id);
  }
  status->set_started(running && record.started);
  const bool init_done =
      record.role == Role::kInit && record.phase == Phase::kExited && record.exit->ok();
  status->set_ready(init_done || (running && record.ready && record.role != Role::kInit));
}

// getPhase, pkg/kubelet/kubelet_pods.go.
std::string PhaseOf(const Pod& pod, const std::vector<ContainerRecord>& records,
                    const PodFacts& facts) {
  if (!facts.reason.empty()) return "Failed";
  const std::string& policy = pod.spec().restart_policy();
  int pending_init = 0;
  int failed_init = 0;
  int waiting = 0;
  int running = 0;
  int stopped = 0;
  int succeeded = 0;
  for (const ContainerRecord& record : records) {
    const bool ended = record.phase == Phase::kExited;
    if (record.role == Role::kInit) {
      if (ended && record.exit->ok()) continue;
      if (ended && (policy == "Never" || facts.terminating)) ++failed_init;
      if (!ended || policy != "Never") ++pending_init;
    } else if (record.role == Role::kMain) {
      if (ended) {
        ++stopped;
        if (record.exit->ok()) ++succeeded;
      } else if (record.phase == Phase::kRunning || record.phase == Phase::kStopping) {
        ++running;
      } else if (record.last || record.phase == Phase::kBackOff) {
        ++stopped;
      } else {
        ++waiting;
      }
    }
  }
  if (failed_init > 0) return "Failed";
  const bool main_ran = running + stopped > 0;
  if (facts.terminating) return stopped > 0 && stopped == succeeded ? "Succeeded" : "Failed";
  if (pending_init > 0 && !main_ran) return "Pending";
  if (waiting > 0) return "Pending";
  if (running > 0) return "Running";
  if (stopped == 0) return "Pending";
  if (policy != "OnFailure" && policy != "Never") return "Running";
  if (stopped == succeeded) return "Succeeded";
  return policy == "Never" ? "Failed" : "Running";
}

struct ConditionText {
  const char* type;
  bool status;
  std::string reason = {};
  std::string message = {};
};

std::string NameList(const char* what, const std::vector<std::string>& names) {
  return StrCat("containers with ", what, " status: [", StrJoin(names, " "), "]");
}

ConditionText InitializedCondition(const std::vector<ContainerRecord>& records,
                                   const PodFacts& facts, const std::string& phase) {
  if (facts.initialized) return {"Initialized", true};
  if (phase == "Succeeded") return {"Initialized", true, "PodCompleted"};
  std::vector<std::string> incomplete;
  for (const ContainerRecord& record : records) {
    const bool done = record.role == Role::kInit
                          ? record.phase == Phase::kExited && record.exit->ok()
                          : record.phase == Phase::kRunning && record.started;
    if (record.role != Role::kMain && !done) incomplete.push_back(record.name);
  }
  return {"Initialized", false, "ContainersNotInitialized", NameList("incomplete", incomplete)};
}

ConditionText ContainersReadyCondition(const std::vector<ContainerRecord>& records,
                                       const std::string& phase) {
  if (phase == "Succeeded") return {"ContainersReady", false, "PodCompleted"};
  if (phase == "Failed") return {"ContainersReady", false, "PodFailed"};
  std::vector<std::string> unready;
  for (const ContainerRecord& record : records) {
    if (record.role == Role::kInit) continue;
    const bool running = record.phase == Phase::kRunning || record.phase == Phase::kStopping;
    if (!running || !record.ready) unready.push_back(record.name);
  }
  if (unready.empty()) return {"ContainersReady", true};
  return {"ContainersReady", false, "ContainersNotReady", NameList("unready", unready)};
}

ConditionText ReadyCondition(const Pod& pod, const ConditionText& containers) {
  if (!containers.status) return {"Ready", false, containers.reason, containers.message};
  std::vector<std::string> messages;
  for (const auto& gate : pod.spec().readiness_gates()) {
    const PodCondition* condition = FindPodCondition(pod.status(), gate.condition_type());
    if (condition == nullptr) {
      messages.push_back(StrCat("corresponding condition of pod readiness gate \"",
                                gate.condition_type(), "\" does not exist."));
    } else if (condition->status() != "True") {
      messages.push_back(StrCat("the status of pod readiness gate \"", gate.condition_type(),
                                "\" is not \"True\", but ", condition->status()));
    }
  }
  if (messages.empty()) return {"Ready", true};
  return {"Ready", false, "ReadinessGatesNotReady", StrJoin(messages, ", ")};
}

void SetConditions(const Pod& pod, const std::vector<ConditionText>& texts, WallTime wall,
                   PodStatus* status) {
  status->clear_conditions();
  for (const ConditionText& text : texts) {
    PodCondition* condition = status->add_conditions();
    condition->set_type(text.type);
    condition->set_status(text.status ? "True" : "False");
    if (!text.reason.empty()) condition->set_reason(text.reason);
    if (!text.message.empty()) condition->set_message(text.message);
    const PodCondition* before = FindPodCondition(pod.status(), text.type);
    if (before != nullptr && before->status() == condition->status() &&
        before->has_last_transition_time()) {
      *condition->mutable_last_transition_time() = before->last_transition_time();
    } else {
      SetWallTime(wall, condition->mutable_last_transition_time());
    }
  }
  for (const PodCondition& other : pod.status().conditions()) {
    if (FindPodCondition(*status, other.type()) == nullptr) *status->add_conditions() = other;
  }
  if (FindPodCondition(*status, "PodScheduled") != nullptr) return;
  PodCondition* scheduled = status->add_conditions();  // bound without the scheduler
  scheduled->set_type("PodScheduled");
  scheduled->set_status("True");
  SetWallTime(wall, scheduled->mutable_last_transition_time());
}

void SetAddresses(const PodFacts& facts, PodStatus* status) {
  status->set_host_ip(facts.host_ip.ToString());
  status->clear_host_ips();
  status->add_host_ips()->set_ip(facts.host_ip.ToString());
  if (facts.pod_ip.IsNone()) return;
  status->set_pod_ip(facts.pod_ip.ToString());
  status->clear_pod_ips();
  status->add_pod_ips()->set_ip(facts.pod_ip.ToString());
}

}  // namespace

std::string WaitingReason(const ContainerRecord& record, bool initialized) {
  if (!record.reason.empty()) return record.reason;
  if (record.last && record.phase == Phase::kStarting) return "ContainerCreating";
  return initialized || record.role == Role::kInit ? "ContainerCreating" : "PodInitializing";
}

const PodCondition* FindPodCondition(const PodStatus& status, std::string_view type) {
  for (const PodCondition& condition : status.conditions()) {
    if (condition.type() == type) return &condition;
  }
  return nullptr;
}

PodStatus MakePodStatus(const Pod& pod, const std::vector<ContainerRecord>& records,
                        const PodFacts& facts, WallTime wall) {
  PodStatus status = pod.status();
  const std::string phase = PhaseOf(pod, records, facts);
  status.set_phase(phase);
  status.clear_reason();
  status.clear_message();
  if (!facts.reason.empty()) {
    status.set_reason(facts.reason);
    status.set_message(facts.message);
  }
  SetWallTime(facts.start_time, status.mutable_start_time());
  if (facts.rejected) return status;
  SetAddresses(facts, &status);
  status.clear_init_container_statuses();
  status.clear_container_statuses();
  bool any_init = false;
  for (const ContainerRecord& record : records) {
    any_init = any_init || record.role != Role::kMain;
  }
  for (const ContainerRecord& record : records) {
    if (record.role == Role::kMain) {
      SetContainer(record, pod.spec().containers(record.index).image(),
                   facts.initialized || !any_init, status.add_container_statuses());
    } else {
      SetContainer(record, pod.spec().init_containers(record.index).image(), true,
                   status.add_init_container_statuses());
    }
  }
  const ConditionText containers = ContainersReadyCondition(records, phase);
  SetConditions(pod,
                {{"PodReadyToStartContainers", facts.sandbox_ready},
                 InitializedCondition(records, facts, phase),
                 ReadyCondition(pod, containers),
                 containers},
                wall, &status);
  return status;
}

}  // namespace kubemu
