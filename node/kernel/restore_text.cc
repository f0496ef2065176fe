#include "node/kernel/restore_text.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr std::string_view kOwnPrefix = "KUBE-";

// One "*table ... COMMIT" section, as lines.
struct Section {
  std::string_view table;
  std::vector<std::string_view> chains;  // in order of declaration
  std::set<std::string_view> builtin;    // those with a policy
  struct Line {
    std::string_view chain;
    std::string_view rule;  // what stands behind "-A CHAIN "
  };
  std::vector<Line> rules;
};

// The word at the beginning of `text`; `text` is moved behind it and the space after it.
std::string_view TakeWord(std::string_view* text) {
  const size_t space = std::min(text->find(' '), text->size());
  const std::string_view word = text->substr(0, space);
  text->remove_prefix(std::min(space + 1, text->size()));
  return word;
}

std::vector<Section> ReadSections(std::string_view text) {
  std::vector<Section> sections;
  for (std::string_view line : StrSplit(text, '\n')) {
    if (line.starts_with('[')) line.remove_prefix(std::min(line.find("] ") + 2, line.size()));
    if (line.starts_with('*')) {
      sections.push_back(Section{line.substr(1), {}, {}, {}});
    } else if (sections.empty()) {
      continue;
    } else if (line.starts_with(':')) {
      line.remove_prefix(1);
      const std::string_view chain = TakeWord(&line);
      sections.back().chains.push_back(chain);
      if (!line.starts_with('-')) sections.back().builtin.insert(chain);
    } else if (line.starts_with("-A ")) {
      line.remove_prefix(3);
      const std::string_view chain = TakeWord(&line);
      sections.back().rules.push_back({chain, line});
    }
  }
  return sections;
}

// True for a rule that jumps (-j) or goes (-g) to a chain of kube-proxy's; what stands in quotes is
// a comment.
bool JumpsToOwn(std::string_view rule) {
  bool quoted = false;
  for (size_t i = 0; i < rule.size(); ++i) {
    if (rule[i] == '\\' && quoted) {
      ++i;
    } else if (rule[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && rule[i] == '-' && (i == 0 || rule[i - 1] == ' ')) {
      const std::string_view rest = rule.substr(i);
      if (rest.starts_with("-j KUBE-") || rest.starts_with("-g KUBE-")) return true;
    }
  }
  return false;
}

// kube-proxy's rules in built-in chains: those that are there go, those wanted come, in front.
void ReplaceJumps(const Section& wanted, const Section& saved, std::string* text) {
  std::map<std::string_view, std::vector<std::string_view>> before;
  std::map<std::string_view, std::vector<std::string_view>> after;
  for (const auto& [chain, rule] : saved.rules) {
    if (saved.builtin.contains(chain) && JumpsToOwn(rule)) before[chain].push_back(rule);
  }
  for (const auto& [chain, rule] : wanted.rules) {
    if (!chain.starts_with(kOwnPrefix)) after[chain].push_back(rule);
  }
  for (const auto& [chain, rules] : before) {
    const auto same = after.find(chain);
    if (same != after.end() && same->second == rules) {
      after.erase(same);  // nothing to do: no packet meets a chain without its jumps
      continue;
    }
    for (std::string_view rule : rules) StrAppend(text, "-D ", chain, " ", rule, "\n");
  }
  for (const auto& [chain, rules] : after) {
    size_t number = 0;
    for (std::string_view rule : rules) {
      StrAppend(text, "-I ", chain, " ", ++number, " ", rule, "\n");
    }
  }
}

}  // namespace

std::string KernelRestoreText(std::string_view wanted, std::string_view saved) {
  const std::vector<Section> present = ReadSections(saved);
  std::string text;
  for (const Section& section : ReadSections(wanted)) {
    const auto there = std::find_if(present.begin(), present.end(), [&](const Section& other) {
      return other.table == section.table;
    });
    const Section nothing;
    const Section& old = there == present.end() ? nothing : *there;
    std::set<std::string_view> declared;
    StrAppend(&text, "*", section.table, "\n");
    // --noflush empties a chain that is declared.
    for (std::string_view chain : section.chains) {
      if (!chain.starts_with(kOwnPrefix)) continue;
      declared.insert(chain);
      StrAppend(&text, ":", chain, " - [0:0]\n");
    }
    std::vector<std::string_view> removed;
    for (std::string_view chain : old.chains) {
      if (!chain.starts_with(kOwnPrefix) || declared.contains(chain)) continue;
      removed.push_back(chain);
      StrAppend(&text, ":", chain, " - [0:0]\n");
    }
    ReplaceJumps(section, old, &text);
    for (const auto& [chain, rule] : section.rules) {
      if (chain.starts_with(kOwnPrefix)) StrAppend(&text, "-A ", chain, " ", rule, "\n");
    }
    for (std::string_view chain : removed) StrAppend(&text, "-X ", chain, "\n");
    text += "COMMIT\n";
  }
  return text;
}

}  // namespace kubemu
