// Our text against the real tool: iptables-restore and iptables-save in a network namespace of the
// test's own. Skipped, loudly, where that is not allowed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "messages/core/strings.h"
#include "node/iptables/ruleset.h"
#include "tests/node/iptables/cluster_fixture.h"

namespace kubemu {
namespace {

class KernelTest : public testing::Test, protected ClusterFixture {
 protected:
  void SetUp() override {
    namespace_ = StrCat("kubemu-ipt-", getpid());
    if (std::system("command -v iptables-restore >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "NOT TESTED against the kernel: iptables-restore is not installed";
    }
    if (std::system(StrCat("ip netns add ", namespace_, " 2>/dev/null").c_str()) != 0) {
      GTEST_SKIP() << "NOT TESTED against the kernel: this user may not make network namespaces";
    }
    made_ = true;
    if (Run("iptables -t nat -L").empty()) {
      GTEST_SKIP() << "NOT TESTED against the kernel: it has no nat table";
    }
  }
  void TearDown() override {
    if (made_) std::ignore = std::system(StrCat("ip netns del ", namespace_).c_str());
    std::remove(InputFile().c_str());
  }

  std::string InputFile() const { return testing::TempDir() + namespace_ + ".rules"; }

  // The output of a command run inside the namespace; "" if it failed.
  std::string Run(const std::string& command) {
    FILE* pipe =
        popen(StrCat("ip netns exec ", namespace_, " sh -c '", command, "' 2>&1").c_str(), "r");
    std::string output;
    std::array<char, 4096> buffer;
    for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      output.append(buffer.data(), n);
    }
    const int code = pclose(pipe);
    if (code != 0) std::printf("%s: %s\n", command.c_str(), output.c_str());
    return code == 0 ? output + " " : "";
  }

  // What iptables-save prints of a table, from "*table" to "COMMIT".
  std::string KernelSave(const std::string& table) {
    const std::string output = Run("iptables-save -t " + table);
    const size_t begin = output.find('*');
    const size_t end = output.find("COMMIT\n");
    if (begin == std::string::npos || end == std::string::npos) return output;
    return output.substr(begin, end + 7 - begin);
  }

  void LoadBoth(const std::string& text, bool noflush, iptables::Ruleset* ruleset) {
    std::ofstream(InputFile()) << text;
    ASSERT_FALSE(
        Run(StrCat("iptables-restore ", noflush ? "--noflush " : "", "< ", InputFile())).empty());
    const auto input = iptables::ParseRestore(text);
    ASSERT_TRUE(input.ok()) << input.status();
    ASSERT_TRUE(ruleset->Restore(*input, noflush).ok());
  }

  std::string namespace_;
  bool made_ = false;
};

TEST_F(KernelTest, TakesOurRulesAndGivesThemBackAsWePrintThem) {
  for (int i = 1; i <= 10; ++i) AddEndpoint(StrCat("10.180.0.", i, ":80"), StrCat("node-", i % 3));
  info.node_port = 30080;
  info.load_balancer_ips = {Ip("1.2.3.4")};
  info.source_ranges = {Net("203.0.113.0/25"), Net("192.168.0.0/24")};
  info.external_ips = {Ip("198.51.100.7")};
  info.external_policy_local = true;
  info.affinity_seconds = 10800;
  info.health_check_node_port = 31000;
  iptables::Ruleset ruleset;
  const proxy::CompiledRules first = Compile();
  LoadBoth(proxy::RestoreText(first), false, &ruleset);
  EXPECT_EQ(KernelSave("filter"), ruleset.Save(iptables::Table::kFilter, false));
  EXPECT_EQ(KernelSave("nat"), ruleset.Save(iptables::Table::kNat, false));

  // A change: endpoints go, the Service becomes unreachable from here.
  endpoints.resize(2);
  endpoints[0].node = endpoints[1].node = "node-2";
  info.affinity_seconds = 0;
  const proxy::CompiledRules second = Compile();
  LoadBoth(proxy::DiffText(first, second), true, &ruleset);
  EXPECT_EQ(KernelSave("filter"), ruleset.Save(iptables::Table::kFilter, false));
  EXPECT_EQ(KernelSave("nat"), ruleset.Save(iptables::Table::kNat, false));

  // And what the tool saved, we can read.
  const auto saved = iptables::ParseRestore(KernelSave("nat"));
  EXPECT_TRUE(saved.ok()) << saved.status();
}

}  // namespace
}  // namespace kubemu
