// What a process may do on the machine it runs on because a part asked: run programs, make network
// namespaces, connect.
#include "messages/runtime/command_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>

#include "messages/core/ip.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "tests/messages/runtime/toy.h"

namespace kubemu {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kDoor[] = "node-1/door";

// Sends what `begin` sends, keeps what comes, and calls `react` for each.
class AskingPart : public Component {
 public:
  using React = std::function<void(const Message&, Env&)>;
  AskingPart(Sightings* seen, std::function<void(Env&)> begin, React react)
      : seen_(seen), begin_(std::move(begin)), react_(std::move(react)) {}
  void Receive(const Message& message, Env& env) override {
    if (react_) react_(message, env);
    seen_->Add(message);
  }
  void Tick(Env& env) override {
    begun_ = true;
    begin_(env);
  }
  Time NextWake() const override { return begun_ ? kNever : Time{}; }

 private:
  Sightings* const seen_;
  const std::function<void(Env&)> begin_;
  const React react_;
  bool begun_ = false;
};

bus::RunCommand CommandOf(uint64_t number, const std::vector<std::string>& words,
                          const std::string& input = "", uint32_t timeout_ms = 10'000) {
  bus::RunCommand run;
  run.set_number(number);
  for (const std::string& word : words) run.add_words(word);
  run.set_input(input);
  run.set_timeout_ms(timeout_ms);
  return run;
}

class CommandDoorTest : public testing::Test {
 protected:
  void Start(std::function<void(Env&)> begin, AskingPart::React react = nullptr) {
    part_ = std::make_unique<AskingPart>(&seen_, std::move(begin), std::move(react));
    ProcessRuntime::Options options;
    options.process = "node-1";
    const auto programs = CommandDoor::FindPrograms({"cat", "sh", "sleep"});
    ASSERT_TRUE(programs.ok());
    options.commands = *programs;
    process_ = std::make_unique<ToyProcess>(options, "node-1/part", part_.get());
    ASSERT_TRUE(process_->Start().ok());
  }
  // Runs one command to its end.
  bus::CommandDone Run(bus::RunCommand run) {
    Start([run = std::move(run)](Env& env) { env.outbox.Send(kDoor, run); });
    EXPECT_TRUE(seen_.WaitForCount(bus::COMMAND_DONE, 1));
    return seen_.Of(bus::COMMAND_DONE).at(0).As<bus::CommandDone>();
  }

