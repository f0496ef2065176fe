// The rules of the house that a program can check: who includes whom, sizes, and what a part must
// not do. docs/ARCHITECTURE.md says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Source {
  std::string path;  // relative to the root
  std::vector<std::string> lines;
};

std::vector<Source> ReadSources(const std::set<std::string>& folders) {
  std::vector<Source> sources;
  const fs::path root(KUBEMU_SOURCE_DIR);
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      Source source{fs::relative(entry.path(), root).string(), {}};
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) source.lines.push_back(line);
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

const std::vector<Source>& Sources() {
  static const std::vector<Source> sources =
      ReadSources({"messages", "master", "node", "lb", "lab", "tests"});
  return sources;
}

std::string Folder(const std::string& path) {
  return path.substr(0, path.find('/'));
}

std::string Where(const Source& source, size_t line) {
  return source.path + ":" + std::to_string(line + 1);
}

TEST(House, IncludesFollowTheMatrix) {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"messages", {"messages"}},
      {"master", {"messages", "master"}},
      {"node", {"messages", "node"}},
      {"lb", {"messages", "lb"}},
      {"lab", {"messages", "master", "node", "lb", "lab"}},
      {"tests", {"messages", "master", "node", "lb", "lab", "tests"}},
  };
  const std::regex include("^#include \"([a-z]+)/[^\"]*\"");
  std::vector<std::string> wrong;
  size_t seen = 0;
  for (const Source& source : Sources()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(source.lines[i], match, include)) continue;
      if (!allowed.contains(match[1])) continue;  // a library's
      ++seen;
      if (!allowed.at(Folder(source.path)).contains(match[1])) {
        wrong.push_back(Where(source, i) + ": " + Folder(source.path) + " may not include " +
                        match[1].str());
      }
    }
  }
  EXPECT_GT(seen, 100u);  // the check looks at something
  EXPECT_THAT(wrong, testing::IsEmpty());
}

