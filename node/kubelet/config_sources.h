#ifndef KUBEMU_NODE_KUBELET_CONFIG_SOURCES_H_
#define KUBEMU_NODE_KUBELET_CONFIG_SOURCES_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "messages/object.h"
#include "node/kubelet/pod_context.h"

namespace k8s::core::v1 {
class Container;
}

namespace kubemu {

// The ConfigMaps and Secrets that the containers of one pod take variables from. They are asked for
// when a container is about to start, each time anew, and kept until the next start; there are no
// more of them than the pod's spec names.
class ConfigSources {
 public:
  // What became of one of them.
  struct Source {
    Object object;      // none: there is no such object, or it could not be read
    std::string error;  // why it could not be read
    uint64_t call = 0;  // in flight; 0: none
    bool known = false;
  };

  // Asks for what the container names and is not known yet; `anew`: for all that it names. True:
  // answers are outstanding.
  bool Fetch(const Object& pod, const k8s::core::v1::Container& container, bool anew,
             PodContext& context);
  void OnCallResult(const CallResult& result);
  // No container that was fetched names any.
  bool empty() const { return sources_.empty(); }

  // What is known of one; of one that was never fetched nothing, as if it were not there.
  const Source& ConfigMap(const std::string& name) const;
  const Source& Secret(const std::string& name) const;

  // Tags of its calls begin with it; the pod's uid follows.
  static constexpr char kTag[] = "config ";

 private:
  bool FetchOne(const Kind& kind, const std::string& name, const Object& pod, bool anew,
                PodContext& context);
  const Source& Find(const Kind& kind, const std::string& name) const;

  std::map<std::pair<int, std::string>, Source> sources_;  // by Kind::id and name
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KUBELET_CONFIG_SOURCES_H_
