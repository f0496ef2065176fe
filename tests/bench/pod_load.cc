// POSTs pods over keep-alive connections and prints one line of JSON: how many requests a second,
// and with --journal, how many pods a second became Running and how long each took.
//   pod_load --api 127.0.0.1:6443 --manifest pod.json --count 2000 [--clients 64]
//            [--prefix name-] [--journal $KUBEMU_HOME/default/journal]
// The manifest is one line of JSON with NAME where the pod's name goes.
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

constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";
constexpr auto kRunningTimeout = std::chrono::seconds(120);
constexpr auto kPollInterval = std::chrono::milliseconds(25);
constexpr auto kJournalSettles = std::chrono::seconds(1);  // journals are written with a delay

struct Flags {
  std::string api;
  std::string manifest;
  size_t count = 1000;
  int clients = 64;
  std::string prefix = "load-";
  std::string journal;
};

double Milliseconds(WallTime::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string ReadManifest(const std::string& path) {
  std::ifstream in(path);
  if (!in) FailLoad(StrCat("cannot read ", path));
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string PostOf(std::string_view manifest, const std::string& name) {
  std::string body(manifest);
  for (size_t at = 0; (at = body.find("NAME", at)) != std::string::npos; at += name.size()) {
    body.replace(at, 4, name);
  }
  return StrCat("POST ", kPods, " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n",
                "Content-Length: ", body.size(), "\r\n\r\n", body);
}

void WaitUntilRunning(const std::string& api) {
  const std::string request =
      StrCat("GET ", kPods, "?fieldSelector=status.phase%21%3DRunning&limit=1 HTTP/1.1\r\n",
             "Host: bench\r\n\r\n");
  const auto end = std::chrono::steady_clock::now() + kRunningTimeout;
  while (HttpOnce(api, request).find("\"items\":[]") == std::string::npos) {
    if (std::chrono::steady_clock::now() > end) FailLoad("the pods do not get Running");
    std::this_thread::sleep_for(kPollInterval);
  }
  std::this_thread::sleep_for(kJournalSettles);
}

// Pod: when its kubelet got the API server's answer to its last status write. By then the status
// is durable and every watcher's event is under way.
std::map<std::string, WallTime> ReadRunning(const std::string& directory) {
  MessageLog log;
  JournalFiles files(directory);
  if (const absl::Status status = files.Read(&log); !status.ok()) {
    FailLoad(std::string(status.message()));
  }
  constexpr std::string_view kAnswer = "200 pods ";
  std::map<std::string, WallTime> running;
  for (const SeenMessage* message : log.Ordered()) {
    if (message->kind != "ApiResponse" || !message->what.starts_with(kAnswer)) continue;
    if (!message->to.ends_with("/kubelet")) continue;
    WallTime& last = running[message->what.substr(kAnswer.size())];
    last = std::max(last, message->received);
  }
  return running;
}

void PrintRunning(const Flags& flags, const std::vector<LoadAnswer>& answers) {
  WaitUntilRunning(flags.api);
  const std::map<std::string, WallTime> running = ReadRunning(flags.journal);
  std::vector<double> starts;
  WallTime last{};
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto it = running.find(StrCat("default/", flags.prefix, i));
    if (it == running.end()) FailLoad(StrCat("pod ", flags.prefix, i, " is not in the journal"));
    starts.push_back(Milliseconds(it->second - answers[i].sent));
    last = std::max(last, it->second);
  }
  const double seconds = Milliseconds(last - answers[0].sent) / 1000;
  std::printf(", \"pods_per_second\": %.1f, \"start_p50_ms\": %.2f, \"start_p99_ms\": %.2f",
              static_cast<double>(answers.size()) / seconds, Percentile(&starts, 0.5),
              Percentile(&starts, 0.99));
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("POSTs pods, and says how fast that went");
  app.add_option("--api", flags.api)->required();
  app.add_option("--manifest", flags.manifest)->required();
  app.add_option("--count", flags.count)->check(CLI::Range(1, 100'000));
  app.add_option("--clients", flags.clients)->check(CLI::Range(1, 1000));
  app.add_option("--prefix", flags.prefix);
  app.add_option("--journal", flags.journal);
  CLI11_PARSE(app, argc, argv);
  const std::string manifest = ReadManifest(flags.manifest);
  const std::vector<LoadAnswer> answers =
      RunHttpLoad(flags.api, flags.clients, flags.count,
                  [&](size_t n) { return PostOf(manifest, StrCat(flags.prefix, n)); });
  std::vector<double> times;
  WallTime last{};
  for (const LoadAnswer& answer : answers) {
    if (answer.status != 201) FailLoad(StrCat("a POST was answered with ", answer.status));
    times.push_back(Milliseconds(answer.answered - answer.sent));
    last = std::max(last, answer.answered);
  }
  std::printf("{\"posts_per_second\": %.1f, \"post_p50_ms\": %.2f, \"post_p99_ms\": %.2f",
              static_cast<double>(answers.size()) * 1000 / Milliseconds(last - answers[0].sent),
              Percentile(&times, 0.5), Percentile(&times, 0.99));
  if (!flags.journal.empty()) PrintRunning(flags, answers);
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
