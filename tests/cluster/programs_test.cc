// The programs by themselves: flags, what they say when they are ready, and the warm parent of many
// nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using testing::HasSubstr;
using testing::SizeIs;

std::string ProgramPath(const std::string& name) {
  return std::string(KUBEMU_PROGRAM_DIR) + "/" + name;
}

std::string Content(const fs::path& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The warm parent with requests for nodes without a master, in a folder of the test's own.
class ForkServerTest : public testing::Test {
 protected:
  ForkServerTest() : folder_(fs::temp_directory_path() / StrCat("kubemu-forks-", ::getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ForkServerTest() override {
    for (const pid_t pid : pids_) ::kill(pid, SIGKILL);
    fs::remove_all(folder_);
  }
  std::string Request(const std::string& name, const std::vector<std::string>& more = {}) {
    // Port 1: no master answers there.
    json::array arguments{"--name",       name,
                          "--master",     "tcp://127.0.0.1:1",
                          "--ready-file", (folder_ / (name + ".ready")).string()};
    for (const std::string& argument : more) arguments.emplace_back(argument);
    return json::serialize(
               json::object{{"args", arguments}, {"log", (folder_ / (name + ".log")).string()}}) +
           "\n";
  }
  // One answer per request.
  std::vector<json::object> Serve(const std::string& requests,
                                  const std::string& end = "{\"commit\": true}\n") {
    const CommandResult result =
        RunProgram({ProgramPath("kubemu-node"), "--serve-forks"}, {}, requests + end);
    EXPECT_EQ(result.code, 0) << result.err;
    std::vector<json::object> answers;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) {
      answers.push_back(json::parse(line).as_object());
      if (const json::value* pid = answers.back().if_contains("pid")) {
        pids_.push_back(static_cast<pid_t>(pid->as_int64()));
      }
    }
    return answers;
  }
  bool Gone(pid_t pid) {
    return Eventually([pid] { return ::kill(pid, 0) != 0; });
  }

  const fs::path folder_;
  std::vector<pid_t> pids_;
};

TEST_F(ForkServerTest, EachNodeIsAProcessOfItsOwnThatOutlivesTheParent) {
  const auto answers = Serve(Request("node-1") + Request("node-2"));
  ASSERT_THAT(answers, SizeIs(2));
  ASSERT_THAT(pids_, SizeIs(2));
  for (int i = 0; i < 2; ++i) {
    const fs::path ready = folder_ / StrCat("node-", i + 1, ".ready");
    ASSERT_TRUE(Eventually([&] { return fs::exists(ready); }));
    const json::object said = json::parse(Content(ready)).as_object();
    EXPECT_EQ(said.at("process").as_string(), StrCat("node-", i + 1));
    EXPECT_EQ(said.at("pid").as_int64(), pids_[i]);
    EXPECT_THAT(std::string(said.at("endpoint").as_string()), HasSubstr("tcp://127.1.0.1:"));
    EXPECT_EQ(::getsid(pids_[i]), pids_[i]);
  }
  ::kill(pids_[0], SIGTERM);
  EXPECT_TRUE(Gone(pids_[0]));
  EXPECT_EQ(::kill(pids_[1], 0), 0);
  EXPECT_THAT(Content(folder_ / "node-1.log"), HasSubstr("ready {"));
}

TEST_F(ForkServerTest, NodesThatNobodyNotedEndWithTheParent) {
  const auto answers = Serve(Request("node-1") + "{\"commit\": true}\n" + Request("node-2"), "");
  ASSERT_THAT(answers, SizeIs(2));
  ASSERT_THAT(pids_, SizeIs(2));
  EXPECT_TRUE(Gone(pids_[1]));
  EXPECT_EQ(::kill(pids_[0], 0), 0);
}

TEST_F(ForkServerTest, ABadRequestIsAnsweredAndTheNextOneServed) {
  const auto answers = Serve("nonsense\n{\"args\": 3}\n{\"args\": [7]}\n" + Request("node-1"));
  ASSERT_THAT(answers, SizeIs(4));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(std::string(answers[i].at("error").as_string()), HasSubstr("\"args\""));
  }
  EXPECT_TRUE(answers[3].contains("pid"));
}

TEST_F(ForkServerTest, WhatIsWrongWithANodesFlagsStandsInItsLog) {
  const auto answers = Serve(Request("node-1", {"--cpu", "many"}));
  ASSERT_THAT(answers, SizeIs(1));
  ASSERT_THAT(pids_, SizeIs(1));
  EXPECT_TRUE(Gone(pids_[0]));
  EXPECT_THAT(Content(folder_ / "node-1.log"),
              HasSubstr("--cpu: \"many\" is not a quantity above zero"));
}

TEST(Programs, AnEndpointThatIsNoneIsABadFlag) {
  const CommandResult result = RunProgram({ProgramPath("kubemu-lb"), "--endpoint", "localhost"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("\"localhost\" is not of the form tcp://127.0.0.1:7100"));
}

TEST(Programs, ListenOnlyOnLoopbackAddressesUnlessInsecure) {
  const CommandResult bus = RunProgram({ProgramPath("kubemu-lb"), "--endpoint", "tcp://0.0.0.0:0"});
  EXPECT_EQ(bus.code, 1);
  EXPECT_THAT(bus.err, HasSubstr("--insecure"));
  const CommandResult http = RunProgram(
      {ProgramPath("kubemu-master"), "--endpoint", "tcp://127.0.0.1:0", "--listen", "0.0.0.0:0"});
  EXPECT_EQ(http.code, 1);
  EXPECT_THAT(http.err, HasSubstr("--insecure"));
}

TEST(Programs, EndWithTheirParentWhenTold) {
  const CommandResult result =
      RunProgram({"sh", "-c",
                  StrCat("true | ", ProgramPath("kubemu-lb"), " --endpoint tcp://127.0.0.1:0",
                         " --master tcp://127.0.0.1:1 --exit-with-parent 0")});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, testing::StartsWith("ready {\"process\":\"lb\","));
  EXPECT_THAT(result.err, HasSubstr("its parent is gone"));
}

TEST(Programs, WrongValuesOfFlagsAreNamed) {
  const std::vector<std::vector<std::string>> commands = {
      {"kubemu-lb", "--time-scale", "0"},
      {"kubemu-lb", "--addresses", "127.2.0.0/33"},
      {"kubemu-master", "--service-cidr", "10.96"},
      {"kubemu-master", "--journal", "maybe"},
      {"kubemu-node", "--name", "Node_1"},
      {"kubemu-node", "--name", "master"},
      {"kubemu-node", "--name", "n", "--labels", "zone"},
      {"kubemu-node", "--name", "n", "--address", "localhost"},
      {"kubemu-node", "--cpu", "4"},
  };
  for (std::vector<std::string> command : commands) {
    const std::string flag = command[0] == "kubemu-node" && command[1] == "--cpu"
                                 ? "--name"
                                 : command[command.size() - 2];
    command[0] = ProgramPath(command[0]);
    const CommandResult result = RunProgram(command);
    EXPECT_EQ(result.code, 2) << testing::PrintToString(command);
    EXPECT_THAT(result.err, HasSubstr(flag)) << testing::PrintToString(command);
  }
}

}  // namespace
}  // namespace kubemu
