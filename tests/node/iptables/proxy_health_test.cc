#include "node/proxy/proxy_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/discovery.pb.h"
#include "messages/proto/k8s/meta.pb.h"
#include "node/iptables/iptables.h"
#include "node/proxy/kube_proxy.h"
#include "tests/node/iptables/cluster_fixture.h"
#include "tests/node/iptables/part_harness.h"

namespace kubemu {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(GoTimeTest, LooksAsGoPrintsIt) {
  EXPECT_EQ(proxy::GoTime(WallTime{}), "1970-01-01 00:00:00 +0000 UTC");
  EXPECT_EQ(proxy::GoTime(WallTime(1795610448s + 120ms)), "2026-11-25 12:40:48.12 +0000 UTC");
}

TEST(ServiceHealthAnswerTest, CountsAndWeighs) {
  const HttpFlows::Answer good = proxy::ServiceHealthAnswer("ns1/svc1", 2, true);
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.body,
            "{\n\t\"service\": {\n\t\t\"namespace\": \"ns1\",\n\t\t\"name\": \"svc1\"\n\t},\n"
            "\t\"localEndpoints\": 2,\n\t\"serviceProxyHealthy\": true\n}");
  EXPECT_THAT(good.headers, HasSubstr("X-Load-Balancing-Endpoint-Weight: 2\r\n"));
  EXPECT_EQ(proxy::ServiceHealthAnswer("ns1/svc1", 0, true).status, 503);
  EXPECT_EQ(proxy::ServiceHealthAnswer("ns1/svc1", 2, false).status, 503);
}

// iptables that can be made to ignore new rules.
class DeafIptables : public Component {
 public:
  explicit DeafIptables(const bool* deaf) : deaf_(deaf) {}
  void Receive(const Message& message, Env& env) override {
    if (!*deaf_ || message.kind != bus::IPTABLES_RESTORE) iptables_.Receive(message, env);
  }
  void Tick(Env& env) override { iptables_.Tick(env); }
  Time NextWake() const override { return iptables_.NextWake(); }

 private:
  const bool* deaf_;
  Iptables iptables_{{.node = "node-1"}};
};

// kube-proxy and iptables of one node, asked over HTTP as a load balancer does.
class ProxyHealthTest : public testing::Test {
 protected:
  ProxyHealthTest() {
    bus_.Add("node-1/kube-proxy", &proxy_);
    bus_.Add("node-1/iptables", &iptables_);
    bus_.Pass(0s);
    for (const auto& [message, request] : bus_.Take<bus::WatchRequest>()) {
      generation_[request.stream()] = request.generation();
    }
    Event(3, Node());
    for (uint64_t stream : {1, 2, 3}) Event(stream, Object(), bus::WatchEvent::SYNCED);
  }