  Sightings seen_;
  std::unique_ptr<AskingPart> part_;
  std::unique_ptr<ToyProcess> process_;
};

TEST_F(CommandDoorTest, GivesInputAndReturnsOutput) {
  const std::string text(300'000, 'x');  // more than a pipe holds
  const bus::CommandDone done = Run(CommandOf(7, {"cat"}, text));
  EXPECT_EQ(done.number(), 7u);
  EXPECT_EQ(done.error(), "");
  EXPECT_EQ(done.output(), text);
}

TEST_F(CommandDoorTest, AnExitCodeAndWhatTheProgramSaidAreTheError) {
  const bus::CommandDone done = Run(CommandOf(1, {"sh", "-c", "echo it broke >&2; exit 3"}));
  EXPECT_EQ(done.error(), "exit code 3: it broke");
}

TEST_F(CommandDoorTest, AProgramThatTakesTooLongIsKilled) {
  EXPECT_THAT(Run(CommandOf(1, {"sleep", "1000"}, "", 20)).error(), HasSubstr("took too long"));
}

TEST_F(CommandDoorTest, OtherProgramsAreNotRun) {
  EXPECT_THAT(Run(CommandOf(1, {"/bin/cat"})).error(), HasSubstr("may not run"));
}

TEST_F(CommandDoorTest, OneMoreThanTheLimitIsRefused) {
  Start([](Env& env) {
    for (uint64_t i = 1; i <= CommandDoor::kCommandsMax + 1; ++i) {
      env.outbox.Send(kDoor, CommandOf(i, {"sleep", "1000"}));
    }
  });
  ASSERT_TRUE(seen_.WaitForCount(bus::COMMAND_DONE, 1));
  const auto done = seen_.Of(bus::COMMAND_DONE);
  EXPECT_EQ(done[0].As<bus::CommandDone>().number(), CommandDoor::kCommandsMax + 1);
  EXPECT_THAT(done[0].As<bus::CommandDone>().error(), HasSubstr("limit"));
}

TEST_F(CommandDoorTest, MissingProgramsAreNamed) {
  const auto programs = CommandDoor::FindPrograms({"cat", "no-such-program", "nor-this"});
  ASSERT_FALSE(programs.ok());
  EXPECT_THAT(std::string(programs.status().message()), HasSubstr("no-such-program, nor-this"));
}

// In a namespace: nothing but a loopback interface; and a listener there is reached from there
// only.
TEST_F(CommandDoorTest, ANamespaceHasItsOwnSocketsAndPrograms) {
  if (geteuid() != 0) {
    std::printf("\n*** SKIPPED: network namespaces need root ***\n\n");
    GTEST_SKIP();
  }
  const auto dial = [](const std::string& network, uint64_t flow, Env& env) {
    bus::FlowOpen open;
    open.set_flow(flow);
    open.set_destination_ip(Ipv4(127, 0, 0, 1).bits());
    open.set_destination_port(8099);
    open.set_credit(100);
    open.set_network(network);
    env.outbox.Send(kDoor, open);
  };
  Start(
      [](Env& env) {
        bus::OpenNetwork open;
        open.set_name("pod");
        env.outbox.Send(kDoor, open);
      },
      [dial](const Message& message, Env& env) {
        if (message.kind == bus::NETWORK_OPENED) {
          bus::RunCommand run = CommandOf(1, {"sh", "-c", "ip link set lo up; ip -br link"});
          run.set_network("pod");
          env.outbox.Send(kDoor, run);
        } else if (message.kind == bus::COMMAND_DONE) {
          bus::Listen listen;
          listen.set_ip(Ipv4(127, 0, 0, 1).bits());
          listen.set_port(8099);
          listen.set_network("pod");
          env.outbox.Send(kDoor, listen);
        } else if (message.kind == bus::LISTEN_RESULT) {
          dial("", 1, env);
          dial("pod", 2, env);
          dial("no such", 3, env);
        }
      });
  ASSERT_TRUE(seen_.WaitForCount(bus::FLOW_OPEN, 1));
  ASSERT_TRUE(seen_.WaitForCount(bus::FLOW_CLOSE, 2));
  ASSERT_TRUE(seen_.WaitForCount(bus::FLOW_CREDIT, 1));
  EXPECT_EQ(seen_.Of(bus::NETWORK_OPENED)[0].As<bus::NetworkOpened>().error(), "");
  const auto links = seen_.Of(bus::COMMAND_DONE)[0].As<bus::CommandDone>();
  EXPECT_THAT(links.output(), StartsWith("lo "));
  EXPECT_EQ(std::count(links.output().begin(), links.output().end(), '\n'), 1);
  const auto open = seen_.Of(bus::FLOW_OPEN)[0].As<bus::FlowOpen>();
  EXPECT_EQ(open.network(), "pod");
  const auto credit = seen_.Of(bus::FLOW_CREDIT)[0].As<bus::FlowCredit>();
  EXPECT_EQ(credit.flow(), 2u);
  EXPECT_TRUE(credit.reply());
  for (const Message& message : seen_.Of(bus::FLOW_CLOSE)) {
    const auto& close = message.As<bus::FlowClose>();
    EXPECT_TRUE(close.reply());
    EXPECT_EQ(close.reason(),
              close.flow() == 1 ? bus::FlowClose::REFUSED : bus::FlowClose::UNREACHABLE);
  }
}

// Bytes both ways over a connection that a part asked for, to a listener of the same part: what the
// dialling side says, the accepting side says back.
TEST_F(CommandDoorTest, ADialledFlowCarriesBytesBothWays) {
  constexpr uint16_t kPort = 18099;
  const Ipv4 ip(127, 5, 9, 77);  // nobody else's
  Start(
      [ip](Env& env) {
        bus::Listen listen;
        listen.set_ip(ip.bits());
        listen.set_port(kPort);
        env.outbox.Send(kDoor, listen);
      },
      [ip](const Message& message, Env& env) {
        if (message.kind == bus::LISTEN_RESULT) {
          bus::FlowOpen open;
          open.set_flow(5);
          open.set_destination_ip(ip.bits());
          open.set_destination_port(kPort);
          open.set_credit(100);
          env.outbox.Send(kDoor, open);
        } else if (message.kind == bus::FLOW_OPEN) {
          bus::FlowCredit credit;
          credit.set_flow(message.As<bus::FlowOpen>().flow());
          credit.set_reply(true);
          credit.set_bytes(100);
          env.outbox.Send(message.from, credit);
        } else if (message.kind == bus::FLOW_CREDIT) {
          bus::FlowData data;
          data.set_flow(5);
          data.set_data("over and over");
          data.set_fin(true);
          env.outbox.Send(kDoor, data);
        } else if (message.kind == bus::FLOW_DATA && message.from != kDoor) {
          bus::FlowData data = message.As<bus::FlowData>();
          data.set_reply(true);
          env.outbox.Send(message.from, data);
        }
      });
  ASSERT_TRUE(seen_.WaitFor([](const std::vector<Message>& messages) {
    return std::any_of(messages.begin(), messages.end(), [](const Message& message) {
      return message.kind == bus::FLOW_DATA && message.from == kDoor &&
             message.As<bus::FlowData>().fin();
    });
  }));
  std::string back;
  for (const Message& message : seen_.Of(bus::FLOW_DATA)) {
    if (message.from == kDoor) back += message.As<bus::FlowData>().data();
  }
  EXPECT_EQ(back, "over and over");
}

}  // namespace
}  // namespace kubemu
