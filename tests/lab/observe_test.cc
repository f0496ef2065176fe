// Reading journals: order, filters, traces, diagrams, and the topology file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "lab/cluster/topology.h"
#include "lab/observe/message_log.h"
#include "lab/observe/space_time.h"
#include "lab/observe/trace_tree.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

bus::JournalRecord Record(bus::JournalRecord::Event event, uint64_t id, int64_t wall,
                          const std::string& from, const std::string& to, bus::MessageKind kind,
                          const std::string& what, uint64_t trace = 1, uint64_t cause = 0) {
  bus::JournalRecord record;
  record.set_event(event);
  record.set_id(id);
  record.set_lamport(id);
  record.set_wall_ns(wall);
  record.set_from(from);
  record.set_to(to);
  record.set_kind(kind);
  record.set_what(what);
  record.set_trace_id(trace);
  record.set_cause(cause);
  return record;
}

std::vector<uint64_t> Ids(const std::vector<SeenMessage*>& messages) {
  std::vector<uint64_t> ids;
  for (const SeenMessage* message : messages) ids.push_back(message->id);
  return ids;
}

TEST(MessageLog, JoinsSenderAndReceiverAndKeepsEffectsBehindCauses) {
  MessageLog log;
  // The receiver's clock is behind: its answer seems to come before the question.
  log.Add({Record(bus::JournalRecord::SENT, 1, 1000, "a", "b", bus::PING, "")});
  log.Add({Record(bus::JournalRecord::RECEIVED, 1, 900, "a", "b", bus::PING, ""),
           Record(bus::JournalRecord::SENT, 2, 910, "b", "a", bus::PONG, "", 1, 1)});
  EXPECT_THAT(Ids(log.Ordered()), ElementsAre(1, 2));
  EXPECT_TRUE(log.Find(1)->between_processes());
  EXPECT_FALSE(log.Find(2)->between_processes());
}

TEST(MessageLog, TheOrderInWhichRecordsAreAddedDoesNotMatter) {
  const auto sent = Record(bus::JournalRecord::SENT, 1, 100, "a", "b", bus::PING, "");
  // A fault has doubled it.
  const auto again = Record(bus::JournalRecord::SENT, 1, 150, "a", "b", bus::PING, "");
  const auto received = Record(bus::JournalRecord::RECEIVED, 1, 120, "a", "b", bus::PING, "");
  auto lost = Record(bus::JournalRecord::LOST, 1, 90, "a", "b", bus::PING, "");
  lost.set_reason("no such address");
  std::vector<bus::JournalRecord> records = {sent, again, received, lost};
  std::vector<int> order = {0, 1, 2, 3};
  do {
    MessageLog log;
    for (int i : order) log.Add({records[static_cast<size_t>(i)]});
    EXPECT_EQ(log.Find(1)->sent, WallTime{Duration(100)});
    EXPECT_EQ(log.Find(1)->received, WallTime{Duration(120)});
    EXPECT_EQ(log.Find(1)->lost, "no such address");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MessageLog, CountsGapsAndTellsWhyAMessageWasLost) {
  MessageLog log;
  bus::JournalRecord gap;
  gap.set_event(bus::JournalRecord::GAP);
  gap.set_lamport(17);
  bus::JournalRecord lost = Record(bus::JournalRecord::LOST, 3, 5, "a", "b", bus::PING, "");
  lost.set_reason("fault cut");
  log.Add({gap, lost});
  EXPECT_EQ(log.gaps(), 17u);
  EXPECT_THAT(FormatLine(*log.Ordered().at(0), false), HasSubstr("LOST: fault cut"));
}

TEST(MessageFilter, HidesBackgroundUnlessAskedAndMatchesAddressesByTheirParts) {
  MessageLog log;
  log.Add({Record(bus::JournalRecord::SENT, 1, 1, "lb", "node-1/kube-proxy", bus::HEALTH_CHECK, ""),
           Record(bus::JournalRecord::SENT, 3, 1, "lb/health", "node-1/iptables", bus::FLOW_OPEN,
                  "127.2.0.0:32768 -> 127.1.0.1:10256"),
           Record(bus::JournalRecord::SENT, 2, 2, "node-1/iptables", "node-10/iptables",
                  bus::FLOW_OPEN, "x", 2)});
  const auto count = [&log](const MessageFilter& filter) {
    int matches = 0;
    for (const SeenMessage* message : log.Ordered()) matches += filter.Matches(*message);
    return matches;
  };
  EXPECT_EQ(count({}), 1);
  EXPECT_EQ(count({.background = true}), 3);
  EXPECT_EQ(count({.to = "node-1"}), 0);  // node-10 is another node
  EXPECT_EQ(count({.from = "node-1"}), 1);
  EXPECT_EQ(count({.kind = "flowopen"}), 1);
  EXPECT_EQ(count({.kind = "FlowData"}), 0);
  EXPECT_EQ(count({.text = "y"}), 0);
}

TEST(TraceTree, KeepsTheWayToEachEffectAndDropsWhatLedToNothing) {
  MessageLog log;
  log.Add(
      {Record(bus::JournalRecord::SENT, 1, 1000, "client/kubectl", "master/apiserver",
              bus::HTTP_REQUEST, "POST /apis/apps/v1/x?fieldManager=kubectl-client-side-apply", 9),
       Record(bus::JournalRecord::DELIVERED, 2, 2000, "master/apiserver", "master/scheduler",
              bus::WATCH_EVENT, "ADDED pods default/p", 9, 1),
       Record(bus::JournalRecord::DELIVERED, 3, 2500, "master/apiserver",
              "master/controllers/endpoints", bus::WATCH_EVENT, "ADDED pods default/p", 9, 1),
       Record(bus::JournalRecord::DELIVERED, 4, 3000, "master/scheduler", "master/apiserver",
              bus::API_REQUEST, "CREATE pods/binding default/p", 9, 2)});
  EXPECT_EQ(FindTrace(log, "last-apply"), 9u);
  EXPECT_EQ(FindTrace(log, "00000000000000ff"), std::nullopt);
  const auto lines = TraceTree(log, 9, {});
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[0], HasSubstr("HttpRequest"));
  EXPECT_THAT(lines[1], HasSubstr("  master/apiserver -> master/scheduler  WatchEvent"));
  EXPECT_THAT(lines[2], HasSubstr("    master/scheduler -> master/apiserver  ApiRequest"));
  EXPECT_THAT(TraceTree(log, 9, {.full = true}), SizeIs(4));
}

