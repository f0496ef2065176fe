#include "node/engine/command_parser.h"

#include <charconv>
#include <optional>

#include "messages/core/strings.h"
#include "node/engine/net_commands.h"

namespace kubemu {
namespace {

constexpr size_t kStepsMax = 1000;
constexpr int kLoopDepthMax = 100;  // the parser calls itself for a loop in a loop
constexpr int kNotFound = 127;      // POSIX shell
// Longer than anything that is run: about 290 years would overflow.
constexpr Duration kForever = 24h * 365 * 100;

// A word of a script, or an operator between commands.
struct Token {
  bool is_operator = false;
  std::string text;
};

bool IsNameChar(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

class Lexer {
 public:
  Lexer(std::string_view text, const ShellContext& context) : text_(text), context_(context) {}

  std::vector<Token> Run() {
    while (at_ < text_.size()) Next();
    EndWord();
    return std::move(tokens_);
  }

 private:
  void Next() {
    const char c = text_[at_];
    if (c == ' ' || c == '\t' || c == '\r') {
      EndWord();
      ++at_;
    } else if (c == '&' && word_ && word_->ends_with('>')) {
      *word_ += text_[at_++];  // 2>&1
    } else if (c == '\n' || c == ';' || c == '&' || c == '|') {
      EndWord();
      const bool doubled = c != '\n' && c != ';' && at_ + 1 < text_.size() && text_[at_ + 1] == c;
      tokens_.push_back({true, c == '\n' ? ";" : std::string(doubled ? 2 : 1, c)});
      at_ += doubled ? 2 : 1;
    } else if (c == '#' && !word_) {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else if (c == '\'') {
      Quoted(false);
    } else if (c == '"') {
      Quoted(true);
    } else {
      Plain(true);
    }
  }

  void Quoted(bool doubled) {
    const char quote = text_[at_++];
    if (!word_) word_.emplace();
    while (at_ < text_.size() && text_[at_] != quote) {
      if (doubled) {
        Plain(false);
      } else {
        *word_ += text_[at_++];
      }
    }
    ++at_;
  }

  // One character, or what a backslash or a dollar sign stands for.
  void Plain(bool bare) {
    if (!word_) word_.emplace();
    const char c = text_[at_++];
    if (c == '\\' && at_ < text_.size()) {
      const char next = text_[at_++];
      if (!bare && next != '"' && next != '\\' && next != '$' && next != '`') *word_ += c;
      *word_ += next;
    } else if (c == '$') {
      Variable();
    } else {
      *word_ += c;
    }
  }

  void Variable() {
    if (at_ < text_.size() && text_[at_] == '(') {
      const size_t end = text_.find(')', at_);
      const std::string_view command =
          StripSpaces(text_.substr(at_ + 1, end == std::string_view::npos ? end : end - at_ - 1));
      if (command == "hostname") *word_ += context_.hostname;
      at_ = end == std::string_view::npos ? text_.size() : end + 1;
      return;
    }
    const bool braces = at_ < text_.size() && text_[at_] == '{';
    if (braces) ++at_;
    const size_t start = at_;
    while (at_ < text_.size() && IsNameChar(text_[at_])) ++at_;
    const std::string_view name = text_.substr(start, at_ - start);
    if (braces && at_ < text_.size()) ++at_;
    if (name.empty()) *word_ += '$';
    if (name == "HOSTNAME") *word_ += context_.hostname;
    for (const auto& [key, value] : context_.env) {
      if (key == name) *word_ += value;
    }
  }

  void EndWord() {
    if (word_) tokens_.push_back({false, std::move(*word_)});
    word_.reset();
  }

  std::string_view text_;
  const ShellContext& context_;
  size_t at_ = 0;
  std::optional<std::string> word_;
  std::vector<Token> tokens_;
};

bool IsRedirection(std::string_view word) {
  return word.starts_with(">") || word.starts_with("1>") || word.starts_with("2>") ||
         word.starts_with("<");
}

std::string Join(const std::vector<std::string>& words, size_t from) {
  std::string text;
  for (size_t i = from; i < words.size(); ++i) {
    if (i > from) text += ' ';
    text += words[i];
  }
  return text;
}

// Adds the steps of simple commands and scripts to a program.
class Compiler {
 public:
  Compiler(const ShellContext& context, std::vector<Step>* steps)
      : context_(context), steps_(steps) {}

  // False if there is no such command.
  bool Simple(const std::vector<std::string>& words) {
    const std::string name = words[0].substr(words[0].rfind('/') + 1);
    if (name == "sleep") return Sleep(words);
    if (name == "true" || name == ":" || name == "trap" || name == "set") return Add(Status(0));
    if (name == "false") return Add(Status(1));
    if (name == "echo") return Echo(words);
    if (name == "printf") return Add({.kind = Step::Kind::kEcho, .text = Printf(words)});
    if (name == "wget" || name == "curl") return Network(ParseFetch, words);
    if (name == "nslookup") return Network(ParseLookup, words);
    if (name == "cat") return Cat(words);
    if (name == "exit") return Exit(words);
    return Information(name, words);
  }

  void Script(std::string_view text) {
    tokens_ = Lexer(text, context_).Run();
    at_ = 0;
    List();
  }

 private:
  static Step Status(int code) { return {.kind = Step::Kind::kStatus, .code = code}; }

  bool Add(Step step) {
    if (steps_->size() < kStepsMax) steps_->push_back(std::move(step));
    return true;
  }

  bool Sleep(const std::vector<std::string>& words) {
    Duration total{};
    for (size_t i = 1; i < words.size(); ++i) {
      Duration one;
      if (!ParseSleep(words[i], &one)) {
        Add({.kind = Step::Kind::kEcho, .text = StrCat("sleep: invalid number '", words[i], "'")});
        return Add(Status(1));
      }
      total = std::min(total + one, kForever);
    }
    return Add({.kind = Step::Kind::kSleep, .duration = total});
  }

  bool Echo(const std::vector<std::string>& words) {
    const bool flag = words.size() > 1 && (words[1] == "-n" || words[1] == "-e");
    return Add({.kind = Step::Kind::kEcho, .text = Join(words, flag ? 2 : 1)});
  }

  static std::string Printf(const std::vector<std::string>& words) {
    std::string text = words.size() > 1 ? words[1] : "";
    while (text.ends_with("\\n")) text.resize(text.size() - 2);
    size_t next = 2;
    for (size_t at = text.find("%s"); at != std::string::npos; at = text.find("%s", at)) {
      const std::string value = next < words.size() ? words[next++] : "";
      text.replace(at, 2, value);
      at += value.size();
    }
    return text;
  }

  template <class Parser>
  bool Network(Parser parse, const std::vector<std::string>& words) {
    int status = 0;
    Add(parse(words, &status));
    return status == 0 || Add(Status(status));
  }

  // The files that kubelet and engine write; others are passed over, as there is no file system.
  bool Cat(const std::vector<std::string>& words) {
    std::string text;
    for (size_t i = 1; i < words.size(); ++i) {
      const auto file = context_.files.find(words[i]);
      if (file != context_.files.end()) text += file->second;
    }
    if (text.ends_with('\n')) text.pop_back();
    if (text.empty()) return Add(Status(0));
    return Add({.kind = Step::Kind::kEcho, .text = std::move(text)});
  }

  bool Hostname(const std::vector<std::string>& words) {
    std::string text = context_.hostname;
    const auto hosts = context_.files.find("/etc/hosts");
    const bool look = words.size() > 1 && (words[1] == "-f" || words[1] == "-i");
    if (look && hosts != context_.files.end()) {
      const HostsLine line = FindHostsLine(hosts->second, context_.hostname);
      if (!line.name.empty()) text = words[1] == "-i" ? line.ip : line.name;
    }
    return Add({.kind = Step::Kind::kEcho, .text = std::move(text)});
  }

  bool Exit(const std::vector<std::string>& words) {
    int code = -1;
    if (words.size() > 1 && ParseInteger(words[1], &code)) code &= 255;
    return Add({.kind = Step::Kind::kExit, .code = code});
  }

  bool Information(const std::string& name, const std::vector<std::string>& words) {
    if (name == "hostname") return Hostname(words);
    if (name == "env" || name == "printenv") {
      for (const auto& [key, value] : context_.env) {
        Add({.kind = Step::Kind::kEcho, .text = StrCat(key, "=", value)});
      }
      return Add({.kind = Step::Kind::kEcho, .text = "HOSTNAME=" + context_.hostname});
    }
    if (name == "tail" && words.size() > 1 && words[1] == "-f") {
      return Add({.kind = Step::Kind::kSleep, .duration = kForever});
    }
    if (name == "ls" || name == "mkdir" || name == "touch" || name == "rm" || name == "test" ||
        name == "[" || name == "date" || name == "nc" || name == "kill" || name == "chmod" ||
        name == "cp" || name == "mv") {
      return Add(Status(0));
    }
    return false;
  }

  bool AtWord(std::string_view text) const {
    return at_ < tokens_.size() && !tokens_[at_].is_operator && tokens_[at_].text == text;
  }

  // Commands up to "done" or the end.
  void List() {
    while (at_ < tokens_.size() && !AtWord("done")) {
      if (tokens_[at_].is_operator) {
        ++at_;
      } else {
        AndOr();
      }
    }
  }

  // a && b || c: a jump over the next command after each.
  void AndOr() {
    Command();
    while (at_ < tokens_.size() && tokens_[at_].is_operator &&
           (tokens_[at_].text == "&&" || tokens_[at_].text == "||")) {
      const bool and_list = tokens_[at_++].text == "&&";
      const size_t jump = steps_->size();
      Add({.kind = and_list ? Step::Kind::kJumpFail : Step::Kind::kJumpOk});
      if (jump >= kStepsMax) return;
      Command();
      (*steps_)[jump].code = static_cast<int>(steps_->size());
    }
  }

  void Command() {
    if (AtWord("while") || AtWord("until")) return Loop();
    std::vector<std::string> words;
    while (at_ < tokens_.size() && !tokens_[at_].is_operator) {
      const std::string& word = tokens_[at_++].text;
      if (IsRedirection(word)) {
        // "> file" is two words, ">file" and "2>&1" are one (and what the '&' split off).
        if (word.ends_with(">") && at_ < tokens_.size() && !tokens_[at_].is_operator) ++at_;
      } else if (!words.empty() || (word != "do" && word != "then")) {
        words.push_back(word);
      }
    }
    if (words.empty() || Simple(words)) return;
    Add({.kind = Step::Kind::kEcho, .text = StrCat("sh: ", words[0], ": not found")});
    Add(Status(kNotFound));
  }

  // while CONDITION; do BODY; done. The loop ends when the condition fails.
  void Loop() {
    if (depth_ == kLoopDepthMax) {
      at_ = tokens_.size();
      Add({.kind = Step::Kind::kEcho,
           .text = StrCat("sh: syntax error: more than ", kLoopDepthMax, " loops in each other")});
      Add({.kind = Step::Kind::kExit, .code = 2});
      return;
    }
    ++depth_;
    const bool until = tokens_[at_++].text == "until";
    const int start = static_cast<int>(steps_->size());
    while (at_ < tokens_.size() && !AtWord("do")) {
      if (tokens_[at_].is_operator) {
        ++at_;
      } else {
        AndOr();
      }
    }
    const size_t exit_jump = steps_->size();
    Add({.kind = until ? Step::Kind::kJumpOk : Step::Kind::kJumpFail});
    if (AtWord("do")) ++at_;
    List();
    if (AtWord("done")) ++at_;
    Add({.kind = Step::Kind::kJump, .code = start});
    if (exit_jump < steps_->size()) (*steps_)[exit_jump].code = static_cast<int>(steps_->size());
    --depth_;
  }

  const ShellContext& context_;
  std::vector<Step>* steps_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;  // of loops
};

bool IsShell(std::string_view command) {
  const std::string_view name = command.substr(command.rfind('/') + 1);
  return name == "sh" || name == "bash" || name == "ash";
}

}  // namespace

bool ParseSleep(std::string_view text, Duration* duration) {
  if (text == "infinity" || text == "inf") {
    *duration = kForever;
    return true;
  }
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number < 0) return false;
  const std::string_view unit(stop, end - stop);
  double seconds = number;
  if (unit == "ms") {
    seconds = number / 1000;
  } else if (unit == "m") {
    seconds = number * 60;
  } else if (unit == "h") {
    seconds = number * 3600;
  } else if (unit == "d") {
    seconds = number * 86400;
  } else if (!unit.empty() && unit != "s") {
    return false;
  }
  const double longest = std::chrono::duration<double>(kForever).count();
  *duration = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::min(seconds, longest)));
  return true;
}

ContainerProgram ParseCommand(const std::vector<std::string>& argv, const ShellContext& context) {
  ContainerProgram program;
  program.handles_term = false;
  if (argv.empty()) {
    program.start_error = "no command specified";
    return program;
  }
  Compiler compiler(context, &program.steps);
  if (IsShell(argv[0])) {
    // "sh" alone reads an empty standard input and ends; "-c", "-ec", "-xc" take a script.
    for (size_t i = 1; i + 1 < argv.size(); ++i) {
      if (!argv[i].starts_with("-") || argv[i].back() != 'c') continue;
      compiler.Script(argv[i + 1]);
      break;
    }
    return program;
  }
  if (argv[0] == "exit" || !compiler.Simple(argv)) {
    program.steps.clear();
    program.start_error = StrCat("exec: \"", argv[0], "\": executable file not found in $PATH");
  }
  return program;
}

}  // namespace kubemu
