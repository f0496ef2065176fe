#include "messages/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr WallTime kWall{std::chrono::seconds(1'700'000'000)};

Time At(Duration since_start) {
  return Time(since_start);
}

bus::Ping PingOf(uint64_t number) {
  bus::Ping ping;
  ping.set_number(number);
  return ping;
}

// A part that does what a test tells it to, and keeps the numbers of the Pings it saw.
class Probe : public Component {
 public:
  std::function<void(const Message&, Env&)> on_message = [](const Message&, Env&) {};
  std::function<void(Env&)> on_tick = [](Env&) {};
  Time wake = kNever;

  void Receive(const Message& message, Env& env) override {
    messages.push_back(message);
    on_message(message, env);
  }
  void Tick(Env& env) override {
    ++ticks;
    wake = kNever;
    on_tick(env);
  }
  Time NextWake() const override { return wake; }

  std::vector<uint64_t> Numbers() const {
    std::vector<uint64_t> numbers;
    for (const Message& message : messages) {
      if (message.kind == bus::PING) numbers.push_back(message.As<bus::Ping>().number());
    }
    return numbers;
  }

  std::vector<Message> messages;
  int ticks = 0;
};

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    process_.Add("node-1/a", &a_);
    process_.Add("node-1/b", &b_);
  }
  void Send(const std::string& to, uint64_t number) {
    process_.Inject("node-1/door", to, PingOf(number), At(0s), kWall);
  }
  std::vector<bus::JournalRecord> Records(bus::JournalRecord::Event event) {
    journal_.Flush();
    std::vector<bus::JournalRecord> all;
    std::string error;
    ReadJournal(sink_.bytes(), &all, &error);
    EXPECT_EQ(error, "");
    std::erase_if(all, [&](const auto& record) { return record.event() != event; });
    return all;
  }

  MemoryJournalSink sink_;
  Journal journal_{&sink_};
  Process process_{{.name = "node-1", .epoch = 7, .seed = 3}, &journal_};
  Probe a_;
  Probe b_;
};

TEST_F(ProcessTest, MessagesArriveInTheOrderInWhichTheyWereSent) {
  a_.on_message = [](const Message& message, Env& env) {
    if (message.kind != bus::PING) return;
    for (uint64_t i = 0; i < 3; ++i) {
      env.outbox.Send("node-1/b", PingOf(10 * message.As<bus::Ping>().number() + i));
    }
  };
  Send("node-1/a", 1);
  Send("node-1/a", 2);
  process_.Turn(At(1s), kWall);
  EXPECT_THAT(b_.Numbers(), ElementsAre(10, 11, 12, 20, 21, 22));
}

