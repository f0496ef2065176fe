// Makes pods one after the other and prints one line of JSON: how long it took from the moment when
// each pod's Ready was stored until every node's rules had it.
//   endpoint_load --api 127.0.0.1:6443 --manifest pod.json --count 100 --nodes 100
//                 --journal $KUBEMU_HOME/default/journal [--pause 200] [--prefix name-]
// The manifest is one line of JSON with NAME where the pod's name goes; a Service has to select it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "lab/observe/journal_files.h"
#include "messages/core/strings.h"
#include "tests/bench/http_load.h"

namespace kubemu {
namespace {

constexpr auto kSettles = std::chrono::seconds(2);  // the last pod, and the journals

struct EndpointFlags {
  std::string api;
  std::string manifest;
  std::string journal;
  std::string prefix = "end-";
  size_t count = 100;
  size_t nodes = 100;
  int pause_ms = 200;
};

// One pod on its way: its Ready is stored, each node's rules follow.
struct Journey {
  WallTime stored{};
  std::map<std::string, WallTime> slices;  // node: when it heard of the slice
  std::map<std::string, WallTime> rules;   // node: when its rules had it
};

double InMilliseconds(WallTime::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string PostPod(std::string body, const std::string& name) {
  for (size_t at = 0; (at = body.find("NAME", at)) != std::string::npos; at += name.size()) {
    body.replace(at, 4, name);
  }
  return StrCat("POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: bench\r\n",
                "Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n",
                body);
}

// All that follows from a pod's creation is one trace. The answer to its kubelet's last status
// write leaves the master when that write is durable.
std::map<uint64_t, Journey> ReadJourneys(const EndpointFlags& flags) {
  MessageLog log;
  JournalFiles files(flags.journal);
  if (const absl::Status status = files.Read(&log); !status.ok()) {
    FailLoad(std::string(status.message()));
  }
  const std::string answer = "200 pods default/" + flags.prefix;
  std::map<uint64_t, Journey> journeys;
  for (const SeenMessage* message : log.Ordered()) {
    if (message->kind == "ApiResponse" && message->what.starts_with(answer) &&
        message->to.ends_with("/kubelet")) {
      journeys[message->trace_id].stored = message->sent;
    }
  }
  for (const SeenMessage* message : log.Ordered()) {
    const auto it = journeys.find(message->trace_id);
    if (it == journeys.end() || message->sent < it->second.stored) continue;
    if (message->kind == "IptablesRestored") {
      it->second.rules.try_emplace(message->from, message->sent);
    } else if (message->kind == "WatchEvent" && message->to.ends_with("/kube-proxy") &&
               message->received != WallTime{}) {
      it->second.slices.try_emplace(message->to, message->received);
    }
  }
  return journeys;
}

void Print(const EndpointFlags& flags) {
  std::vector<double> every;
  std::vector<double> last;
  std::vector<double> heard;
  for (const auto& [trace, journey] : ReadJourneys(flags)) {
    if (journey.rules.size() < flags.nodes) {
      FailLoad(
          StrCat("only ", journey.rules.size(), " nodes' rules followed from one of the pods"));
    }
    double longest = 0;
    for (const auto& [node, at] : journey.rules) {
      every.push_back(InMilliseconds(at - journey.stored));
      longest = std::max(longest, every.back());
    }
    last.push_back(longest);
    for (const auto& [node, at] : journey.slices)
      heard.push_back(InMilliseconds(at - journey.stored));
  }
  if (every.empty() || heard.empty()) FailLoad("the journal has no such pods");
  std::printf(
      "{\"rules\": %zu, \"heard_p50_ms\": %.2f, \"heard_p99_ms\": %.2f, \"p50_ms\": %.2f, "
      "\"p99_ms\": %.2f, \"last_node_p50_ms\": %.2f, \"last_node_p99_ms\": %.2f}\n",
      every.size(), Percentile(&heard, 0.5), Percentile(&heard, 0.99), Percentile(&every, 0.5),
      Percentile(&every, 0.99), Percentile(&last, 0.5), Percentile(&last, 0.99));
}

int Main(int argc, char** argv) {
  EndpointFlags flags;
  CLI::App app("Makes pods, and says how fast every node's rules followed");
  app.add_option("--api", flags.api)->required();
  app.add_option("--manifest", flags.manifest)->required();
  app.add_option("--journal", flags.journal)->required();
  app.add_option("--count", flags.count)->check(CLI::Range(1, 10'000));
  app.add_option("--nodes", flags.nodes)->check(CLI::Range(1, 10'000));
  app.add_option("--pause", flags.pause_ms, "milliseconds between two pods");
  app.add_option("--prefix", flags.prefix);
  CLI11_PARSE(app, argc, argv);
  std::ifstream in(flags.manifest);
  if (!in) FailLoad(StrCat("cannot read ", flags.manifest));
  std::stringstream manifest;
  manifest << in.rdbuf();
  for (size_t i = 0; i < flags.count; ++i) {
    RunHttpLoad(flags.api, 1, 1,
                [&](size_t) { return PostPod(manifest.str(), StrCat(flags.prefix, i)); });
    std::this_thread::sleep_for(std::chrono::milliseconds(flags.pause_ms));
  }
  std::this_thread::sleep_for(kSettles);
  Print(flags);
  return 0;
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
