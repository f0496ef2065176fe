#ifndef KUBEMU_MASTER_APISERVER_DEFAULTS_POD_DEFAULTS_H_
#define KUBEMU_MASTER_APISERVER_DEFAULTS_POD_DEFAULTS_H_

#include <string_view>

namespace k8s::core::v1 {
class Pod;
class PodTemplateSpec;
}  // namespace k8s::core::v1

namespace kubemu {

// The pod half of defaults.h. A template gets what a pod gets, except what is decided only when a
// pod is made of it: requests from limits, enableServiceLinks.
void DefaultPod(::k8s::core::v1::Pod* pod);
void DefaultPodTemplate(::k8s::core::v1::PodTemplateSpec* pod_template);

// "Always" for images without a tag or with ":latest", "IfNotPresent" for others and digests.
std::string_view DefaultImagePullPolicy(std::string_view image);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_DEFAULTS_POD_DEFAULTS_H_