// 24 bits, which once told processes apart, would let some 3 pairs of these share their ids.
TEST(MessageIds, AreUniqueOverTheProcessesOfALargeClusterAndTheirIncarnations) {
  std::set<uint64_t> seen;
  for (int node = 1; node <= 5000; ++node) {
    for (uint64_t epoch : {1, 2}) {
      MessageIds ids(StrCat("node-", node), epoch);
      for (int i = 0; i < 3; ++i) seen.insert(ids.Next());
    }
  }
  EXPECT_EQ(seen.size(), 30'000u);
  EXPECT_FALSE(seen.contains(0));
}

TEST(MessageIds, GoOnInAnotherBlockWhenOneIsUsedUp) {
  constexpr uint64_t kBlock = (uint64_t{1} << MessageIds::kCountBits) - 1;
  MessageIds ids("master", 1);
  const uint64_t first = ids.Next();
  uint64_t last = first;
  for (uint64_t i = 1; i < kBlock; ++i) last = ids.Next();
  EXPECT_EQ(last, first + kBlock - 1);
  const uint64_t next = ids.Next();
  EXPECT_NE(next >> MessageIds::kCountBits, first >> MessageIds::kCountBits);
  EXPECT_EQ(ids.Next(), next + 1);
}

TEST(MessageIds, AreTheSameForTheSameIncarnation) {
  EXPECT_EQ(MessageIds("lb", 3).Next(), MessageIds("lb", 3).Next());
  EXPECT_NE(MessageIds("lb", 3).Next(), MessageIds("lb", 4).Next());
}

TEST_F(ProcessTest, WhatAMessageCausesCarriesItsTraceAndALaterLamportTime) {
  a_.on_message = [](const Message&, Env& env) { env.outbox.Send("node-1/b", PingOf(2)); };
  Send("node-1/a", 1);
  process_.Turn(At(1s), kWall);
  ASSERT_THAT(a_.messages, SizeIs(1));
  ASSERT_THAT(b_.messages, SizeIs(1));
  EXPECT_NE(a_.messages[0].trace.trace_id, 0u);
  EXPECT_EQ(b_.messages[0].trace.trace_id, a_.messages[0].trace.trace_id);
  EXPECT_EQ(b_.messages[0].trace.cause, a_.messages[0].id);
  EXPECT_GT(b_.messages[0].lamport, a_.messages[0].lamport);
}

TEST_F(ProcessTest, ATickBeginsANewTraceUnlessThePartSaysBecauseOfWhat) {
  a_.wake = At(1s);
  a_.on_tick = [](Env& env) {
    env.outbox.Send("node-1/b", PingOf(1));
    env.outbox.Because(Trace{99, 5});
    env.outbox.Send("node-1/b", PingOf(2));
  };
  process_.Turn(At(1s), kWall);
  ASSERT_THAT(b_.messages, SizeIs(2));
  EXPECT_NE(b_.messages[0].trace.trace_id, 99u);
  EXPECT_EQ(b_.messages[0].trace.cause, 0u);
  EXPECT_EQ(b_.messages[1].trace, (Trace{99, 5}));
}

TEST_F(ProcessTest, ADeliveredMessagePushesTheLamportClock) {
  Message message;
  message.id = 5;
  message.lamport = 1000;
  message.from = "master/apiserver";
  message.to = "node-1/a";
  message.kind = bus::PING;
  message.body = std::make_shared<bus::Ping>(PingOf(1));
  a_.on_message = [](const Message&, Env& env) { env.outbox.Send("master/x", PingOf(2)); };
  process_.Deliver(message, At(0s), kWall);
  process_.Turn(At(0s), kWall);
  const auto out = process_.TakeOutgoing();
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_GT(out[0].lamport, 1000u);
  EXPECT_EQ(out[0].to, "master/x");
  EXPECT_THAT(process_.TakeOutgoing(), IsEmpty());
}

TEST_F(ProcessTest, IdsDifferBetweenIncarnations) {
  Process next({.name = "node-1", .epoch = 8, .seed = 3}, &journal_);
  next.Inject("x", "master/a", PingOf(1), At(0s), kWall);
  process_.Inject("x", "master/a", PingOf(1), At(0s), kWall);
  EXPECT_NE(next.TakeOutgoing()[0].id, process_.TakeOutgoing()[0].id);
}

TEST_F(ProcessTest, PartsAreTickedWhenDueAndNotBefore) {
  a_.wake = At(2s);
  process_.Turn(At(1s), kWall);
  EXPECT_EQ(a_.ticks, 0);
  EXPECT_EQ(process_.NextWake(), At(2s));
  process_.Turn(At(2s), kWall);
  EXPECT_EQ(a_.ticks, 1);
  EXPECT_EQ(process_.NextWake(), kNever);
}

TEST_F(ProcessTest, AnAliasCoversTheAddressesBelowIt) {
  process_.Alias("node-1/pod/", &b_);
  Send("node-1/pod/default/web", 1);
  Send("node-1/nobody", 2);
  process_.Turn(At(1s), kWall);
  EXPECT_THAT(b_.Numbers(), ElementsAre(1));
  ASSERT_THAT(Records(bus::JournalRecord::LOST), SizeIs(1));
  EXPECT_EQ(Records(bus::JournalRecord::LOST)[0].reason(), "no such address");
}

TEST_F(ProcessTest, AStormInsideIsCutIntoTurnsAndNothingIsLost) {
  a_.on_message = [](const Message& message, Env& env) {
    const uint64_t number = message.As<bus::Ping>().number();
    if (number < 3 * Process::kTurnStepsMax) env.outbox.Send("node-1/a", PingOf(number + 1));
  };
  Send("node-1/a", 1);
  process_.Turn(At(1s), kWall);
  EXPECT_THAT(a_.messages, SizeIs(Process::kTurnStepsMax));
  EXPECT_EQ(process_.NextWake(), Time{});  // at once
  process_.Turn(At(1s), kWall);
  process_.Turn(At(1s), kWall);
  EXPECT_THAT(a_.messages, SizeIs(3 * Process::kTurnStepsMax));
  EXPECT_EQ(process_.NextWake(), kNever);
}

TEST_F(ProcessTest, ALossByFaultIsJournalledWithItsRule) {
  FaultRule rule;
  rule.id = "rule-1";
  rule.to = "node-1/b";
  rule.loss = 1;
  process_.faults().Set({rule});
  Send("node-1/b", 1);
  Send("node-1/a", 2);
  process_.Turn(At(1s), kWall);
  EXPECT_THAT(b_.messages, IsEmpty());
  EXPECT_THAT(a_.Numbers(), ElementsAre(2));
  const auto lost = Records(bus::JournalRecord::LOST);
  ASSERT_THAT(lost, SizeIs(1));
  EXPECT_EQ(lost[0].reason(), "fault rule-1");
  EXPECT_EQ(lost[0].to(), "node-1/b");
}

TEST_F(ProcessTest, ADoubledMessageKeepsItsId) {
  FaultRule rule;
  rule.duplicate = 1;
  rule.kind = bus::PING;
  process_.faults().Set({rule});
  Send("node-1/b", 1);
  process_.Turn(At(1s), kWall);
  ASSERT_THAT(b_.Numbers(), ElementsAre(1, 1));
  EXPECT_EQ(b_.messages[0].id, b_.messages[1].id);
}

TEST_F(ProcessTest, ADelayedMessageComesLateAndWakesTheProcess) {
  FaultRule rule;
  rule.delay = 3s;
  rule.to = "node-1/b";
  process_.faults().Set({rule});
  Send("node-1/b", 1);
  process_.Turn(At(1s), kWall);
  EXPECT_THAT(b_.messages, IsEmpty());
  EXPECT_EQ(process_.NextWake(), At(3s));
  process_.Turn(At(3s), kWall);
  EXPECT_THAT(b_.Numbers(), ElementsAre(1));
}

TEST_F(ProcessTest, FaultsOfOneProcessFollowItsSeed) {
  const auto survivors = [](uint64_t seed) {
    Journal none(nullptr);
    Process process({.name = "p", .epoch = 1, .seed = seed}, &none);
    Probe part;
    process.Add("p/part", &part);
    FaultRule rule;
    rule.loss = 0.5;
    process.faults().Set({rule});
    for (uint64_t i = 0; i < 100; ++i) {
      process.Inject("p/door", "p/part", PingOf(i), At(0s), kWall);
    }
    process.Turn(At(0s), kWall);
    return part.Numbers();
  };
  EXPECT_EQ(survivors(1), survivors(1));
  EXPECT_NE(survivors(1), survivors(2));
  EXPECT_GT(survivors(1).size(), 20u);
  EXPECT_LT(survivors(1).size(), 80u);
}

TEST_F(ProcessTest, TheJournalTellsInsideFromOutside) {
  Send("node-1/a", 1);
  Send("master/x", 2);
  Send("node-1/bus", 3);
  process_.Turn(At(1s), kWall);
  EXPECT_THAT(Records(bus::JournalRecord::DELIVERED), SizeIs(1));
  EXPECT_THAT(Records(bus::JournalRecord::SENT), SizeIs(2));
}

TEST_F(ProcessTest, ABroadcastReachesEveryPart) {
  bus::LinkUp up;
  up.set_process("master");
  process_.Broadcast(up, At(0s), kWall);
  process_.Turn(At(0s), kWall);
  ASSERT_THAT(a_.messages, SizeIs(1));
  ASSERT_THAT(b_.messages, SizeIs(1));
  EXPECT_EQ(a_.messages[0].from, "node-1/bus");
}

}  // namespace
}  // namespace kubemu
