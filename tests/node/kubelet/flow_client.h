#ifndef KUBEMU_TESTS_NODE_KUBELET_FLOW_CLIENT_H_
#define KUBEMU_TESTS_NODE_KUBELET_FLOW_CLIENT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/node/kubelet/node_world.h"

namespace kubemu {

// A TCP client as iptables passes it on: one flow from "node-1/iptables" to a pod.
class FlowClient {
 public:
  FlowClient(NodeWorld& world, std::string pod, uint64_t flow, uint16_t port,
             uint32_t credit = 1 << 20)
      : world_(world), address_("node-1/pod/" + pod), flow_(flow) {
    bus::FlowOpen open;
    open.set_flow(flow);
    open.set_protocol(bus::TCP);
    open.set_source_ip(Ipv4(10, 0, 0, 9).bits());
    open.set_source_port(40000);
    open.set_destination_ip(Ipv4(10, 244, 1, 2).bits());
    open.set_destination_port(port);
    open.set_credit(credit);
    world_.Send("node-1/iptables", address_, open);
    world_.Run(Duration{});
  }

  void Send(std::string_view data, bool fin = false) {
    bus::FlowData message;
    message.set_flow(flow_);
    message.set_offset(offset_);
    message.set_data(std::string(data));
    message.set_fin(fin);
    offset_ += data.size();
    world_.Send("node-1/iptables", address_, message);
    world_.Run(Duration{});
  }
  void Skip(uint64_t bytes) { offset_ += bytes; }  // as if a message had been lost
  void Grant(uint32_t bytes) {
    bus::FlowCredit credit;
    credit.set_flow(flow_);
    credit.set_bytes(bytes);
    world_.Send("node-1/iptables", address_, credit);
    world_.Run(Duration{});
  }

  // What has come so far.
  std::string Received() const {
    std::string text;
    for (const NodeWorld::Seen& seen : world_.iptables()) {
      if (!Mine(seen.message) || seen.message.kind != bus::FLOW_DATA) continue;
      const auto& data = seen.message.As<bus::FlowData>();
      if (data.flow() == flow_ && data.reply() && data.offset() == text.size()) text += data.data();
    }
    return text;
  }
  bool Finished() const {
    for (const NodeWorld::Seen& seen : world_.iptables()) {
      if (!Mine(seen.message) || seen.message.kind != bus::FLOW_DATA) continue;
      const auto& data = seen.message.As<bus::FlowData>();
      if (data.flow() == flow_ && data.fin()) return true;
    }
    return false;
  }
  // Bytes that the pod has granted; 0: it has not accepted.
  uint64_t Granted() const {
    uint64_t bytes = 0;
    for (const NodeWorld::Seen& seen : world_.iptables()) {
      if (!Mine(seen.message) || seen.message.kind != bus::FLOW_CREDIT) continue;
      if (seen.message.As<bus::FlowCredit>().flow() == flow_) {
        bytes += seen.message.As<bus::FlowCredit>().bytes();
      }
    }
    return bytes;
  }
  bus::FlowClose::Reason Closed() const {
    for (const NodeWorld::Seen& seen : world_.iptables()) {
      if (!Mine(seen.message) || seen.message.kind != bus::FLOW_CLOSE) continue;
      const auto& close = seen.message.As<bus::FlowClose>();
      if (close.flow() == flow_ && close.reply()) return close.reason();
    }
    return bus::FlowClose::REASON_UNSPECIFIED;
  }

 private:
  bool Mine(const Message& message) const { return message.from == address_; }

  NodeWorld& world_;
  const std::string address_;
  const uint64_t flow_;
  uint64_t offset_ = 0;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_KUBELET_FLOW_CLIENT_H_
