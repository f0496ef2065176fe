#ifndef KUBEMU_TESTS_NODE_IPTABLES_RANDOM_CLUSTER_H_
#define KUBEMU_TESTS_NODE_IPTABLES_RANDOM_CLUSTER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "messages/core/random.h"
#include "node/proxy/compile_rules.h"
#include "node/proxy/service_map.h"

namespace kubemu {

// Random Services of all kinds from one seed, and random changes to them: ClusterIP, NodePort,
// LoadBalancer, external addresses, source ranges, affinity, both traffic policies, TCP and UDP,
// several ports, with endpoints here, elsewhere, terminating, or none.
class RandomCluster {
 public:
  // Endpoints are taken from `pods`; a pod serves one TCP and one UDP port, kPodPort.
  RandomCluster(uint64_t seed, std::vector<Ipv4> pods);

  static constexpr uint16_t kPodPort = 8080;

  void AddService();
  // Changes one Service: its endpoints, its settings, or ends it.
  void ChangeOne();

  const std::map<std::string, proxy::ServicePorts>& services() const { return map_.services(); }
  std::vector<proxy::EndpointInfo> Endpoints(const proxy::ServicePortName& name) const {
    return map_.Endpoints(name);
  }
  proxy::CompiledRules Compile() const { return proxy::CompileRules(map_, node); }

  proxy::ProxyNode node;

 private:
  proxy::ServicePortInfo RandomInfo(const std::string& service);
  void SetEndpoints(const std::string& service);

  Random random_;
  const std::vector<Ipv4> pods_;
  proxy::ServiceMap map_;
  uint32_t made_ = 0;
  uint16_t next_node_port_ = 30000;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_IPTABLES_RANDOM_CLUSTER_H_
