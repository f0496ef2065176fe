#include "tests/node/iptables/cluster_fixture.h"

#include <gtest/gtest.h>

#include "node/iptables/save_format.h"

namespace kubemu {

Ipv4 Ip(std::string_view text) {
  return Ipv4::Parse(text).value();
}
SocketAddress At(std::string_view text) {
  return SocketAddress::Parse(text).value();
}
Ipv4Network Net(std::string_view text) {
  return Ipv4Network::Parse(text).value();
}

ClusterFixture::ClusterFixture() {
  info.cluster_ip = Ip("172.30.0.41");
  info.port = 80;
  node.name = "node-1";
  node.ip = Ip("192.168.0.2");
  node.cluster_cidr = Net("10.0.0.0/8");
  local_.Add(Net("192.168.0.2"));
  local_.Add(Net("127.0.0.0/8"));
}

proxy::EndpointInfo& ClusterFixture::AddEndpoint(std::string_view address, std::string on) {
  proxy::EndpointInfo endpoint;
  endpoint.address = At(address);
  endpoint.node = std::move(on);
  endpoints.push_back(endpoint);
  return endpoints.back();
}

proxy::CompiledRules ClusterFixture::Compile() {
  proxy::ServiceMap services;
  services.SetService(name.service, {{name, info}});
  services.SetSlice("ns1/svc1-abcde", name.service, {{name, endpoints}});
  return proxy::CompileRules(services, node);
}

void ClusterFixture::Load() {
  const auto input = iptables::ParseRestore(proxy::RestoreText(Compile()));
  ASSERT_TRUE(input.ok()) << input.status();
  const absl::Status status = ruleset_.Restore(*input, false);
  ASSERT_TRUE(status.ok()) << status;
}

iptables::Verdict ClusterFixture::Evaluate(iptables::Packet packet, iptables::PacketTrace* trace) {
  return iptables::Evaluate(ruleset_, packet, {local_, random_, now}, trace);
}

iptables::Verdict ClusterFixture::Send(std::string_view from, std::string_view to,
                                       iptables::PacketTrace* trace) {
  iptables::Packet packet;
  packet.source = Ip(from);
  packet.source_port = 40000;
  packet.destination = At(to).ip;
  packet.destination_port = At(to).port;
  return Evaluate(packet, trace);
}

iptables::Verdict ClusterFixture::SendFromNode(std::string_view to) {
  iptables::Packet packet;
  packet.local_process = true;
  packet.source = node.ip;
  packet.source_port = 40000;
  packet.destination = At(to).ip;
  packet.destination_port = At(to).port;
  return Evaluate(packet, nullptr);
}

std::string ClusterFixture::Flow(std::string_view from, std::string_view to) {
  return FlowText(Send(from, to));
}

std::string ClusterFixture::FlowFromNode(std::string_view to) {
  return FlowText(SendFromNode(to));
}

std::string FlowText(const iptables::Verdict& verdict) {
  if (verdict.action == iptables::Verdict::Action::kDrop) return "DROP";
  if (verdict.action == iptables::Verdict::Action::kReject) return "REJECT";
  std::string text = verdict.dnat ? verdict.dnat->ToString() : "as is";
  return verdict.masquerade ? text + ", masq" : text;
}

}  // namespace kubemu
