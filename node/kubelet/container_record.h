#ifndef KUBEMU_NODE_KUBELET_CONTAINER_RECORD_H_
#define KUBEMU_NODE_KUBELET_CONTAINER_RECORD_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "messages/core/time.h"
#include "node/kubelet/back_off.h"

namespace kubemu::bus {
class StartContainer;
}

namespace kubemu {

// The exit code of a container whose end nobody saw (pkg/kubelet/kubelet_pods.go).
inline constexpr int kUnknownExit = 137;

// How a container ended.
struct ContainerExit {
  int exit_code = 0;
  std::string reason;  // Completed, Error, StartError, ContainerStatusUnknown
  std::string message;
  int64_t started_ns = 0;  // wall time since 1970; 0: it never ran
  int64_t finished_ns = 0;
  std::string container_id;  // without scheme; "" if it never ran

  bool ok() const { return exit_code == 0; }
};

// One of a container's probes and where it stands (pkg/kubelet/prober/worker.go).
struct ProbeState {
  bool result = false;  // what counts at present
  int successes = 0;    // in a row
  int failures = 0;
  uint64_t in_flight = 0;  // number of the request; 0: none
  Time timeout = kNever;
  Time next = kNever;
  Time again = kNever;       // readiness: out of turn, with a sync of the pod
  Time not_before = kNever;  // initialDelaySeconds are over

  Time wake() const { return in_flight != 0 ? timeout : std::min(next, again); }
};

// A lifecycle hook of the present run and where it stands.
struct HookState {
  bool begun = false;
  bool ended = false;
  std::string error;       // why it failed; "": it has not
  uint64_t in_flight = 0;  // number of the request; 0: none
  Time until = kNever;     // when it ends by itself (sleep), or at the latest
};

// What the kubelet knows of one container of a pod.
struct ContainerRecord {
  enum class Role {
    kInit,     // runs to its end before the next one starts
    kSidecar,  // an init container with restartPolicy Always: stays
    kMain,
  };
  enum class Phase {
    kWaiting,   // nothing was done for it yet
    kPulling,   // the engine was asked for the image
    kConfig,    // waits for its ConfigMaps and Secrets, or for the next try (retry_at)
    kStarting,  // the engine was asked to start it
    kRunning,
    kStopping,  // the engine was asked to stop it
    kExited,
    kBackOff,  // exited, and waits to be started again (CrashLoopBackOff)
    kImageBackOff,
  };

  std::string name;
  Role role = Role::kMain;
  int index = 0;  // in spec.initContainers or spec.containers
  Phase phase = Phase::kWaiting;
  uint32_t attempt = 0;  // of the run that is or was last: the restart count
  std::string reason;    // while it waits; "": ContainerCreating or PodInitializing
  std::string message;
  std::string image_id;
  // What the engine was asked, of a pod with ConfigMaps or Secrets; null: it can be made again.
  std::shared_ptr<const bus::StartContainer> start;
  std::string container_id;  // of the present or last run, without scheme
  int64_t started_ns = 0;
  std::optional<ContainerExit> exit;  // of the present run (kExited, kBackOff)
  std::optional<ContainerExit> last;  // of the run before
  Time exited_at{};
  Time retry_at = kNever;  // end of the back-off, or when the engine is asked again
  Time stop_by = kNever;   // SIGKILL, as the engine was asked last
  BackOff crash;
  BackOff pull;
  Time pull_failed_at{};
  bool failed_probe = false;   // stopped for its liveness or startup probe
  bool told_stopping = false;  // event Killing was recorded for this run
  HookState post_start;
  HookState pre_stop;

  bool started = false;  // the startup probe has passed
  bool ready = false;
  ProbeState startup;
  ProbeState liveness;
  ProbeState readiness;

  bool alive() const {
    return phase == Phase::kStarting || phase == Phase::kRunning || phase == Phase::kStopping;
  }
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_CONTAINER_RECORD_H_
