// The load balancer: addresses, health, and the way of a connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "lb/address_pool.h"
#include "lb/health.h"
#include "lb/load_balancer.h"
#include "messages/api/kinds.h"
#include "messages/api/labels.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(AddressPool, GivesLowestFreeAddressAndKeepsIt) {
  AddressPool pool(Ipv4Network(Ipv4(127, 2, 0, 0), 30));  // two usable addresses
  EXPECT_EQ(pool.Take("a", std::nullopt), Ipv4(127, 2, 0, 1));
  EXPECT_EQ(pool.Take("a", std::nullopt), Ipv4(127, 2, 0, 1));
  EXPECT_EQ(pool.Take("b", std::nullopt), Ipv4(127, 2, 0, 2));
  EXPECT_EQ(pool.Take("c", std::nullopt), std::nullopt);
  pool.Release("a");
  EXPECT_EQ(pool.Take("c", std::nullopt), Ipv4(127, 2, 0, 1));
}

TEST(AddressPool, GivesTheWantedAddressOrNone) {
  AddressPool pool(Ipv4Network(Ipv4(127, 2, 0, 0), 24));
  EXPECT_EQ(pool.Take("a", Ipv4(127, 2, 0, 9)), Ipv4(127, 2, 0, 9));
  EXPECT_EQ(pool.Take("b", Ipv4(127, 2, 0, 9)), std::nullopt);  // taken
  EXPECT_EQ(pool.Take("b", Ipv4(127, 2, 0, 0)), std::nullopt);  // the network itself
  EXPECT_EQ(pool.Take("b", Ipv4(127, 9, 0, 1)), std::nullopt);  // elsewhere
}

// Steps the load balancer by hand and answers for the API server, the door and the nodes.
class LoadBalancerTest : public testing::Test {
 protected:
  void Step(const Message* message) {
    Outbox outbox("lb", message == nullptr ? Trace{} : message->Context());
    Env env{now_, WallTime{}, random_, outbox};
    if (message != nullptr) {
      lb_.Receive(*message, env);
    } else {
      lb_.Tick(env);
    }
    for (Message& sent : outbox.messages()) sent_.push_back(std::move(sent));
  }

  template <class T>
  void Deliver(const std::string& from, T body, std::vector<Object> objects = {}) {
    Outbox outbox(from, Trace{7, 7});
    outbox.Send("lb", std::move(body), std::move(objects));
    Step(&outbox.messages()[0]);
  }

  void Advance(Duration by) {
    now_ += by;
    while (lb_.NextWake() <= now_) Step(nullptr);
  }

  // Everything of type T that was sent since the last Take, oldest first.
  template <class T>
  std::vector<T> Take() {
    std::vector<T> taken;
    std::vector<Message> rest;
    for (Message& message : sent_) {
      if (message.kind == MessageKindOf<T>()) {
        to_ = message.to;
        objects_ = message.objects;
        taken.push_back(message.As<T>());
      } else {
        rest.push_back(std::move(message));
      }
    }
    sent_ = std::move(rest);
    return taken;
  }

  void Watched(uint64_t stream, Object object,
               bus::WatchEvent::Type type = bus::WatchEvent::ADDED) {
    bus::WatchEvent event;
    event.set_stream(stream);
    event.set_generation(1);
    event.set_sequence(++sequence_[stream]);
    event.set_type(type);
    event.set_revision(object.revision());
    Deliver("master/apiserver", std::move(event), {object});
  }

  static Object Service(uint64_t revision, const std::string& type = "LoadBalancer") {
    k8s::core::v1::Service service;
    service.mutable_metadata()->set_namespace_("default");
    service.mutable_metadata()->set_name("web");
    service.mutable_metadata()->set_resource_version(std::to_string(revision));
    service.mutable_spec()->set_type(type);
    auto* port = service.mutable_spec()->add_ports();
    port->set_port(8080);
    port->set_node_port(30080);
    port->set_protocol("TCP");
    return Object::From(std::move(service), Trace{5, 5});
  }