  void Event(uint64_t stream, Object object,
             bus::WatchEvent::Type type = bus::WatchEvent::MODIFIED) {
    bus::WatchEvent event;
    event.set_stream(stream);
    event.set_generation(generation_[stream]);
    event.set_sequence(++sequence_[stream]);
    event.set_type(type);
    event.set_revision(++revision_);
    std::vector<Object> objects;
    if (object) objects.push_back(object);
    bus_.Send("master/apiserver", "node-1/kube-proxy", event, objects);
  }
  Object Node(std::string_view taint = "", bool deleted = false) {
    k8s::core::v1::Node node;
    node.mutable_metadata()->set_name("node-1");
    node.mutable_metadata()->set_resource_version(StrCat(revision_ + 1));
    if (deleted) node.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(1);
    if (!taint.empty()) node.mutable_spec()->add_taints()->set_key(std::string(taint));
    node.mutable_spec()->set_pod_cidr("10.244.1.0/24");
    auto* address = node.mutable_status()->add_addresses();
    address->set_type("InternalIP");
    address->set_address("127.1.0.1");
    return Object::From(std::move(node));
  }
  Object LocalService() {
    k8s::core::v1::Service service;
    service.mutable_metadata()->set_namespace_("ns1");
    service.mutable_metadata()->set_name("svc1");
    service.mutable_metadata()->set_resource_version(StrCat(revision_ + 1));
    service.mutable_spec()->set_type("LoadBalancer");
    service.mutable_spec()->set_cluster_ip("10.96.0.10");
    service.mutable_spec()->set_external_traffic_policy("Local");
    service.mutable_spec()->set_health_check_node_port(32000);
    for (const int port : {80, 81}) {
      auto* entry = service.mutable_spec()->add_ports();
      entry->set_name(StrCat("p", port));
      entry->set_port(port);
      entry->set_node_port(30000 + port);
    }
    return Object::From(std::move(service));
  }
  struct Place {
    std::string ip;
    std::string node;
    bool ready = true;
  };
  Object Slice(const std::vector<Place>& places) {
    k8s::discovery::v1::EndpointSlice slice;
    slice.mutable_metadata()->set_namespace_("ns1");
    slice.mutable_metadata()->set_name("svc1-abcde");
    slice.mutable_metadata()->set_resource_version(StrCat(revision_ + 1));
    slice.set_address_type("IPv4");
    SetEntry(slice.mutable_metadata()->mutable_labels(), "kubernetes.io/service-name", "svc1");
    for (const int port : {80, 81}) {
      auto* entry = slice.add_ports();
      entry->set_name(StrCat("p", port));
      entry->set_port(8000 + port);
    }
    for (const Place& place : places) {
      auto* endpoint = slice.add_endpoints();
      endpoint->add_addresses(place.ip);
      endpoint->set_node_name(place.node);
      endpoint->mutable_conditions()->set_ready(place.ready);
      endpoint->mutable_conditions()->set_serving(true);
      endpoint->mutable_conditions()->set_terminating(!place.ready);
    }
    return Object::From(std::move(slice));
  }

  void Open(uint16_t port) {
    bus::FlowOpen open;
    open.set_flow(++flow_);
    open.set_protocol(bus::TCP);
    open.set_source_ip(Ip("127.0.0.9").bits());
    open.set_source_port(static_cast<uint32_t>(5000 + flow_));
    open.set_destination_ip(Ip("127.1.0.1").bits());
    open.set_destination_port(port);
    open.set_credit(64 * 1024);
    bus_.Send("lb", "node-1/iptables", open);
  }
  void Send(const std::string& text, uint64_t offset = 0) {
    bus::FlowData data;
    data.set_flow(flow_);
    data.set_offset(offset);
    data.set_data(text);
    bus_.Send("lb", "node-1/iptables", data);
  }
  std::string Received() {
    std::string text;
    for (const auto& [message, data] : bus_.Take<bus::FlowData>()) {
      EXPECT_EQ(message.to, "lb");
      text += data.data();
    }
    for (const auto& [message, close] : bus_.Take<bus::FlowClose>()) {
      StrAppend(&text, "[", bus::FlowClose::Reason_Name(close.reason()), "]");
    }
    return text;
  }
  std::string Get(uint16_t port, const std::string& path) {
    Open(port);
    Send(StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
    return Received();
  }

  PartHarness bus_;
  KubeProxy proxy_{{.node = "node-1"}};
  bool deaf_ = false;
  DeafIptables iptables_{&deaf_};
  std::map<uint64_t, uint64_t> generation_;
  std::map<uint64_t, uint64_t> sequence_;
  uint64_t revision_ = 0;
  uint64_t flow_ = 0;
};

TEST_F(ProxyHealthTest, HealthzAnswersThroughTheNodesIptables) {
  EXPECT_THAT(
      Get(10256, "/healthz"),
      AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Type: application/json"),
            HasSubstr("X-Content-Type-Options: nosniff\r\n"),
            HasSubstr("{\"lastUpdated\": \"1970-01-01 00:00:00 +0000 UTC\",\"currentTime\": "
                      "\"1970-01-01 00:00:00 +0000 UTC\", \"nodeEligible\": true}")));
  EXPECT_THAT(Get(10256, "/livez"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), Not(HasSubstr("nodeEligible"))));
  EXPECT_THAT(Get(10256, "/"),
              AllOf(StartsWith("HTTP/1.1 404 Not Found\r\n"), HasSubstr("404 page not found\n")));
  EXPECT_EQ(Get(10257, "/"), "[REFUSED][RESET]");  // the request itself comes too late
}

