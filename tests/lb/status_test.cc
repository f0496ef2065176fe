// What the load balancer tells of itself: kubemu lb status and Prometheus' metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "messages/core/strings.h"
#include "tests/lb/lb_world.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;
using Health = LbWorld::Health;

boost::json::value Status(LbWorld& world) {
  return boost::json::parse(world.Ask("status"));
}

// A value by its path, as JSON text.
std::string At(const boost::json::value& value, const std::string& path) {
  boost::system::error_code error;
  const boost::json::value* found = value.find_pointer(path, error);
  return found == nullptr ? "(none)" : boost::json::serialize(*found);
}

// The series of a text in Prometheus' format, which is checked on the way: HELP and TYPE stand
// before their series, once.
std::map<std::string, uint64_t> Series(const std::string& text) {
  static const std::regex help("# HELP ([a-z_]+) [^\n]+");
  static const std::regex type("# TYPE ([a-z_]+) (counter|gauge)");
  static const std::regex series(
      "([a-z_]+)(\\{[a-z]+=\"[^\"\\\\]*\"(,[a-z]+=\"[^\"\\\\]*\")*\\})? ([0-9]+)");
  std::map<std::string, uint64_t> values;
  std::set<std::string> families;
  std::string family;
  std::string kind;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      family = match[1];
      kind.clear();
      EXPECT_TRUE(families.insert(family).second) << line;
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], family);
      kind = match[2];
      EXPECT_EQ(kind == "counter", family.ends_with("_total")) << line;
    } else if (std::regex_match(line, match, series)) {
      EXPECT_EQ(match[1], family);
      EXPECT_NE(kind, "");
      EXPECT_TRUE(
          values.emplace(StrCat(match[1].str(), match[2].str()), std::stoull(match[4])).second)
          << line;
    } else {
      ADD_FAILURE() << "not of the format: " << line;
    }
  }
  EXPECT_TRUE(text.empty() || text.back() == '\n');
  return values;
}

std::map<std::string, uint64_t> Metrics(LbWorld& world) {
  return Series(world.Http("/metrics"));
}

TEST(LbStatus, SaysWhatIsAskedAndWhatHappened) {
  LbWorld world;
  world.Ready(3, {{"policy", "weighted"}, {"max-connections", "3"}});
  world.AddNode(2, {{"kubemu.io/lb-weight", "4"}});
  world.AddNode(3, {}, {{"node.kubernetes.io/exclude-from-external-load-balancers", ""}});
  world.SetHealth(1, Health::kBad);
  world.Advance(5s);
  world.Visit(1);
  world.Open(2);
  world.Accept(2);
  world.SendIn(2, "12345");
  world.SendOut(2, "123456789");
  const boost::json::value status = Status(world);
  const std::string service = "/services/0";
  EXPECT_EQ(At(status, service + "/namespace"), "\"default\"");
  EXPECT_EQ(At(status, service + "/name"), "\"web\"");
  EXPECT_EQ(At(status, service + "/address"), "\"127.2.0.1\"");
  EXPECT_EQ(At(status, service + "/ports"),
            "[{\"port\":8080,\"nodePort\":30080,\"listening\":true}]");
  EXPECT_EQ(At(status, service + "/policy"), "\"weighted\"");
  EXPECT_EQ(At(status, service + "/externalTrafficPolicy"), "\"Cluster\"");
  EXPECT_EQ(At(status, service + "/settings"),
            "{\"slowStart\":\"0s\",\"maxConnections\":3,\"idleTimeout\":\"350s\","
            "\"drainTime\":\"1m\",\"ejectionFailures\":5,\"proxyProtocol\":\"none\"}");
  EXPECT_EQ(At(status, service + "/connections"), "{\"now\":1,\"total\":2}");
  EXPECT_EQ(At(status, service + "/bytes"), "{\"in\":9,\"out\":13}");
  EXPECT_EQ(At(status, service + "/nodes/0/name"), "\"node-1\"");
  EXPECT_EQ(At(status, service + "/nodes/0/state"), "\"down\"");
  EXPECT_EQ(At(status, service + "/nodes/0/check/result"), "\"503 Service Unavailable\"");
  EXPECT_EQ(At(status, service + "/nodes/0/check/up"), "false");
  EXPECT_EQ(At(status, service + "/nodes/1/state"), "\"up\"");
  EXPECT_EQ(At(status, service + "/nodes/1/weight"), "4");
  EXPECT_EQ(At(status, service + "/nodes/1/connections"), "{\"now\":1,\"total\":2}");
  EXPECT_EQ(At(status, service + "/nodes/1/check/result"), "\"200 OK\"");
  EXPECT_THAT(At(status, service + "/nodes/1/check/at"), HasSubstr("2023-11-14T22:13:2"));
  EXPECT_EQ(At(status, service + "/nodes/2/state"), "\"draining\"");
  EXPECT_EQ(At(status, service + "/nodes/2/excluded"),
            "\"it has the label node.kubernetes.io/exclude-from-external-load-balancers\"");
}

