#include "tests/scenarios/runner.h"

#include <algorithm>
#include <boost/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "lab/observe/trace_tree.h"
#include "messages/core/strings.h"
#include "tests/simulation/world.h"

namespace kubemu {
namespace {

constexpr size_t kLinesMax = 60;  // of one command's output

// "5s", "200ms".
Duration ParseDuration(const std::string& text) {
  const size_t digits = text.find_first_not_of("0123456789");
  int64_t number = 0;
  if (digits == std::string::npos || !ParseInteger(text.substr(0, digits), &number)) return {};
  return text.substr(digits) == "ms" ? Duration(number * 1ms) : Duration(number * 1s);
}

// Generated names have random ends, of an alphabet that makes no words; they are numbered.
std::string NumberNames(const std::string& text) {
  const std::regex generated(
      "([a-z0-9]+)((-[bcdfghjklmnpqrstvwxz2456789]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}|"
      "-[bcdfghjklmnpqrstvwxz2456789]{6,10})(?![a-z0-9-])");
  std::map<std::string, size_t> numbers;
  std::string out;
  auto from = text.cbegin();
  for (std::sregex_iterator it(text.begin(), text.end(), generated), end; it != end; ++it) {
    const std::smatch& match = *it;
    const size_t number = numbers.emplace(match.str(), numbers.size() + 1).first->second;
    out.append(from, match[0].first);
    StrAppend(&out, match[1].str(), "-<", number, ">");
    from = match[0].second;
  }
  out.append(from, text.cend());
  return out;
}

// The ports that iptables draws for masqueraded connections say nothing: "10.244.0.1:*".
std::string HideDrawnPorts(const std::string& text) {
  return std::regex_replace(text, std::regex(R"(((?:10\.244|127\.1)\.\d+\.\d+):\d+ ->)"),
                            "$1:* ->");
}

// Of a page, the line that says who answered; of anything else, all of it on one line.
std::string Essence(const SimInternet::Answer& answer) {
  if (!answer.error.empty()) return answer.error;
  std::string text = StrCat(answer.status);
  for (std::string_view line : StrSplit(answer.body, '\n')) {
    if (line.empty() || (line[0] == '<' && line.find("Answered") == std::string_view::npos)) {
      continue;
    }
    StrAppend(&text, " | ", line);
  }
  return text;
}

std::string Key(const ScenarioCommand& command, const std::string& key,
                const std::string& fallback = "") {
  const auto it = command.keys.find(key);
  return it == command.keys.end() ? fallback : it->second;
}

int Number(const ScenarioCommand& command, const std::string& key, int fallback) {
  int number = fallback;
  ParseInteger(Key(command, key), &number);
  return number;
}

std::string TargetOf(const std::string& resource) {
  if (resource == "nodes") return "/api/v1/nodes";
  if (resource == "deployments" || resource == "replicasets") {
    return "/apis/apps/v1/namespaces/default/" + resource;
  }
  if (resource == "endpointslices") {
    return "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
  }
  return "/api/v1/namespaces/default/" + resource;
}

void SplitWords(const std::string& line, ScenarioCommand* command) {
  std::istringstream in(line);
  for (std::string word; in >> word;) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos && word[0] != '/') {
      command->keys[word.substr(0, equals)] = word.substr(equals + 1);
    } else if (word != "<<EOF") {
      command->words.push_back(word);
    }
  }
}

struct ScenarioFilter {
  MessageFilter filter;
  bool first = false;
  bool done = false;
};

std::vector<ScenarioFilter> ReadFilters(const std::vector<std::string>& lines) {
  std::vector<ScenarioFilter> filters;
  for (const std::string& line : lines) {
    ScenarioCommand words;
    SplitWords(line, &words);
    ScenarioFilter one;
    one.filter.from = Key(words, "from");
    one.filter.to = Key(words, "to");
    one.filter.kind = Key(words, "kind");
    one.filter.text = Key(words, "text");
    std::replace(one.filter.text.begin(), one.filter.text.end(), '+', ' ');
    one.filter.background = !Key(words, "background").empty();
    one.first = !Key(words, "first").empty();
    filters.push_back(std::move(one));
  }
  return filters;
}

bool Shown(const SeenMessage& message, std::vector<ScenarioFilter>* filters) {
  for (ScenarioFilter& one : *filters) {
    if (one.done || !one.filter.Matches(message)) continue;
    one.done = one.first;
    return true;
  }
  return false;
}

}  // namespace

