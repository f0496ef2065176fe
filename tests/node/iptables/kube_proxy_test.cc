#include "node/proxy/kube_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_reference.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "node/iptables/iptables.h"
#include "tests/node/iptables/cluster_fixture.h"
#include "tests/node/iptables/part_harness.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

enum Stream : uint64_t { kServices = 1, kSlices = 2, kNodes = 3 };

class KubeProxyTest : public testing::Test {
 protected:
  KubeProxyTest() {
    bus_.Add("node-1/kube-proxy", &proxy_);
    bus_.Pass(0s);
    for (const auto& [message, request] : bus_.Take<bus::WatchRequest>()) {
      generation_[request.stream()] = request.generation();
    }
  }

  void Event(Stream stream, bus::WatchEvent::Type type, Object object = {}) {
    bus::WatchEvent event;
    event.set_stream(stream);
    event.set_generation(generation_[stream]);
    event.set_sequence(++sequence_[stream]);
    event.set_type(type);
    event.set_revision(++revision_);
    std::vector<Object> objects;
    if (object) objects.push_back(object);
    bus_.Send("master/apiserver", "node-1/kube-proxy", event, objects, Trace{77, 5});
  }
  void SyncAll() {
    for (Stream stream : {kServices, kSlices, kNodes}) Event(stream, bus::WatchEvent::SYNCED);
  }

  template <class T>
  Object Finish(T object, const std::string& ns, const std::string& name) {
    object.mutable_metadata()->set_namespace_(ns);
    object.mutable_metadata()->set_name(name);
    object.mutable_metadata()->set_resource_version(StrCat(revision_ + 1));
    return Object::From(std::move(object));
  }
  Object Service() {
    k8s::core::v1::Service service;
    service.mutable_spec()->set_type("NodePort");
    service.mutable_spec()->set_cluster_ip("10.96.0.10");
    auto* port = service.mutable_spec()->add_ports();
    port->set_name("p80");
    port->set_protocol("TCP");
    port->set_port(80);
    port->set_node_port(30080);
    return Finish(std::move(service), "ns1", "svc1");
  }
  Object Slice(const std::vector<std::string>& ips, bool ready = true) {
    k8s::discovery::v1::EndpointSlice slice;
    slice.set_address_type("IPv4");
    SetEntry(slice.mutable_metadata()->mutable_labels(), "kubernetes.io/service-name", "svc1");
    auto* port = slice.add_ports();
    port->set_name("p80");
    port->set_protocol("TCP");
    port->set_port(8080);
    for (const std::string& ip : ips) {
      auto* endpoint = slice.add_endpoints();
      endpoint->add_addresses(ip);
      endpoint->mutable_conditions()->set_ready(ready);
      endpoint->set_node_name("node-2");
    }
    return Finish(std::move(slice), "ns1", "svc1-abcde");
  }
  Object Node(int number, std::string_view heartbeat = "") {
    k8s::core::v1::Node node;
    node.mutable_spec()->set_pod_cidr(StrCat("10.244.", number, ".0/24"));
    auto* address = node.mutable_status()->add_addresses();
    address->set_type("InternalIP");
    address->set_address(StrCat("127.1.0.", number));
    SetEntry(node.mutable_metadata()->mutable_annotations(), "kubemu.io/endpoint",
             StrCat("tcp://127.1.0.", number, ":7200"));
    SetEntry(node.mutable_metadata()->mutable_labels(), "heartbeat", heartbeat);
    return Finish(std::move(node), "", StrCat("node-", number));
  }

  std::vector<std::pair<Message, bus::IptablesRestore>> Restores() {
    return bus_.Take<bus::IptablesRestore>();
  }
  void Acknowledge(uint64_t revision, const std::string& error = "") {
    bus::IptablesRestored restored;
    restored.set_revision(revision);
    restored.set_error(error);
    bus_.Send("node-1/iptables", "node-1/kube-proxy", restored);
  }
  bool Healthy() {
    bus::HealthCheck check;
    check.set_number(9);
    bus_.Send("lb", "node-1/kube-proxy", check);
    const auto results = bus_.Take<bus::HealthCheckResult>();
    EXPECT_THAT(results, SizeIs(1));
    EXPECT_EQ(results[0].second.number(), 9u);
    return results[0].second.healthy();
  }
  // iptables could not listen on that port: the events that follow.
  std::vector<k8s::core::v1::Event> Taken(uint32_t port, bus::Protocol protocol) {
    bus::ListenResult result;
    result.set_ip(Ipv4(127, 1, 0, 1).bits());
    result.set_port(port);
    result.set_protocol(protocol);
    result.set_error("in use");
    bus_.Send("node-1/iptables", "node-1/kube-proxy", result);
    std::vector<k8s::core::v1::Event> events;
    for (const auto& [message, request] : bus_.Take<bus::ApiRequest>()) {
      EXPECT_EQ(message.to, "master/apiserver");
      events.push_back(message.objects.at(0).As<k8s::core::v1::Event>());
    }
    return events;
  }
  // A Service with one endpoint, in force; the messages so far are taken.
  void Begin() {
    Event(kServices, bus::WatchEvent::ADDED, Service());
    Event(kSlices, bus::WatchEvent::ADDED, Slice({"10.244.2.5"}));
    Event(kNodes, bus::WatchEvent::ADDED, Node(1));
    SyncAll();
    Restores();
    Acknowledge(1);
  }

