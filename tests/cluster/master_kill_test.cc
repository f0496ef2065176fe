// kill -9 of the master while clients write: what was acknowledged before a kill is there after it,
// as it was acknowledged.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/cluster/cluster.h"
#include "tests/messages/runtime/raw_client.h"

namespace kubemu {
namespace {

constexpr int kKills = 10;
constexpr int kWriters = 4;
constexpr uint64_t kWritesBeforeAKill = 100;  // at least
constexpr char kMapsPath[] = "/api/v1/namespaces/default/configmaps";

// A client in a thread of its own that creates one ConfigMap after the other over a kept
// connection, and connects again when it breaks.
class MapWriter {
 public:
  MapWriter(std::string name, std::string api) : name_(std::move(name)), api_(std::move(api)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~MapWriter() { Stop(); }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  uint64_t acknowledged_count() const { return count_; }

  // After Stop. Object name to the revision it was acknowledged with, in order of the answers.
  const std::vector<std::pair<std::string, uint64_t>>& acknowledged() const {
    return acknowledged_;
  }
  // Writes that were under way when the connection broke.
  int unanswered() const { return unanswered_; }

 private:
  void Run() {
    std::unique_ptr<RawClient> client;
    for (int number = 0; !stop_; ++number) {
      if (!client) client = std::make_unique<RawClient>(api_);
      if (client->ok() && Create(*client, name_ + "-" + std::to_string(number))) continue;
      client.reset();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  // False: the connection is of no more use.
  bool Create(RawClient& client, const std::string& map) {
    const std::string body =
        R"({"metadata":{"name":")" + map + R"("},"data":{"writer":")" + name_ + R"("}})";
    const bool sent = client.Send("POST " + std::string(kMapsPath) +
                                  " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                  "Content-Length: " +
                                  std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string head = sent ? client.ReadUntil("\r\n\r\n") : "";
    if (!head.ends_with("\r\n\r\n")) {
      ++unanswered_;
      return false;
    }
    const size_t length = head.find("content-length: ");
    if (length == std::string::npos) return false;
    const std::string answer = client.ReadBytes(std::stoul(head.substr(length + 16)));
    // A master that is just starting may refuse; a half answer is none.
    boost::json::error_code broken;
    const boost::json::value object = boost::json::parse(answer, broken);
    if (broken || !head.starts_with("HTTP/1.1 201 ")) return false;
    const auto& metadata = object.at("metadata");
    acknowledged_.emplace_back(map,
                               std::stoull(metadata.at("resourceVersion").as_string().c_str()));
    ++count_;
    return true;
  }

  const std::string name_;
  const std::string api_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> count_ = 0;
  std::vector<std::pair<std::string, uint64_t>> acknowledged_;
  int unanswered_ = 0;
  std::thread thread_;
};

uint64_t Total(const std::vector<std::unique_ptr<MapWriter>>& writers) {
  uint64_t total = 0;
  for (const auto& writer : writers) total += writer->acknowledged_count();
  return total;
}

// Every ConfigMap's revision by its name.
std::map<std::string, uint64_t> StoredMaps(Cluster& cluster) {
  std::map<std::string, uint64_t> stored;
  const CommandResult list = cluster.Kubectl("get --raw " + std::string(kMapsPath));
  EXPECT_EQ(list.code, 0) << list.err;
  const boost::json::value maps = boost::json::parse(list.out);
  for (const boost::json::value& map : maps.at("items").as_array()) {
    const auto& metadata = map.at("metadata");
    stored[metadata.at("name").as_string().c_str()] =
        std::stoull(metadata.at("resourceVersion").as_string().c_str());
  }
  return stored;
}

TEST(MasterKill, EveryAcknowledgedWriteSurvivesKillsUnderWriteLoad) {
  Cluster cluster({"--nodes", "1", "--no-cluster-dns"});
  const std::string api =
      std::string(boost::json::parse(cluster.up().out).at("api").as_string()).substr(7);
  std::vector<std::unique_ptr<MapWriter>> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.push_back(std::make_unique<MapWriter>("writer-" + std::to_string(i), api));
  }
  for (int kill = 0; kill < kKills; ++kill) {
    const uint64_t before = Total(writers);
    ASSERT_TRUE(Eventually([&] { return Total(writers) >= before + kWritesBeforeAKill; }));
    cluster.Signal("master", SIGKILL);
    ASSERT_TRUE(Eventually([&] { return cluster.State("master") == "gone"; }));
    const CommandResult up = cluster.Kubemu("up");
    ASSERT_EQ(up.code, 0) << kill << ": " << up.err;
  }
  int unanswered = 0;
  for (const auto& writer : writers) {
    writer->Stop();
    unanswered += writer->unanswered();
  }
  EXPECT_GE(unanswered, kKills);  // each kill came in the middle of a write
  const std::map<std::string, uint64_t> stored = StoredMaps(cluster);
  for (const auto& writer : writers) {
    uint64_t last = 0;
    for (const auto& [name, revision] : writer->acknowledged()) {
      const auto found = stored.find(name);
      ASSERT_NE(found, stored.end()) << name << " was acknowledged and is gone";
      EXPECT_EQ(found->second, revision) << name;
      // No revision is given twice, whatever a kill has undone.
      EXPECT_GT(revision, last) << name;
      last = revision;
    }
  }
  std::printf("%zu acknowledged writes, %d unanswered, %d kills\n",
              static_cast<size_t>(Total(writers)), unanswered, kKills);
}

}  // namespace
}  // namespace kubemu
