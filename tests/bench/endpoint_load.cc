// Makes pods one after the other and prints one line of JSON: how long it took from the moment when
// each pod's Ready was stored until every node's rules had it.
//   endpoint_load --api 127.0.0.1:6443 --manifest pod.json --count 100 --nodes 100
//                 --journal $KUBEMU_HOME/default/journal [--pause 200] [--prefix name-]
//                 [--services 1]
// The manifest is one line of JSON with NAME where the pod's name goes, and SERVICE where a number
// below --services does; a Service has to select it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "lab/observe/journal_files.h"
#include "messages/core/strings.h"
#include "tests/bench/http_load.h"

namespace kubemu {
namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(500);
constexpr int kLooksMax = 40;   // for the last pod, and until the journals are written
constexpr int kLooksAlike = 4;  // until it is believed that no more pods come

struct EndpointFlags {
  std::string api;
  std::string manifest;
  std::string journal;
  std::string prefix = "end-";
  size_t count = 100;
  size_t nodes = 100;
  size_t services = 1;
  int pause_ms = 200;
};

// One pod on its way: its Ready is stored, each node hears of its slice, its rules follow.
struct Journey {
  uint64_t ready = 0;  // the watch event that told the EndpointSlice controller
  WallTime stored{};
  std::map<std::string, WallTime> slices;  // node: when it heard of the slice
  std::map<std::string, WallTime> rules;   // node: when its rules had it
};
using Journeys = std::map<std::string, Journey>;  // by pod

double InMilliseconds(WallTime::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

void ReplaceAll(std::string_view word, const std::string& by, std::string* text) {
  for (size_t at = 0; (at = text->find(word, at)) != std::string::npos; at += by.size()) {
    text->replace(at, word.size(), by);
  }
}

std::string PostPod(std::string body, const std::string& name, size_t service) {
  ReplaceAll("NAME", name, &body);
  ReplaceAll("SERVICE", std::to_string(service), &body);
  return StrCat("POST /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: bench\r\n",
                "Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n",
                body);
}

// The node's changes of rules: when each was sent, and when it was applied (none: it was not).
using Restores = std::map<std::string, std::map<WallTime, std::optional<WallTime>>>;

Restores ReadRestores(MessageLog& log) {
  Restores restores;
  for (const SeenMessage* message : log.Ordered()) {
    const std::string node(message->from.substr(0, message->from.find('/')));
    if (message->kind == "IptablesRestore") restores[node].try_emplace(message->sent);
    if (message->kind != "IptablesRestored" || message->what != "applied") continue;
    const SeenMessage* restore = log.Find(message->cause);
    if (restore != nullptr) restores[node][restore->sent] = message->sent;
  }
  return restores;
}

// When the rules had what the node's kube-proxy heard at that time. What it hears in one turn goes
// into one change, which has the trace of the first: so this is not asked of the trace.
std::optional<WallTime> AppliedAfter(const Restores& restores, const std::string& node,
                                     WallTime heard) {
  const auto changes = restores.find(node);
  if (changes == restores.end()) return std::nullopt;
  for (auto it = changes->second.lower_bound(heard); it != changes->second.end(); ++it) {
    if (it->second) return it->second;
  }
  return std::nullopt;
}

// The watch event of a pod that the EndpointSlice controller wrote this slice for; null: it was
// something else. It has the time of the API server's turn that stored the pod, which begins before
// the write is durable.
const SeenMessage* PodBehind(const SeenMessage& slice, const MessageLog& log) {
  const SeenMessage* write = log.Find(slice.cause);
  const SeenMessage* pod = write == nullptr ? nullptr : log.Find(write->cause);
  return pod != nullptr && pod->kind == "WatchEvent" ? pod : nullptr;
}

// A pod may be written several times on its way to Ready: the last that changed the slice counts.
Journeys ReadJourneys(const std::string& prefix, MessageLog& log) {
  const std::string pods = " pods default/" + prefix;
  const Restores restores = ReadRestores(log);
  Journeys journeys;
  for (const SeenMessage* message : log.Ordered()) {
    if (message->kind != "WatchEvent" || message->received == WallTime{} ||
        !message->to.ends_with("/kube-proxy") ||
        message->what.find(" endpointslices ") == std::string::npos) {
      continue;
    }
    const SeenMessage* pod = PodBehind(*message, log);
    if (pod == nullptr || pod->what.find(pods) == std::string::npos) continue;
    Journey& journey = journeys[pod->what.substr(pod->what.rfind('/') + 1)];
    if (journey.ready != pod->id) journey = {.ready = pod->id, .stored = pod->sent};
    const std::string node = message->to.substr(0, message->to.find('/'));
    journey.slices.try_emplace(node, message->received);
    const auto applied = AppliedAfter(restores, node, message->received);
    if (applied) journey.rules.try_emplace(node, *applied);
  }
  return journeys;
}

// What is still missing; "" if nothing is. Two pods that became Ready in one moment can be in one
// write of their slice, which is then the first one's: a few may be missing for that.
std::string Missing(const EndpointFlags& flags, const Journeys& journeys) {
  for (const auto& [pod, journey] : journeys) {
    if (journey.rules.size() >= flags.nodes) continue;
    return StrCat("of ", pod, " ", journey.slices.size(), " nodes heard, and ",
                  journey.rules.size(), " have it in their rules");
  }
  if (journeys.size() * 10 >= flags.count * 9) return "";
  return StrCat("only ", journeys.size(), " of ", flags.count, " pods came into a slice");
}

Journeys WaitForJourneys(const EndpointFlags& flags) {
  MessageLog log;
  JournalFiles files(flags.journal);
  std::string missing;
  size_t pods = 0;
  int alike = 0;
  for (int look = 0; look < kLooksMax; ++look) {
    std::this_thread::sleep_for(kLookAgain);
    if (const absl::Status status = files.Read(&log); !status.ok()) {
      FailLoad(std::string(status.message()));
    }
    Journeys journeys = ReadJourneys(flags.prefix, log);
    missing = Missing(flags, journeys);
    alike = journeys.size() == pods ? alike + 1 : 0;
    pods = journeys.size();
    if (missing.empty() && (pods == flags.count || alike >= kLooksAlike)) return journeys;
  }
  FailLoad(StrCat(missing, log.gaps() == 0 ? "" : " (the journals have gaps)"));
}

void Print(const Journeys& journeys) {
  std::vector<double> every;
  std::vector<double> last;
  std::vector<double> heard;
  for (const auto& [pod, journey] : journeys) {
    double longest = 0;
    for (const auto& [node, at] : journey.rules) {
      every.push_back(InMilliseconds(at - journey.stored));
      longest = std::max(longest, every.back());
    }
    last.push_back(longest);
    for (const auto& [node, at] : journey.slices) {
      heard.push_back(InMilliseconds(at - journey.stored));
    }
  }
  std::printf(
      "{\"pods\": %zu, \"rules\": %zu, \"heard_p50_ms\": %.2f, \"heard_p99_ms\": %.2f, "
      "\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"last_node_p50_ms\": %.2f, "
      "\"last_node_p99_ms\": %.2f}\n",
      journeys.size(), every.size(), Percentile(&heard, 0.5), Percentile(&heard, 0.99),
      Percentile(&every, 0.5), Percentile(&every, 0.99), Percentile(&last, 0.5),
      Percentile(&last, 0.99));
}

int Main(int argc, char** argv) {
  EndpointFlags flags;
  CLI::App app("Makes pods, and says how fast every node's rules followed");
  app.add_option("--api", flags.api)->required();
  app.add_option("--manifest", flags.manifest)->required();
  app.add_option("--journal", flags.journal)->required();
  app.add_option("--count", flags.count)->check(CLI::Range(1, 10'000));
  app.add_option("--nodes", flags.nodes)->check(CLI::Range(1, 10'000));
  app.add_option("--services", flags.services, "the pods are spread over so many")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--pause", flags.pause_ms, "milliseconds between two pods");
  app.add_option("--prefix", flags.prefix);
  CLI11_PARSE(app, argc, argv);
  std::ifstream in(flags.manifest);
  if (!in) FailLoad(StrCat("cannot read ", flags.manifest));
  std::stringstream manifest;
  manifest << in.rdbuf();
  for (size_t i = 0; i < flags.count; ++i) {
    RunHttpLoad(flags.api, 1, 1, [&](size_t) {
      return PostPod(manifest.str(), StrCat(flags.prefix, i), i % flags.services);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(flags.pause_ms));
  }
  Print(WaitForJourneys(flags));
  return 0;
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