  PartHarness bus_;
  KubeProxy proxy_{{.node = "node-1"}};
  std::map<uint64_t, uint64_t> generation_;
  std::map<uint64_t, uint64_t> sequence_;
  uint64_t revision_ = 0;
};

TEST_F(KubeProxyTest, ANodePortThatIsTakenIsAnEventOfTheNode) {
  Begin();
  const auto events = Taken(30080, bus::TCP);
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].involved_object().kind(), "Node");
  EXPECT_EQ(events[0].involved_object().name(), "node-1");
  EXPECT_EQ(events[0].type(), "Warning");
  EXPECT_EQ(events[0].reason(), "FailedToOpenPort");
  EXPECT_EQ(events[0].message(),
            "can't open port \"nodePort for ns1/svc1:p80\" (127.1.0.1:30080/tcp4), skipping it: "
            "in use");
  EXPECT_EQ(events[0].source().component(), "kube-proxy");
  EXPECT_EQ(events[0].source().host(), "node-1");
  // Another protocol's port of that number, or nobody's: of no Service.
  EXPECT_THAT(Taken(30080, bus::UDP), IsEmpty());
  EXPECT_THAT(Taken(30081, bus::TCP), IsEmpty());
}

TEST_F(KubeProxyTest, AHealthCheckPortThatIsTakenIsAnEventOfItsService) {
  k8s::core::v1::Service local = Service().As<k8s::core::v1::Service>();
  local.mutable_spec()->set_type("LoadBalancer");
  local.mutable_spec()->set_external_traffic_policy("Local");
  local.mutable_spec()->set_health_check_node_port(31234);
  Event(kServices, bus::WatchEvent::ADDED, Finish(std::move(local), "ns1", "svc1"));
  Event(kNodes, bus::WatchEvent::ADDED, Node(1));
  SyncAll();
  const auto events = Taken(31234, bus::TCP);
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].involved_object().kind(), "Service");
  EXPECT_EQ(events[0].involved_object().namespace_(), "ns1");
  EXPECT_EQ(events[0].involved_object().name(), "svc1");
  EXPECT_EQ(events[0].reason(), "FailedToStartServiceHealthcheck");
  EXPECT_EQ(events[0].message(),
            "node node-1 failed to start healthcheck \"ns1/svc1\" on port 31234: in use");
  const auto own = Taken(10256, bus::TCP);
  ASSERT_THAT(own, SizeIs(1));
  EXPECT_EQ(own[0].reason(), "FailedToStartProxierHealthcheck");
  EXPECT_EQ(own[0].message(), "failed to start proxier healthz on 127.1.0.1:10256: in use");
}

TEST_F(KubeProxyTest, WaitsUntilItKnowsEverythingThenSendsItWhole) {
  Event(kServices, bus::WatchEvent::ADDED, Service());
  Event(kServices, bus::WatchEvent::SYNCED);
  Event(kSlices, bus::WatchEvent::ADDED, Slice({"10.244.2.5"}));
  Event(kSlices, bus::WatchEvent::SYNCED);
  Event(kNodes, bus::WatchEvent::ADDED, Node(1));
  Event(kNodes, bus::WatchEvent::ADDED, Node(2));
  EXPECT_THAT(Restores(), IsEmpty());
  Event(kNodes, bus::WatchEvent::SYNCED);
  const auto restores = Restores();
  ASSERT_THAT(restores, SizeIs(1));
  const bus::IptablesRestore& restore = restores[0].second;
  EXPECT_EQ(restores[0].first.to, "node-1/iptables");
  EXPECT_EQ(restore.revision(), 1u);
  EXPECT_TRUE(restore.full());
  EXPECT_THAT(std::string(restore.rules()), HasSubstr("--to-destination 10.244.2.5:8080"));
  EXPECT_EQ(Ipv4(restore.network().node_ip()), Ip("127.1.0.1"));
  EXPECT_EQ(restore.network().pod_cidr(), "10.244.1.0/24");
  ASSERT_EQ(restore.network().peers_size(), 1);
  EXPECT_EQ(restore.network().peers(0).process(), "node-2");
  EXPECT_EQ(restore.network().peers(0).pod_cidr(), "10.244.2.0/24");
  EXPECT_THAT(restore.network().listen_ports(), testing::ElementsAre(10256u, 30080u));
}