TEST(SpaceTime, DrawsALineForEachAddressAndAnArrowForEachMessage) {
  MessageLog log;
  log.Add({Record(bus::JournalRecord::SENT, 1, 1000, "internet/1.2.3.4:5", "lb", bus::FLOW_OPEN,
                  "1.2.3.4:5 -> 127.2.0.1:80"),
           Record(bus::JournalRecord::SENT, 2, 2000, "lb", "node-1/iptables", bus::FLOW_OPEN, "", 1,
                  1)});
  std::vector<const SeenMessage*> messages(log.Ordered().begin(), log.Ordered().end());
  const std::string svg = SpaceTimeSvg(messages, "two <hops>");
  EXPECT_THAT(svg, HasSubstr("two &lt;hops&gt;"));
  EXPECT_THAT(svg, HasSubstr("node-1/iptables"));
  size_t arrows = 0;
  for (size_t at = svg.find("class=\"m\""); at != std::string::npos;
       at = svg.find("class=\"m\"", at + 1)) {
    ++arrows;
  }
  EXPECT_EQ(arrows, 2u);
}

TEST(SpaceTime, LabelsTheEndOfAFlowAsFin) {
  MessageLog log;
  log.Add({Record(bus::JournalRecord::SENT, 1, 1000, "a", "b", bus::FLOW_DATA, "FIN"),
           Record(bus::JournalRecord::SENT, 2, 2000, "b", "a", bus::FLOW_CLOSE, "DONE"),
           Record(bus::JournalRecord::SENT, 3, 3000, "b", "a", bus::FLOW_CLOSE, "RESET"),
           Record(bus::JournalRecord::SENT, 4, 4000, "b", "a", bus::FLOW_DATA, "")});
  std::vector<const SeenMessage*> messages(log.Ordered().begin(), log.Ordered().end());
  const std::string svg = SpaceTimeSvg(messages, "");
  EXPECT_THAT(svg, HasSubstr(">FIN (FlowData)<"));
  EXPECT_THAT(svg, HasSubstr(">FIN (FlowClose)<"));
  EXPECT_THAT(svg, HasSubstr(">FlowClose RESET<"));
  EXPECT_THAT(svg, HasSubstr(">FlowData<"));
}

TEST(Topology, SurvivesSavingAndLoadingAndTellsOfDamage) {
  const std::filesystem::path file =
      std::filesystem::path(testing::TempDir()) / "kubemu-topology-test.json";
  Topology topology;
  topology.cluster = "t";
  topology.nodes = 7;
  topology.time_scale = 2.5;
  topology.api = "127.0.0.1:1";
  topology.Put({"node-1", 42, 99, "127.1.0.1"});
  ASSERT_TRUE(topology.Save(file).ok());
  const auto loaded = Topology::Load(file);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->nodes, 7);
  EXPECT_EQ(loaded->time_scale, 2.5);
  EXPECT_EQ(loaded->processes.at(0).start_time, 99u);
  std::ofstream(file) << "{\"cluster\": 1";
  EXPECT_TRUE(absl::IsDataLoss(Topology::Load(file).status()));
  std::filesystem::remove(file);
  EXPECT_TRUE(absl::IsNotFound(Topology::Load(file).status()));
}

TEST(Topology, GivesEachNodeAnAddressOfItsOwn) {
  Topology topology;
  topology.block = 1;
  std::set<std::string> addresses;
  for (int number = 1; number <= 2000; ++number) {
    const std::string address = topology.NodeAddress(number);
    EXPECT_TRUE(address.starts_with("127.3.")) << address;
    EXPECT_THAT(address, Not(HasSubstr(".255")));
    addresses.insert(address);
  }
  EXPECT_THAT(addresses, SizeIs(2000));
}

TEST(ClusterProcess, IsGoneWhenThePidBelongsToSomeoneElse) {
  ClusterProcess process{"me", getpid(), ProcessStartTime(getpid()), ""};
  EXPECT_EQ(process.State(), "running");
  process.start_time += 1;
  EXPECT_EQ(process.State(), "gone");
}

}  // namespace
}  // namespace kubemu
