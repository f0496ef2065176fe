#ifndef KUBEMU_TESTS_NODE_KERNEL_FAKE_DOOR_H_
#define KUBEMU_TESTS_NODE_KERNEL_FAKE_DOOR_H_

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/node.pb.h"
#include "node/kernel/kernel_dataplane.h"
#include "tests/node/iptables/part_harness.h"

namespace kubemu {

// A KernelDataplane on a bus without processes, where the test answers for "<node>/door".
class KernelDoorTest : public testing::Test {
 protected:
  static constexpr char kPart[] = "node-1/iptables";
  static constexpr char kDoor[] = "node-1/door";
  static constexpr char kProxy[] = "node-1/kube-proxy";
  static constexpr char kEngine[] = "node-1/engine";

  KernelDoorTest() { bus_.Add(kPart, &part_); }

  static std::string WordsOf(const bus::RunCommand& run) {
    std::string text;
    for (const std::string& word : run.words()) StrAppend(&text, text.empty() ? "" : " ", word);
    return text;
  }

  // The commands that the door was given and that are not answered yet.
  std::vector<std::string> Commands() {
    Collect();
    std::vector<std::string> commands;
    for (const bus::RunCommand& run : runs_) commands.push_back(WordsOf(run));
    return commands;
  }
  // Answers the oldest command of these words; returns its input.
  std::string Run(const std::string& words, const std::string& output = "") {
    return Answer(words, output, "");
  }
  void Fail(const std::string& words, const std::string& error) { Answer(words, "", error); }
  // The network in which the command that was answered last was to run.
  const std::string& network() const { return network_; }

  KernelDataplane part_{{.node = "node-1"}};
  PartHarness bus_;

 private:
  void Collect() {
    for (auto& [message, run] : bus_.Take<bus::RunCommand>()) {
      EXPECT_EQ(message.to, kDoor);
      runs_.push_back(run);
    }
  }
  std::string Answer(const std::string& words, const std::string& output,
                     const std::string& error) {
    Collect();
    for (auto run = runs_.begin(); run != runs_.end(); ++run) {
      if (WordsOf(*run) != words) continue;
      bus::CommandDone done;
      done.set_number(run->number());
      done.set_output(output);
      done.set_error(error);
      const std::string input = run->input();
      network_ = run->network();
      runs_.erase(run);
      bus_.Send(kDoor, kPart, done);
      return input;
    }
    ADD_FAILURE() << "the door was not asked to run \"" << words << "\"";
    return "";
  }

  std::deque<bus::RunCommand> runs_;
  std::string network_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_NODE_KERNEL_FAKE_DOOR_H_
