// The article that kubemu comes from, sentence by sentence, in the simulator: each file *.txt here
// is a scenario, commands above the line "----", below it what is to be seen. A run that shows
// anything else fails. `scenarios_test --rewrite` writes the files anew: look at the difference and
// keep it only if you understand what caused it and it is what you want.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/scenarios/runner.h"

namespace kubemu {
namespace {

namespace fs = std::filesystem;

bool& Rewrite() {
  static bool rewrite = false;
  return rewrite;
}

std::vector<std::string> ScenarioNames() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(KUBEMU_SCENARIO_DIR)) {
    if (entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists") {
      names.push_back(entry.path().stem());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

class Scenario : public testing::TestWithParam<std::string> {};

TEST_P(Scenario, ShowsWhatIsWritten) {
  const fs::path path = fs::path(KUBEMU_SCENARIO_DIR) / (GetParam() + ".txt");
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string line = "\n----\n";
  const size_t end = text.find(line);
  const std::string script = end == std::string::npos ? text : text.substr(0, end + 1);
  const std::string transcript = ScenarioRunner().Run(script);
  EXPECT_EQ(ScenarioRunner().Run(script), transcript) << "the second run differs";
  if (Rewrite()) {
    std::ofstream(path) << script << "----\n" << transcript;
    return;
  }
  ASSERT_NE(end, std::string::npos) << "no line ---- in " << path;
  EXPECT_EQ(transcript, text.substr(end + line.size()));
}

std::string TestName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, Scenario, testing::ValuesIn(ScenarioNames()), TestName);

TEST(Scenarios, ThereIsOneForEachSentence) {
  EXPECT_GE(ScenarioNames().size(), 12u);
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--rewrite") kubemu::Rewrite() = true;
  }
  return RUN_ALL_TESTS();
}