  static Object Node(int number) {
    k8s::core::v1::Node node;
    node.mutable_metadata()->set_name("node-" + std::to_string(number));
    node.mutable_metadata()->set_resource_version(std::to_string(number));
    SetEntry(node.mutable_metadata()->mutable_annotations(), "kubemu.io/endpoint",
             "tcp://127.1.0." + std::to_string(number) + ":7");
    auto* address = node.mutable_status()->add_addresses();
    address->set_type("InternalIP");
    address->set_address("127.1.0." + std::to_string(number));
    return Object::From(std::move(node));
  }

  void Listening(const std::string& error = "") {
    bus::ListenResult result;
    result.set_ip(Ipv4(127, 2, 0, 1).bits());
    result.set_port(8080);
    result.set_error(error);
    Deliver("lb/door", std::move(result));
  }

  // Answers every health check that was sent, but for those to `silent`.
  void AnswerChecks(const std::set<std::string>& silent = {}) {
    std::vector<Message> checks;
    for (const Message& message : sent_) {
      if (message.kind == bus::HEALTH_CHECK) checks.push_back(message);
    }
    Take<bus::HealthCheck>();
    for (const Message& check : checks) {
      if (silent.contains(std::string(ProcessOf(check.to)))) continue;
      bus::HealthCheckResult result;
      result.set_number(check.As<bus::HealthCheck>().number());
      result.set_healthy(true);
      Deliver(check.to, std::move(result));
    }
  }

  // Two healthy nodes and a Service that is listened on.
  void Ready() {
    Advance(Duration{});
    Watched(2, Node(1));
    Watched(2, Node(2));
    Advance(Duration{});
    AnswerChecks();
    Watched(1, Service(10));
    Listening();
    sent_.clear();
  }

  std::string OpenConnection(uint64_t flow) {
    bus::FlowOpen open;
    open.set_flow(flow);
    open.set_protocol(bus::TCP);
    open.set_source_ip(Ipv4(127, 0, 0, 1).bits());
    open.set_source_port(40000);
    open.set_destination_ip(Ipv4(127, 2, 0, 1).bits());
    open.set_destination_port(8080);
    open.set_credit(1000);
    Deliver("internet/127.0.0.1:40000", std::move(open));
    return sent_.empty() ? "" : sent_.back().to;
  }

  LoadBalancer lb_{LoadBalancer::Options{}};
  Random random_{1};
  Time now_{};
  std::vector<Message> sent_;
  std::map<uint64_t, uint64_t> sequence_;
  std::string to_;  // of the last message taken
  std::vector<Object> objects_;
};

TEST_F(LoadBalancerTest, WritesTheAddressOnlyWhenItIsListenedOn) {
  Advance(Duration{});
  Watched(1, Service(10));
  const auto listens = Take<bus::Listen>();
  ASSERT_THAT(listens, SizeIs(1));
  EXPECT_EQ(Ipv4(listens[0].ip()), Ipv4(127, 2, 0, 1));
  EXPECT_EQ(listens[0].port(), 8080u);
  for (const bus::ApiRequest& request : Take<bus::ApiRequest>()) {
    EXPECT_EQ(request.verb(), bus::CREATE);  // events, no status yet
  }
  Listening();
  const auto writes = Take<bus::ApiRequest>();
  ASSERT_THAT(writes, SizeIs(1));
  EXPECT_EQ(writes[0].subresource(), "status");
  EXPECT_EQ(objects_.at(0).As<k8s::core::v1::Service>().status().load_balancer().ingress(0).ip(),
            "127.2.0.1");
}

TEST_F(LoadBalancerTest, TriesABusyAddressAgainAndSaysSo) {
  Advance(Duration{});
  Watched(1, Service(10));
  sent_.clear();
  Listening("address already in use");
  ASSERT_THAT(Take<bus::ApiRequest>(), SizeIs(1));  // the event
  EXPECT_THAT(Take<bus::Listen>(), IsEmpty());
  Advance(LoadBalancer::kRetryInterval);
  EXPECT_THAT(Take<bus::Listen>(), SizeIs(1));
}