std::vector<ScenarioCommand> ParseScenario(const std::string& script) {
  std::vector<ScenarioCommand> commands;
  bool here = false;  // inside <<EOF
  for (std::string_view line : StrSplit(script, '\n')) {
    if (here) {
      if (line == "EOF") {
        here = false;
      } else {
        commands.back().below.emplace_back(line);
      }
      continue;
    }
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == ' ' && !commands.empty()) {
      commands.back().below.emplace_back(StripSpaces(line));
      continue;
    }
    ScenarioCommand command;
    command.line = line;
    SplitWords(command.line, &command);
    here = line.ends_with("<<EOF");
    commands.push_back(std::move(command));
  }
  return commands;
}

std::string ScenarioRunner::Run(const std::string& script) {
  std::string transcript;
  for (const ScenarioCommand& command : ParseScenario(script)) {
    std::vector<std::string> lines;
    RunCommand(command, &lines);
    std::string line = command.line;
    if (line.ends_with(" <<EOF")) line.resize(line.size() - 6);
    StrAppend(&transcript, "> ", line, "\n");
    const bool cut = lines.size() > kLinesMax;
    if (cut) lines.resize(kLinesMax);
    for (const std::string& shown : lines) StrAppend(&transcript, shown, "\n");
    if (cut) StrAppend(&transcript, "...\n");
  }
  return HideDrawnPorts(NumberNames(transcript));
}

void ScenarioRunner::RunCommand(const ScenarioCommand& command, Lines* out) {
  const std::string verb = command.words.empty() ? "" : command.words[0];
  if (verb == "start") return Start(command, out);
  if (cluster_ == nullptr) return out->push_back("no cluster: begin with start");
  if (verb == "apply") return Apply(command, out);
  if (verb == "scale") return Scale(command, out);
  if (verb == "delete-pod") return DeletePod(command, out);
  if (verb == "wait") return Wait(command, out);
  if (verb == "curl") return Curl(command, out);
  if (verb == "get") return Get(command, out);
  if (verb == "show") return Show(command, out);
  if (verb == "messages") return Messages(command, out);
  if (verb == "trace") return Trace(command, out);
  if (!RunVerb(command)) out->push_back("no such command");
}

// Those that show nothing.
bool ScenarioRunner::RunVerb(const ScenarioCommand& command) {
  const std::string verb = command.words.empty() ? "" : command.words[0];
  if (verb == "mark") {
    mark_ = cluster_->simulator().wall();
    return true;
  }
  if (command.words.size() < 2) return false;
  const std::string& what = command.words[1];
  const std::string other = command.words.size() > 2 ? command.words[2] : "";
  Simulator& simulator = cluster_->simulator();
  if (verb == "run") {
    cluster_->Run(ParseDuration(what));
  } else if (verb == "kill") {
    simulator.Kill(what);
  } else if (verb == "restart") {
    simulator.Start(what);
  } else if (verb == "pause") {
    simulator.Pause(what);
  } else if (verb == "resume") {
    simulator.Resume(what);
  } else if (verb == "cut") {
    simulator.Cut(what, other);
  } else if (verb == "mend") {
    simulator.Mend(what, other);
  } else if (verb == "engine") {
    cluster_->SetEngineDown(other, what == "down");
  } else {
    return false;
  }
  return true;
}

void ScenarioRunner::Start(const ScenarioCommand& command, Lines* out) {
  SimCluster::Options options;
  options.nodes = Number(command, "nodes", 3);
  options.seed = static_cast<uint64_t>(Number(command, "seed", 1));
  options.cpu = Key(command, "cpu", options.cpu);
  options.cluster_dns = !Key(command, "dns").empty();
  cluster_ = std::make_unique<SimCluster>(options);
  bool ready = cluster_->RunUntilReady();
  if (options.cluster_dns) {
    ready = cluster_->RunUntil([&] { return ReadyDnsPods(*cluster_) == 2; }, 60s) && ready;
    cluster_->Run(2s);
  }
  out->push_back(
      ready ? StrCat(options.nodes, options.nodes == 1 ? " node is Ready" : " nodes are Ready")
            : "not all nodes are Ready");
}

void ScenarioRunner::Apply(const ScenarioCommand& command, Lines* out) {
  const std::string error = cluster_->Apply(StrJoin(command.below, "\n"));
  out->push_back(error.empty() ? "applied" : error);
}

void ScenarioRunner::Scale(const ScenarioCommand& command, Lines* out) {
  if (command.words.size() != 3) return out->push_back("scale DEPLOYMENT N");
  const auto answer = cluster_->Request("PATCH", TargetOf("deployments") + "/" + command.words[1],
                                        StrCat(R"({"spec":{"replicas":)", command.words[2], "}}"),
                                        "application/merge-patch+json");
  out->push_back(answer.ok() ? "scaled" : answer.body);
}

