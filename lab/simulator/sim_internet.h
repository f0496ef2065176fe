#ifndef KUBEMU_LAB_SIMULATOR_SIM_INTERNET_H_
#define KUBEMU_LAB_SIMULATOR_SIM_INTERNET_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "messages/component.h"
#include "messages/core/ip.h"
#include "messages/flow/flow_end.h"
#include "messages/flow/http_response.h"
#include "messages/process.h"
#include "messages/program.h"

namespace kubemu {

// TCP clients outside the cluster, at "internet/<ip:port>": each opens one connection to whoever
// listens on an address, sends one HTTP GET and keeps the answer.
class SimInternet : public Component {
 public:
  static constexpr Duration kTimeout = 10s;

  struct Answer {
    bool done = false;
    int status = 0;  // of HTTP; 0: there was no answer
    std::string body;
    std::string error;  // why there was none: "refused", "reset", "timed out", ...
    Time finished{};
  };

  // Queues a request; it leaves in the next step. `listener`: the part that listens on `server`
  // ("node-2/iptables"), "" if none does: then the connection is refused. Returns its number.
  uint64_t Get(SocketAddress server, std::string listener, std::string path);
  // REQUIRES: the number is of a request that was started.
  const Answer& answer(uint64_t request) const { return answers_.at(request); }

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

 private:
  struct Wanted {
    uint64_t number;
    SocketAddress server;
    std::string listener;
    std::string path;
  };
  struct Connection {
    Time deadline;
    std::string request;
    FlowEnd end;
    HttpResponseReader reader;
    bool sent = false;
  };

  void Open(Wanted wanted, Env& env);
  void OnData(uint64_t flow, Connection& connection, const bus::FlowData& data, Env& env);
  void Finish(uint64_t flow, int status, std::string body, std::string error, Time now);

  uint64_t next_ = 1;
  std::deque<Wanted> queued_;
  std::map<uint64_t, Connection> connections_;  // by flow, which is the request's number
  std::map<uint64_t, Answer> answers_;
};

// The process "internet".
class SimInternetProgram : public Program {
 public:
  void AddTo(Process& process) override {
    process.Add("internet/clients", &internet_);
    process.Alias("internet/", &internet_);
  }
  SimInternet& internet() { return internet_; }

 private:
  SimInternet internet_;
};

}  // namespace kubemu

#endif  // KUBEMU_LAB_SIMULATOR_SIM_INTERNET_H_
