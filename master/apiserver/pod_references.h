#ifndef KUBEMU_MASTER_APISERVER_POD_REFERENCES_H_
#define KUBEMU_MASTER_APISERVER_POD_REFERENCES_H_

#include <string_view>

namespace k8s::core::v1 {
class PodSpec;
}

namespace kubemu {

struct Kind;

// Whether a pod of this spec uses the ConfigMap or Secret of that name in its own namespace: in a
// container's environment, as a volume, or to get images with. False for other kinds.
bool RefersTo(const k8s::core::v1::PodSpec& spec, const Kind& kind, std::string_view name);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_POD_REFERENCES_H_