void ScenarioRunner::DeletePod(const ScenarioCommand& command, Lines* out) {
  const auto pods =
      Items(*cluster_, TargetOf("pods") + "?labelSelector=app%3D" + Key(command, "app"));
  if (pods.empty()) return out->push_back("no such pod");
  const std::string name = JsonText(pods[0], "/metadata/name");
  const auto answer = cluster_->Request("DELETE", TargetOf("pods") + "/" + name);
  out->push_back(answer.ok() ? "deleted " + name : answer.body);
}

void ScenarioRunner::Wait(const ScenarioCommand& command, Lines* out) {
  const std::string app = Key(command, "app");
  const std::string node = Key(command, "node");
  const bool done = cluster_->RunUntil(
      [&] {
        return app.empty() ? ReadyOf(*cluster_, node) == Key(command, "ready")
                           : RunningPods(*cluster_, app) == Number(command, "pods", 1);
      },
      120s);
  if (!app.empty()) cluster_->Run(2s);
  if (!done) out->push_back("gave up after 120 s");
}

void ScenarioRunner::Curl(const ScenarioCommand& command, Lines* out) {
  const auto server = SocketAddress::Parse(command.words.size() > 1 ? command.words[1] : "");
  if (!server.ok()) return out->push_back("curl IP:PORT");
  std::set<std::string> seen;
  for (int i = 0; i < Number(command, "times", 1); ++i) {
    const std::string answer = Essence(cluster_->Curl(*server, Key(command, "path", "/")));
    if (seen.insert(answer).second) out->push_back(answer);
  }
}

void ScenarioRunner::Get(const ScenarioCommand& command, Lines* out) {
  const std::string resource = command.words.size() > 1 ? command.words[1] : "";
  const auto answer = cluster_->Request("GET", TargetOf(resource), "", "",
                                        "application/json;as=Table;v=v1;g=meta.k8s.io");
  boost::system::error_code error;
  const auto table = boost::json::parse(answer.body, error);
  const auto columns = JsonAt(table, "/columnDefinitions");
  const auto rows = JsonAt(table, "/rows");
  if (!columns.is_array() || !rows.is_array()) return out->push_back(answer.body);
  const auto line = [&](const auto& cell) {
    std::string text;
    for (size_t i = 0; i < columns.get_array().size(); ++i) {
      const std::string name = JsonText(columns, StrCat("/", i, "/name"));
      const bool wide = JsonText(columns, StrCat("/", i, "/priority")) != "0";
      if (name == "Age" || (wide && name != "Node" && name != "IP")) continue;
      StrAppend(&text, text.empty() ? "" : "  ", cell(i, name));
    }
    return text;
  };
  out->push_back(line([](size_t, const std::string& name) { return name; }));
  for (const boost::json::value& row : rows.get_array()) {
    out->push_back(
        line([&](size_t i, const std::string&) { return JsonText(row, StrCat("/cells/", i)); }));
  }
}

void ScenarioRunner::Show(const ScenarioCommand& command, Lines* out) {
  if (command.words.size() < 2) return out->push_back("show TARGET POINTER...");
  const auto object = cluster_->Get(command.words[1]);
  for (size_t i = 2; i < command.words.size(); ++i) {
    out->push_back(StrCat(command.words[i], " = ", JsonText(object, command.words[i])));
  }
}

void ScenarioRunner::Messages(const ScenarioCommand& command, Lines* out) {
  std::vector<ScenarioFilter> filters = ReadFilters(command.below);
  MessageLog log = cluster_->Messages();
  std::string last;
  int times = 0;
  for (const SeenMessage* message : log.Ordered()) {
    if (message->sent < mark_ || !Shown(*message, &filters)) continue;
    std::string line = StrCat(message->from, " -> ", message->to, "  ", message->kind);
    if (!message->what.empty()) StrAppend(&line, "  ", message->what);
    if (!message->lost.empty()) StrAppend(&line, "  LOST: ", message->lost);
    times = line == last ? times + 1 : 1;
    last = line;
    if (times == 1) {
      out->push_back(line);
    } else {
      out->back() = StrCat(line, "  (", times, " times)");
    }
  }
}

void ScenarioRunner::Trace(const ScenarioCommand& command, Lines* out) {
  MessageLog log = cluster_->Messages();
  const auto trace = FindTrace(log, command.words.size() > 1 ? command.words[1] : "last");
  if (!trace) return out->push_back("no such trace");
  constexpr size_t kTimeWidth = 14;  // "    0.000 ms  "
  for (const std::string& line : TraceTree(log, *trace, {})) {
    out->push_back(line.substr(std::min(kTimeWidth, line.size())));
  }
}

}  // namespace kubemu