TEST_F(LoadBalancerTest, SpreadsConnectionsOverTheNodesInTurn) {
  Ready();
  EXPECT_EQ(OpenConnection(1), "node-1/iptables");
  EXPECT_EQ(OpenConnection(2), "node-2/iptables");
  EXPECT_EQ(OpenConnection(3), "node-1/iptables");
  const auto opens = Take<bus::FlowOpen>();
  ASSERT_THAT(opens, SizeIs(3));
  EXPECT_EQ(Ipv4(opens[0].destination_ip()), Ipv4(127, 1, 0, 1));
  EXPECT_EQ(opens[0].destination_port(), 30080u);
  EXPECT_EQ(Ipv4(opens[0].source_ip()), Ipv4(127, 0, 0, 1));  // the client's own
}

TEST_F(LoadBalancerTest, TakesOutANodeThatStopsAnsweringAndSaysSo) {
  Ready();
  Advance(NodeHealth::kInterval);
  for (int i = 0; i < NodeHealth::kFailuresMax; ++i) {
    AnswerChecks({"node-2"});
    Advance(NodeHealth::kTimeout);
  }
  std::vector<std::string> reasons;
  for (const Message& message : sent_) {
    if (message.kind == bus::API_REQUEST) {
      EXPECT_EQ(message.objects.at(0).kind().plural, "events");
      reasons.push_back(message.As<bus::ApiRequest>().namespace_());
    }
  }
  EXPECT_THAT(reasons, SizeIs(1));
  sent_.clear();
  EXPECT_EQ(OpenConnection(1), "node-1/iptables");
  EXPECT_EQ(OpenConnection(2), "node-1/iptables");
}

TEST_F(LoadBalancerTest, TakesOutANodeAtOnceWhenItsLinkIsDown) {
  Ready();
  bus::LinkDown down;
  down.set_process("node-1");
  Deliver("lb/bus", std::move(down));
  sent_.clear();
  EXPECT_EQ(OpenConnection(1), "node-2/iptables");
  EXPECT_EQ(OpenConnection(2), "node-2/iptables");
}

TEST_F(LoadBalancerTest, RefusesAConnectionWhenNoNodeAnswers) {
  Advance(Duration{});
  Watched(1, Service(10));
  Listening();
  sent_.clear();
  OpenConnection(1);
  const auto closes = Take<bus::FlowClose>();
  ASSERT_THAT(closes, SizeIs(1));
  EXPECT_EQ(closes[0].reason(), bus::FlowClose::UNREACHABLE);
  EXPECT_TRUE(closes[0].reply());
  EXPECT_EQ(to_, "internet/127.0.0.1:40000");
}

TEST_F(LoadBalancerTest, PassesDataBothWaysAndResetsOnALostMessage) {
  Ready();
  OpenConnection(1);
  const uint64_t far = Take<bus::FlowOpen>().at(0).flow();
  bus::FlowData data;
  data.set_flow(1);
  data.set_data("GET");
  Deliver("internet/127.0.0.1:40000", data);
  Deliver("internet/127.0.0.1:40000", data);  // doubled: passed once
  const auto passed = Take<bus::FlowData>();
  ASSERT_THAT(passed, SizeIs(1));
  EXPECT_EQ(passed[0].flow(), far);
  EXPECT_EQ(to_, "node-1/iptables");
  bus::FlowData answer;
  answer.set_flow(far);
  answer.set_reply(true);
  answer.set_offset(5);  // the first five bytes were lost
  answer.set_data("late");
  Deliver("node-1/iptables", answer);
  EXPECT_THAT(Take<bus::FlowData>(), IsEmpty());
  EXPECT_THAT(Take<bus::FlowClose>(), SizeIs(2));  // both sides hear of it
}

TEST_F(LoadBalancerTest, StopsListeningWhenTheServiceChangesItsType) {
  Ready();
  Watched(1, Service(11, "ClusterIP"), bus::WatchEvent::MODIFIED);
  EXPECT_THAT(Take<bus::Unlisten>(), SizeIs(1));
  sent_.clear();
  OpenConnection(1);
  const auto closes = Take<bus::FlowClose>();
  ASSERT_THAT(closes, SizeIs(1));
  EXPECT_EQ(closes[0].reason(), bus::FlowClose::REFUSED);
}

}  // namespace
}  // namespace kubemu
