#ifndef KUBEMU_TESTS_CLUSTER_KEEP_ALIVE_LOAD_H_
#define KUBEMU_TESTS_CLUSTER_KEEP_ALIVE_LOAD_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kubemu {

// A client with many keep-alive connections to one address, each of which asks again and again, as
// a client library would: a connection that the server has closed between two requests is opened
// anew and the request sent again. That is no failure; an answer cut off in the middle, a refused
// connection, a fresh one without an answer, a status other than 200 and a silence of 5 s are.
// Runs in a thread of its own from the constructor on.
class KeepAliveLoad {
 public:
  using Clock = std::chrono::steady_clock;
  // A connection or an answer that takes longer has failed.
  static constexpr std::chrono::seconds kSilenceMax{5};

  struct Failure {
    Clock::time_point at;
    std::string why;
    std::string node;  // that had answered on the connection before; "": none had
  };
  struct Report {
    uint64_t answered = 0;
    uint64_t reopened = 0;  // connections that the server had closed between requests
    uint64_t retried = 0;   // of them, with a request already under way
    std::map<std::string, uint64_t> by_node;  // answers, by their line "node: "
    std::vector<Failure> failures;            // the first kFailuresMax

    std::string ToString() const;
  };
  static constexpr size_t kFailuresMax = 1000;

  KeepAliveLoad(const std::string& ip, uint16_t port, int connections,
                std::chrono::milliseconds pause);
  ~KeepAliveLoad();
  KeepAliveLoad(const KeepAliveLoad&) = delete;
  KeepAliveLoad& operator=(const KeepAliveLoad&) = delete;

  // What has happened so far.
  Report Now() const;
  // Ends it.
  Report Stop();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_CLUSTER_KEEP_ALIVE_LOAD_H_