TEST(House, CoreIncludesNothingOfOursButCore) {
  std::vector<std::string> wrong;
  for (const Source& source : Sources()) {
    if (!source.path.starts_with("messages/core/")) continue;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      if (line.starts_with("#include \"") && !line.starts_with("#include \"messages/core/") &&
          !line.starts_with("#include \"absl/status/")) {
        wrong.push_back(Where(source, i));
      }
    }
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

TEST(House, FilesAreShort) {
  constexpr size_t kLinesMax = 500;
  std::vector<std::string> wrong;
  for (const Source& source : Sources()) {
    if (source.lines.size() > kLinesMax) {
      wrong.push_back(source.path + ": " + std::to_string(source.lines.size()) + " lines");
    }
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

// The last line of the function that begins at line `begin` with that indentation; 0 if no function
// begins there. Relies on clang-format: the closing brace stands at the column of the beginning.
size_t EndOfFunction(const std::vector<std::string>& lines, size_t begin, size_t indent) {
  constexpr size_t kSignatureLinesMax = 12;
  size_t open = begin;
  while (open < lines.size() && open < begin + kSignatureLinesMax) {
    const char last = lines[open].empty() ? ';' : lines[open].back();
    if (last == '{') break;
    if (last == ';' || last == '}') return 0;
    ++open;
  }
  if (open >= lines.size() || !lines[open].ends_with("{")) return 0;
  const std::string close = std::string(indent, ' ') + "}";
  size_t end = open + 1;
  while (end < lines.size() && !lines[end].starts_with(close)) ++end;
  return end;
}

TEST(House, FunctionsAreShort) {
  constexpr size_t kLinesMax = 70;
  const std::regex begins("^(  )?[A-Za-z~][A-Za-z0-9_:<>,&*~ ]*\\(.*");
  const std::regex control(
      "^(  )?(if|for|while|switch|return|else|do|try|namespace|class|struct)\\b.*");
  std::vector<std::string> wrong;
  size_t seen = 0;
  for (const Source& source : Sources()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      if (!std::regex_match(line, begins) || std::regex_match(line, control)) continue;
      const size_t end = EndOfFunction(source.lines, i, line[0] == ' ' ? 2 : 0);
      if (end == 0) continue;
      ++seen;
      if (end - i + 1 > kLinesMax) {
        wrong.push_back(Where(source, i) + ": " + std::to_string(end - i + 1) + " lines");
      }
    }
  }
  EXPECT_GT(seen, 500u);
  EXPECT_THAT(wrong, testing::IsEmpty());
}

TEST(House, LinesFitTheScreen) {
  std::vector<std::string> wrong;
  for (const Source& source : Sources()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      if (line.find('"') != std::string::npos) continue;  // clang-format cannot break those
      // Characters, not bytes: UTF-8 continuation bytes begin with the bits 10.
      size_t characters = 0;
      for (unsigned char c : line) characters += (c & 0xc0) != 0x80;
      if (characters > 100) wrong.push_back(Where(source, i));
    }
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

// What would make a part depend on more than its arguments, and where it may stand all the same.
bool MayTouchTheWorld(const std::string& path) {
  return path.starts_with("messages/runtime/") || path.starts_with("tests/") ||
         path.starts_with("lab/") || path.ends_with("main.cc") ||
         path.find("/sqlite_storage.") != std::string::npos ||
         path.find("/file_journal.") != std::string::npos || path.starts_with("node/fork_server") ||
         path.starts_with("lab/simulator/");
}

TEST(House, PartsTouchNoClockThreadOrSocket) {
  const std::regex banned(
      "system_clock|steady_clock|clock_gettime|std::thread|std::mutex|random_device|[^a-z_]rand\\("
      "|[^a-z_]time\\(nullptr|gettimeofday|sleep_for|usleep|zmq\\.hpp|<thread>|boost/"
      "asio");
  std::vector<std::string> wrong;
  for (const Source& source : Sources()) {
    if (MayTouchTheWorld(source.path) || source.path == "messages/core/time.h") continue;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      if (std::regex_search(source.lines[i], banned)) wrong.push_back(Where(source, i));
    }
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

TEST(House, OnlyTheEndpointKnowsZeroMq) {
  std::vector<std::string> wrong;
  for (const Source& source : Sources()) {
    if (source.path == "messages/runtime/zmq_endpoint.cc" || source.path.starts_with("tests/")) {
      continue;
    }
    for (size_t i = 0; i < source.lines.size(); ++i) {
      if (source.lines[i].starts_with("#include <zmq")) wrong.push_back(Where(source, i));
    }
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

// kubemu links all parts into one program: two types of one name would be one, silently. Types in
// nameless namespaces, and of test programs, are nobody else's.
TEST(House, NoTwoTypesShareAName) {
  const std::regex opens("^(inline )?namespace ?([A-Za-z0-9_:]*) \\{$");
  const std::regex type("^(class|struct|enum class) (\\w+)( final)?( : [^;]*)?( \\{.*)?$");
  std::map<std::string, std::string> seen;
  std::vector<std::string> wrong;
  for (const Source& source : Sources()) {
    if (source.path.starts_with("tests/")) continue;
    std::vector<std::string> spaces;
    for (size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      std::smatch match;
      if (line.starts_with("}  // namespace") && !spaces.empty()) spaces.pop_back();
      if (std::regex_match(line, match, opens)) spaces.push_back(match[2]);
      if (spaces.empty() || spaces.back().empty() || !std::regex_match(line, match, type)) continue;
      const std::string name = spaces.back() + "::" + match[2].str();
      const auto [it, added] = seen.emplace(name, Where(source, i));
      if (!added) wrong.push_back(name + ": " + it->second + " and " + Where(source, i));
    }
  }
  EXPECT_GT(seen.size(), 200u);
  EXPECT_THAT(wrong, testing::IsEmpty());
}

TEST(House, NothingIsLeftUnfinished) {
  // Put together here so that this file does not match itself.
  const std::regex marks(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X|HA" + "CK)\\b|DISABLED" +
                         "_");
  std::vector<std::string> wrong;
  for (const Source& source : Sources()) {
    for (size_t i = 0; i < source.lines.size(); ++i) {
      if (std::regex_search(source.lines[i], marks)) wrong.push_back(Where(source, i));
    }
  }
  EXPECT_THAT(wrong, testing::IsEmpty());
}

}  // namespace