TEST_F(KubeProxyTest, AChangedEndpointIsSentAtOnceAndAlone) {
  Begin();
  Event(kSlices, bus::WatchEvent::MODIFIED, Slice({"10.244.2.5", "10.244.2.6"}));
  const auto restores = Restores();
  ASSERT_THAT(restores, SizeIs(1));
  EXPECT_FALSE(restores[0].second.full());
  EXPECT_FALSE(restores[0].second.has_network());
  EXPECT_EQ(restores[0].first.trace.trace_id, 77u);  // on the trace of the change
  const std::string rules = restores[0].second.rules();
  EXPECT_THAT(rules, HasSubstr("--to-destination 10.244.2.6:8080"));
  EXPECT_THAT(rules, Not(HasSubstr("KUBE-SERVICES")));
}

TEST_F(KubeProxyTest, WhatIsNotAnsweredIsSentAgainWhole) {
  Begin();
  Event(kSlices, bus::WatchEvent::MODIFIED, Slice({"10.244.2.6"}));
  Restores();
  bus_.Pass(KubeProxy::kAnswerTimeout);
  auto restores = Restores();
  ASSERT_THAT(restores, SizeIs(1));
  EXPECT_TRUE(restores[0].second.full());
  EXPECT_TRUE(restores[0].second.has_network());
  EXPECT_EQ(restores[0].second.revision(), 3u);
  Acknowledge(3, "line 1: no");
  EXPECT_THAT(Restores(), IsEmpty());
  bus_.Pass(KubeProxy::kAnswerTimeout);
  restores = Restores();
  ASSERT_THAT(restores, SizeIs(1));
  EXPECT_TRUE(restores[0].second.full());
  Acknowledge(4);
  EXPECT_TRUE(proxy_.in_sync());
  bus_.Pass(10s);
  EXPECT_THAT(Restores(), IsEmpty());
}

TEST_F(KubeProxyTest, EverythingIsSentEveryHour) {
  Begin();
  bus_.Pass(KubeProxy::kFullSyncPeriod);
  const auto restores = Restores();
  ASSERT_FALSE(restores.empty());
  EXPECT_TRUE(restores[0].second.full());
}

TEST_F(KubeProxyTest, ANodesHeartbeatChangesNothing) {
  Begin();
  Event(kNodes, bus::WatchEvent::ADDED, Node(2));
  auto restores = Restores();
  ASSERT_THAT(restores, SizeIs(1));
  EXPECT_TRUE(restores[0].second.rules().empty());
  EXPECT_EQ(restores[0].second.network().peers_size(), 1);
  auto peers = bus_.Take<bus::PeerEndpoint>();
  ASSERT_THAT(peers, SizeIs(1));
  EXPECT_EQ(peers[0].first.to, "node-1/bus");
  EXPECT_EQ(peers[0].second.endpoint(), "tcp://127.1.0.2:7200");
  Event(kNodes, bus::WatchEvent::MODIFIED, Node(2, "again"));
  Event(kNodes, bus::WatchEvent::MODIFIED, Node(1, "again"));
  EXPECT_THAT(Restores(), IsEmpty());
  EXPECT_THAT(bus_.Take<bus::PeerEndpoint>(), IsEmpty());
}

