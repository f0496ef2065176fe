// What a container waits for before it can start: its environment.
#include <memory>
#include <string>

#include "messages/core/strings.h"
#include "messages/proto/k8s/core_container.pb.h"
#include "node/kubelet/container_env.h"
#include "node/kubelet/pod_containers.h"

namespace kubemu {
namespace {

constexpr char kConfigError[] = "CreateContainerConfigError";
// The pod is looked at again after so long (pkg/kubelet/kubelet.go, backOffPeriod).
constexpr Duration kConfigRetry = 10s;

}  // namespace

// Fills in the request. False: the container waits for its ConfigMaps and Secrets; Sync or retry_at
// lets it go on.
bool PodContainers::Configure(ContainerRecord& record, Ipv4 pod_ip, bus::StartContainer* request,
                              PodContext& context) {
  using Phase = ContainerRecord::Phase;
  const k8s::core::v1::Container& spec = SpecOf(record);
  if (record.alive() && record.start != nullptr) {
    *request = *record.start;  // asked again, whatever became of its sources meanwhile
    return true;
  }
  const bool anew = record.phase != Phase::kConfig;
  if (sources_.Fetch(pod_, spec, anew, context)) {
    record.phase = Phase::kConfig;
    record.retry_at = kNever;
    return false;
  }
  const std::string error =
      FillStartContainer(pod_, spec, pod_ip, context.options, sources_, request);
  if (error.empty()) {
    record.start =
        sources_.empty() ? nullptr : std::make_shared<const bus::StartContainer>(*request);
    if (record.reason == kConfigError) {
      record.reason.clear();
      record.message.clear();
    }
    return true;
  }
  record.phase = Phase::kConfig;
  record.reason = kConfigError;
  record.message = error;
  record.retry_at = context.env.now + kConfigRetry;
  Record(record, "Warning", "Failed", StrCat("Error: ", error), context);
  return false;
}

}  // namespace kubemu
