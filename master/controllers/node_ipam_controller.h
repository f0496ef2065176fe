#ifndef KUBEMU_MASTER_CONTROLLERS_NODE_IPAM_CONTROLLER_H_
#define KUBEMU_MASTER_CONTROLLERS_NODE_IPAM_CONTROLLER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "master/controllers/reconciler.h"
#include "messages/api/event_recorder.h"
#include "messages/core/ip.h"

namespace kubemu {

// Gives each node its range of pod addresses (spec.podCIDR): at "master/controllers/nodeipam". The
// lowest free range is taken; it is free again when its node is deleted. When none is left the
// node gets the event CIDRNotAvailable and waits until one is.
// Rules: pkg/controller/nodeipam/ipam/range_allocator.go.
class NodeIpamController : public Reconciler {
 public:
  struct Options {
    Ipv4Network cluster_cidr = Ipv4Network(Ipv4(10, 244, 0, 0), 16);
    // REQUIRES: cluster_cidr.prefix() <= node_prefix <= 30. 24: 254 pods on each of 256 nodes. For
    // more nodes a longer one: 26 is 62 pods on each of 1024 nodes.
    int node_prefix = 24;
  };

  explicit NodeIpamController(Options options);
  NodeIpamController() : NodeIpamController(Options()) {}

 protected:
  void Changed(size_t source, const Informer::Change& change, Trace trace, Env& env) override;
  void Reconcile(const std::string& key, Env& env) override;
  bool Answered(const std::string& key, const CallResult& result, Env& env) override;

 private:
  // The lowest range that is free; none if there is no such.
  std::optional<Ipv4Network> LowestFree() const;
  // A node that exists has this range.
  void Occupy(const std::string& node, const Ipv4Network& range);
  void Free(const std::string& node, Trace trace);
  void Grant(const std::string& node, Env& env);
  uint64_t RangesMax() const;

  const Options options_;
  EventRecorder events_{"cidrAllocator", ""};
  std::map<Ipv4Network, std::string> owners_;  // range -> node
  std::map<std::string, Ipv4Network> ranges_;  // node -> range, granted or being granted
  std::set<std::string> without_;              // nodes that wait for a range
};

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_NODE_IPAM_CONTROLLER_H_
