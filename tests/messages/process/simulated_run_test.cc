#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "lab/simulator/simulator.h"
#include "messages/component.h"
#include "messages/program.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

// Asks the master's part again and again, at random intervals; answers what it is asked.
class Chatterer : public Component {
 public:
  explicit Chatterer(std::string peer) : peer_(std::move(peer)) {}
  void Receive(const Message& message, Env& env) override {
    if (message.kind == bus::PONG) ++answers_;
    if (message.kind != bus::PING) return;
    bus::Pong pong;
    pong.set_number(message.As<bus::Ping>().number());
    env.outbox.Send(message.from, pong);
  }
  void Tick(Env& env) override {
    if (!peer_.empty()) {
      bus::Ping ping;
      ping.set_number(env.random.Next());
      env.outbox.Send(peer_, ping);
    }
    wake_ = peer_.empty()
                ? kNever
                : env.now + Duration(1 + static_cast<int64_t>(env.random.Uniform(2'000'000'000)));
  }
  Time NextWake() const override { return wake_; }
  int answers() const { return answers_; }

 private:
  const std::string peer_;
  Time wake_{};
  int answers_ = 0;
};

class ToyProgram : public Program {
 public:
  ToyProgram(std::string address, std::string peer)
      : address_(std::move(address)), part_(std::move(peer)) {}
  void AddTo(Process& process) override { process.Add(address_, &part_); }
  const Chatterer& part() const { return part_; }

 private:
  const std::string address_;
  Chatterer part_;
};

// A minute of three nodes and a master with a lossy link and one crash.
std::unique_ptr<Simulator> RunOnce(uint64_t seed) {
  auto simulator = std::make_unique<Simulator>(Simulator::Options{.seed = seed});
  simulator->Add("master", [] { return std::make_unique<ToyProgram>("master/pong", ""); });
  for (const std::string name : {"node-1", "node-2", "node-3"}) {
    simulator->Add(name,
                   [name] { return std::make_unique<ToyProgram>(name + "/ping", "master/pong"); });
  }
  FaultRule lossy;
  lossy.id = "lossy";
  lossy.loss = 0.3;
  lossy.delay = 5ms;
  lossy.jitter = 5ms;
  simulator->faults("node-2").Set({lossy});
  simulator->Run(30s);
  simulator->Kill("node-3");
  simulator->Run(10s);
  simulator->Start("node-3");
  simulator->Run(20s);
  return simulator;
}

TEST(SimulatedRun, TheSameSeedGivesTheSameJournalToTheByte) {
  const auto first = RunOnce(1);
  const auto second = RunOnce(1);
  EXPECT_GT(first->steps(), 100u);
  EXPECT_EQ(first->JournalHash(), second->JournalHash());
  EXPECT_EQ(first->steps(), second->steps());
}

TEST(SimulatedRun, AnotherSeedGivesAnotherRun) {
  EXPECT_NE(RunOnce(1)->JournalHash(), RunOnce(2)->JournalHash());
}

TEST(SimulatedRun, LossesHaveAReasonAndTheOthersGoOn) {
  const auto simulator = RunOnce(3);
  int lost = 0;
  for (const auto& [process, records] : simulator->Journals()) {
    for (const bus::JournalRecord& record : records) {
      if (record.event() == bus::JournalRecord::LOST) {
        EXPECT_NE(record.reason(), "");
        ++lost;
      }
    }
  }
  EXPECT_GT(lost, 0);
  const auto& node = static_cast<const ToyProgram&>(*simulator->program("node-1")).part();
  EXPECT_GT(node.answers(), 30);
}

}  // namespace
}  // namespace kubemu
