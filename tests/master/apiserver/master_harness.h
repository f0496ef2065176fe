#ifndef KUBEMU_TESTS_MASTER_APISERVER_MASTER_HARNESS_H_
#define KUBEMU_TESTS_MASTER_APISERVER_MASTER_HARNESS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "boost/json/value.hpp"
#include "master/apiserver/apiserver.h"
#include "master/store/memory_storage.h"
#include "master/store/store.h"
#include "messages/api/json.h"
#include "messages/api/kinds.h"
#include "messages/process.h"

namespace kubemu {

// An API server with its store in one process, at a clock that the test moves.
class MasterHarness {
 public:
  explicit MasterHarness(ApiServer::Options options = {},
                         std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>())
      : store_(std::make_unique<MemoryStorage>(std::move(disk))), server_(std::move(options)) {
    process_.Add("master/apiserver", &server_);
    process_.Add("master/store", &store_);
    Run();
  }

  ApiServer& server() { return server_; }
  Process& process() { return process_; }
  Time now() const { return now_; }

  // Turns until nothing waits; what leaves the process is kept in sent().
  void Run() {
    process_.Turn(now_, wall_);
    EXPECT_TRUE(store_.Commit().ok());
    for (Message& message : process_.TakeOutgoing()) sent_.push_back(std::move(message));
  }
  void Advance(Duration by) {
    now_ += by;
    wall_ += by;
    Run();
  }
  std::vector<Message>& sent() { return sent_; }

  struct Answer {
    uint32_t status = 0;
    std::string content_type;
    std::string body;
    bool last = false;
    std::vector<std::string> warnings;

    // The body's member at a path of names and indices; null if it is not there.
    boost::json::value At(std::string_view pointer) const;
    std::string Text(std::string_view pointer) const;
  };

  // An HTTP request as kubectl sends it. Of a stream: what came at once.
  Answer Http(const std::string& method, const std::string& target, std::string body = "",
              const std::string& content_type = "application/json",
              const std::string& accept = "application/json");
  Answer Get(const std::string& target) { return Http("GET", target); }
  Answer Post(const std::string& target, std::string body) {
    return Http("POST", target, std::move(body));
  }
  // What came for a stream since it was last asked.
  Answer More(uint64_t request);
  uint64_t last_request() const { return next_request_ - 1; }

  // A call from a part of some process; its answer.
  struct BusAnswer {
    bus::ApiResponse response;
    std::vector<Object> objects;
  };
  BusAnswer Call(const std::string& from, bus::ApiRequest request, Object object = Object());

  template <class T>
  void Deliver(const std::string& from, T body, std::vector<Object> objects = {}) {
    Message message;
    message.id = next_id_++;
    message.trace.trace_id = message.id;
    message.from = from;
    message.to = "master/apiserver";
    message.kind = MessageKindOf<T>();
    message.body = std::make_shared<const T>(std::move(body));
    message.objects = std::move(objects);
    process_.Deliver(std::move(message), now_, wall_);
    Run();
  }
  // The messages to an address that were sent since it was last asked.
  std::vector<Message> TakeFor(const std::string& address);

  // Makes the ServiceAccount that pods of a namespace need.
  void MakeAccount(const std::string& ns = "default");
  // Makes a pod, on a node if one is named.
  void MakePod(const std::string& name, const std::string& node = "",
               const std::string& labels = "");

 private:
  Journal journal_{nullptr};
  Process process_{{.name = "master", .epoch = 1, .seed = 7}, &journal_};
  Store store_;
  ApiServer server_;
  Time now_{};
  WallTime wall_{std::chrono::seconds(1'700'000'000)};
  std::vector<Message> sent_;
  uint64_t next_request_ = 1;
  uint64_t next_id_ = 1;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_APISERVER_MASTER_HARNESS_H_
