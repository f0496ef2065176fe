// Nothing may assume one machine: a master in one network namespace, a node in another, and only a
// veth pair between them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "tests/cluster/cluster.h"

namespace kubemu {
namespace {

// Two namespaces with addresses 10.77.0.1 and .2, joined by a veth pair; gone with the object.
class TwoNamespaces {
 public:
  TwoNamespaces()
      : first_("kubemu-a-" + std::to_string(getpid())),
        second_("kubemu-b-" + std::to_string(getpid())) {
    const std::string a = "ka" + std::to_string(getpid() % 100000);
    const std::string b = "kb" + std::to_string(getpid() % 100000);
    ok_ = Ip({"netns", "add", first_}) && Ip({"netns", "add", second_}) &&
          Ip({"link", "add", a, "netns", first_, "type", "veth", "peer", "name", b, "netns",
              second_}) &&
          Up(first_, a, "10.77.0.1/24") && Up(second_, b, "10.77.0.2/24");
  }
  ~TwoNamespaces() {
    Ip({"netns", "del", first_});
    Ip({"netns", "del", second_});
  }
  TwoNamespaces(const TwoNamespaces&) = delete;
  TwoNamespaces& operator=(const TwoNamespaces&) = delete;

  bool ok() const { return ok_; }
  std::vector<std::string> InFirst(std::vector<std::string> command) const {
    return In(first_, std::move(command));
  }
  std::vector<std::string> InSecond(std::vector<std::string> command) const {
    return In(second_, std::move(command));
  }

 private:
  static bool Ip(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "ip");
    return RunProgram(arguments).code == 0;
  }
  static bool Up(const std::string& space, const std::string& device, const std::string& address) {
    return Ip({"-n", space, "address", "add", address, "dev", device}) &&
           Ip({"-n", space, "link", "set", device, "up"}) &&
           Ip({"-n", space, "link", "set", "lo", "up"});
  }
  static std::vector<std::string> In(const std::string& space, std::vector<std::string> command) {
    command.insert(command.begin(), {"ip", "netns", "exec", space});
    return command;
  }

  const std::string first_;
  const std::string second_;
  bool ok_ = false;
};

TEST(Namespaces, ANodeJoinsOverItsVethAddress) {
  const TwoNamespaces spaces;
  if (!spaces.ok()) {
    std::printf("\n*** SKIPPED: network namespaces are not allowed here (needs root) ***\n\n");
    GTEST_SKIP();
  }
  const std::string folder = KUBEMU_PROGRAM_DIR;
  std::string home = (std::filesystem::temp_directory_path() / "kubemu-netns-XXXXXX").string();
  ASSERT_NE(mkdtemp(home.data()), nullptr);
  const Background master(
      spaces.InFirst({folder + "/kubemu-master", "--endpoint", "tcp://10.77.0.1:7100", "--listen",
                      "127.0.0.1:6443", "--data", home + "/master", "--insecure"}),
      home + "/master.log");
  const Background node(
      spaces.InSecond({folder + "/kubemu-node", "--name", "far", "--master", "tcp://10.77.0.1:7100",
                       "--address", "10.77.0.2", "--insecure"}),
      home + "/node.log");
  const auto kubectl = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"kubectl", "--server", "http://127.0.0.1:6443"});
    return RunProgram(spaces.InFirst(words), {{"HOME", home}});
  };
  EXPECT_TRUE(Eventually([&] {
    return kubectl({"get", "node", "far", "-o",
                    "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}"})
               .out == "True";
  })) << "see "
      << home;
  EXPECT_EQ(kubectl({"get", "node", "far", "-o", "jsonpath={.status.addresses[0].address}"}).out,
            "10.77.0.2");
  EXPECT_EQ(kubectl({"run", "web", "--image=nginx"}).code, 0);
  EXPECT_EQ(kubectl({"wait", "--for=condition=Ready", "pod/web", "--timeout=20s"}).code, 0);
  EXPECT_EQ(kubectl({"expose", "pod", "web", "--port=80", "--type=NodePort", "--overrides",
                     R"({"spec":{"ports":[{"port":80,"nodePort":30080}]}})"})
                .code,
            0);
  // A request over the veth pair reaches the node's port, which is really listened on there.
  EXPECT_TRUE(Eventually([&] {
    const CommandResult answer =
        RunProgram(spaces.InFirst({"curl", "-sS", "--max-time", "2", "http://10.77.0.2:30080/"}));
    return answer.out.find("pod web") != std::string::npos;
  })) << "see "
      << home;
  if (!testing::Test::HasFailure()) std::filesystem::remove_all(home);
}

// Without --insecure nothing but loopback is bound: there are no keys yet.
TEST(Namespaces, OtherAddressesThanLoopbackNeedInsecure) {
  const CommandResult refused = RunProgram({KUBEMU_PROGRAM_DIR "/kubemu-master", "--endpoint",
                                            "tcp://10.77.0.1:7100", "--listen", "127.0.0.1:0"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("--insecure"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace kubemu