// 100 nodes' heartbeats must not cost each node 100 looks at the whole network, nor be what a
// change of rules in the same turn is traced back to.
TEST_F(KubeProxyTest, ANodesHeartbeatIsNoWorkAndNobodysCause) {
  Begin();
  Event(kNodes, bus::WatchEvent::ADDED, Node(2));
  const auto restores = Restores();
  ASSERT_THAT(restores, SizeIs(1));
  Acknowledge(restores[0].second.revision());
  ASSERT_TRUE(proxy_.in_sync());
  const Object again = Node(2, "again");
  bus::WatchEvent event;
  event.set_stream(kNodes);
  event.set_generation(generation_[kNodes]);
  event.set_sequence(++sequence_[kNodes]);
  event.set_type(bus::WatchEvent::MODIFIED);
  event.set_revision(++revision_);
  Message message;
  message.kind = bus::WATCH_EVENT;
  message.from = "master/apiserver";
  message.to = "node-1/kube-proxy";
  message.body = std::make_shared<const bus::WatchEvent>(event);
  message.objects.push_back(again);
  Random random(1);
  Outbox outbox("node-1/kube-proxy", Trace{});
  Env env{bus_.now, WallTime{}, random, outbox};
  proxy_.Receive(message, env);
  EXPECT_TRUE(proxy_.in_sync());  // no turn is asked for
  k8s::core::v1::Node moved = Node(2).As<k8s::core::v1::Node>();
  moved.mutable_spec()->set_pod_cidr("10.244.9.0/24");
  Event(kNodes, bus::WatchEvent::MODIFIED, Finish(std::move(moved), "", "node-2"));
  const auto after = Restores();
  ASSERT_THAT(after, SizeIs(1));
  EXPECT_EQ(after[0].second.network().peers(0).pod_cidr(), "10.244.9.0/24");
}

TEST_F(KubeProxyTest, IsHealthyOnceItsRulesAreInForce) {
  EXPECT_FALSE(Healthy());
  Begin();
  EXPECT_TRUE(Healthy());
  Event(kSlices, bus::WatchEvent::MODIFIED, Slice({"10.244.2.6"}));
  EXPECT_TRUE(Healthy());  // a change under way is no illness
  bus_.Pass(KubeProxy::kHealthTimeout);
  EXPECT_FALSE(Healthy());
}

TEST_F(KubeProxyTest, ADeletedServiceLeavesNothing) {
  Begin();
  Event(kServices, bus::WatchEvent::DELETED, Service());
  Event(kSlices, bus::WatchEvent::DELETED, Slice({"10.244.2.5"}));
  const auto restores = Restores();
  ASSERT_FALSE(restores.empty());
  EXPECT_THAT(std::string(restores[0].second.rules()), HasSubstr("-X KUBE-SVC-XPGD46QRK7WJZT7O"));
  EXPECT_TRUE(restores[0].second.has_network());
  EXPECT_THAT(restores[0].second.network().listen_ports(), testing::ElementsAre(10256u));
}

TEST_F(KubeProxyTest, AHeadlessServiceHasNoRules) {
  k8s::core::v1::Service service = Service().As<k8s::core::v1::Service>();
  service.mutable_spec()->set_type("ClusterIP");
  service.mutable_spec()->set_cluster_ip("None");
  service.mutable_spec()->mutable_ports(0)->clear_node_port();
  Event(kServices, bus::WatchEvent::ADDED, Finish(std::move(service), "ns1", "svc1"));
  Event(kSlices, bus::WatchEvent::ADDED, Slice({"10.244.2.5"}));
  Event(kNodes, bus::WatchEvent::ADDED, Node(1));
  SyncAll();
  const auto restores = Restores();
  ASSERT_FALSE(restores.empty());
  EXPECT_THAT(std::string(restores[0].second.rules()), Not(HasSubstr("svc1")));
  EXPECT_THAT(std::string(restores[0].second.rules()), Not(HasSubstr("10.244.2.5")));
}

// Both parts of a node together: what kube-proxy sends, iptables takes.
TEST_F(KubeProxyTest, IptablesFollowsStepByStep) {
  Iptables iptables({.node = "node-1"});
  bus_.Add("node-1/iptables", &iptables);
  Begin();
  for (const auto& ips : std::vector<std::vector<std::string>>{
           {"10.244.2.5", "10.244.2.6"}, {}, {"10.244.2.7"}, {"10.244.2.7", "10.244.2.9"}}) {
    Event(kSlices, bus::WatchEvent::MODIFIED, Slice(ips));
    EXPECT_TRUE(proxy_.in_sync());
    const std::string saved = iptables.ruleset().Save(iptables::Table::kNat, false);
    for (const std::string& ip : ips) EXPECT_THAT(saved, HasSubstr("to-destination " + ip));
    EXPECT_EQ(iptables.ruleset().ChainCount(iptables::Table::kNat),
              4u + 5u + (ips.empty() ? 0u : 2u + ips.size()));
  }
}

}  // namespace
}  // namespace kubemu