TEST_F(ProxyHealthTest, OneConnectionTakesManyRequests) {
  Open(10256);
  const std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  Send(request + request);
  std::string text = Received();
  EXPECT_EQ(StrSplit(text, '\n').front(), "HTTP/1.1 200 OK\r");
  EXPECT_NE(text.find("HTTP/1.1 200 OK", 10), std::string::npos);
  Send("GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 2 * request.size());
  EXPECT_THAT(Received(), HasSubstr("Connection: close\r\n"));
}

TEST_F(ProxyHealthTest, ANodeThatGoesAwayIsNotEligibleButLives) {
  Event(3, Node("ToBeDeletedByClusterAutoscaler"));
  EXPECT_THAT(Get(10256, "/healthz"), AllOf(StartsWith("HTTP/1.1 503 Service Unavailable\r\n"),
                                            HasSubstr("\"nodeEligible\": false}")));
  EXPECT_THAT(Get(10256, "/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  Event(3, Node("other-taint"));
  EXPECT_THAT(Get(10256, "/healthz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  Event(3, Node("", true));
  EXPECT_THAT(Get(10256, "/healthz"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(ProxyHealthTest, RulesThatAreNotInForceForLongMakeItUnhealthy) {
  Event(1, LocalService());
  Event(2, Slice({{"10.244.1.5", "node-1"}}));
  // iptables no longer takes what kube-proxy says, for example because it hangs.
  deaf_ = true;
  Event(2, Slice({{"10.244.1.6", "node-1"}}));
  EXPECT_THAT(Get(10256, "/healthz"), StartsWith("HTTP/1.1 200 "));
  bus_.Pass(KubeProxy::kHealthTimeout);
  EXPECT_THAT(Get(10256, "/livez"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Get(32000, "/"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\"serviceProxyHealthy\": false")));
}

TEST_F(ProxyHealthTest, AHealthCheckNodePortCountsReadyEndpointsOfItsNode) {
  Event(1, LocalService());
  EXPECT_THAT(Get(32000, "/anything"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("\"localEndpoints\": 0")));
  Event(2, Slice({{"10.244.1.5", "node-1"}, {"10.244.1.6", "node-1"}, {"10.244.2.5", "node-2"}}));
  EXPECT_THAT(Get(32000, "/"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\"localEndpoints\": 2"),
                    HasSubstr("\"serviceProxyHealthy\": true"),
                    HasSubstr("X-Load-Balancing-Endpoint-Weight: 2\r\n")));
  Event(2, Slice({{"10.244.1.5", "node-1", false}, {"10.244.2.5", "node-2"}}));
  EXPECT_THAT(Get(32000, "/"), StartsWith("HTTP/1.1 503 "));
  Event(1, LocalService(), bus::WatchEvent::DELETED);
  EXPECT_EQ(Received(), "[RESET][RESET][RESET]");
  EXPECT_EQ(Get(32000, "/"), "[REFUSED][RESET]");
}

TEST_F(ProxyHealthTest, AnOpenConnectionEndsWithItsPort) {
  Event(1, LocalService());
  Open(32000);
  Event(1, LocalService(), bus::WatchEvent::DELETED);
  EXPECT_EQ(Received(), "[RESET]");
}

TEST_F(ProxyHealthTest, ItsPortsAreListenedOn) {
  Event(1, LocalService());
  std::set<uint32_t> ports;
  for (const auto& [message, listen] : bus_.Take<bus::Listen>()) ports.insert(listen.port());
  EXPECT_THAT(ports, testing::ElementsAre(10256u, 30080u, 30081u, 32000u));
}

}  // namespace
}  // namespace kubemu