TEST(LbStatus, CountsRefusalsByCause) {
  LbWorld world;
  world.Ready(1, {{"max-connections", "1"}}, [](k8s::core::v1::Service* service) {
    service->mutable_spec()->add_load_balancer_source_ranges("203.0.113.0/24");
  });
  world.Open(1);
  world.Accept(1);
  world.Open(2);                              // the limit
  world.Open(3, Ipv4(10, 0, 0, 1));           // the range
  world.Open(4, Ipv4(203, 0, 113, 1), 9999);  // no Service's port
  world.LinkDown(1);                          // ends flow 1
  world.Open(5);                              // no node
  const boost::json::value status = Status(world);
  EXPECT_EQ(At(status, "/services/0/refused"),
            "{\"noNode\":1,\"limit\":1,\"sourceRange\":1,\"connect\":0}");
  EXPECT_EQ(At(status, "/services/0/reset"), "{\"idle\":0,\"drain\":0,\"nodeLost\":1}");
  EXPECT_EQ(At(status, "/unknownAddress"), "1");
}

TEST(LbStatus, NamesEachStateOfANode) {
  LbWorld world;
  world.Ready(2, {{"slow-start", "10s"}});
  EXPECT_EQ(At(Status(world), "/services/0/nodes/0/state"), "\"slow-start\"");
  world.Advance(10s);
  EXPECT_EQ(At(Status(world), "/services/0/nodes/0/state"), "\"up\"");
  for (uint64_t flow = 1; world.ClosedFor(flow - 1) == bus::FlowClose::REASON_UNSPECIFIED &&
                          At(Status(world), "/services/0/nodes/0/ejections") == "0";
       ++flow) {
    if (world.Open(flow) == "node-1") world.Refuse(flow, bus::FlowClose::TIMED_OUT);
    world.Accept(flow);
    world.SendIn(flow, "", true);
    world.SendOut(flow, "", true);
  }
  EXPECT_EQ(At(Status(world), "/services/0/nodes/0/state"), "\"ejected\"");
  EXPECT_EQ(At(Status(world), "/services/0/nodes/0/failures"), "5");
}

TEST(LbStatus, AQuestionThatIsNotKnownIsRefused) {
  LbWorld world;
  EXPECT_THAT(world.Ask("weather"), HasSubstr("the question \"weather\" is not known here"));
}

TEST(LbMetrics, AreInPrometheusFormatAndInTheSameOrderEachTime) {
  LbWorld world;
  world.Ready(3);
  world.Visit(1);
  const std::string text = world.Http("/metrics");
  EXPECT_EQ(world.Http("/metrics"), text);
  const auto metrics = Series(text);
  const std::string front = "{namespace=\"default\",service=\"web\"}";
  const std::string server = "{namespace=\"default\",service=\"web\",node=\"node-1\"}";
  EXPECT_EQ(metrics.at("kubemu_lb_frontend_sessions_total" + front), 1u);
  EXPECT_EQ(metrics.at("kubemu_lb_frontend_current_sessions" + front), 0u);
  EXPECT_EQ(metrics.at("kubemu_lb_frontend_bytes_in_total" + front), 4u);
  EXPECT_EQ(metrics.at("kubemu_lb_server_sessions_total" + server), 1u);
  EXPECT_EQ(metrics.at("kubemu_lb_server_status{namespace=\"default\",service=\"web\","
                       "node=\"node-1\",state=\"up\"}"),
            1u);
  EXPECT_EQ(metrics.at("kubemu_lb_check_status{node=\"node-3\",port=\"10256\"}"), 1u);
  EXPECT_EQ(metrics.at("kubemu_lb_frontend_info{namespace=\"default\",service=\"web\","
                       "address=\"127.2.0.1\",policy=\"round-robin\"}"),
            1u);
}

TEST(LbMetrics, CountersOnlyGrow) {
  LbWorld world;
  world.Ready(3, {{"max-connections", "4"}});
  Random random(5);
  std::map<std::string, uint64_t> before = Metrics(world);
  uint64_t flow = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 3; ++i) {
      if (world.Open(++flow).empty()) continue;
      if (random.Chance(0.3)) world.Refuse(flow, bus::FlowClose::UNREACHABLE);
      if (world.NodeOf(flow).empty()) continue;
      world.Accept(flow);
      world.SendIn(flow, "abc", random.Chance(0.7));
      world.SendOut(flow, "defg", random.Chance(0.7));
    }
    const int node = static_cast<int>(random.Uniform(3)) + 1;
    if (random.Chance(0.2)) world.LinkDown(node);
    world.SetHealth(node, random.Chance(0.3) ? Health::kRefuses : Health::kGood);
    world.Advance(Duration(random.Uniform(3'000'000'000)));
    const std::map<std::string, uint64_t> after = Metrics(world);
    for (const auto& [name, value] : before) {
      if (name.substr(0, name.find('{')).ends_with("_total")) {
        EXPECT_GE(after.at(name), value) << name;
      }
    }
    before = after;
  }
  EXPECT_GT(before.at("kubemu_lb_process_connections_total"), 20u);
}

TEST(LbMetrics, OtherPathsAreNotFound) {
  LbWorld world;
  uint32_t status = 0;
  EXPECT_THAT(world.Http("/", &status), HasSubstr("/metrics"));
  EXPECT_EQ(status, 404u);
  world.Http("/metrics?x=1", &status);
  EXPECT_EQ(status, 200u);
}

}  // namespace
}  // namespace kubemu
