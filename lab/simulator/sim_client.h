#ifndef KUBEMU_LAB_SIMULATOR_SIM_CLIENT_H_
#define KUBEMU_LAB_SIMULATOR_SIM_CLIENT_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "messages/component.h"
#include "messages/process.h"
#include "messages/program.h"
#include "messages/proto/http.pb.h"

namespace kubemu {

// A client of the API server in a simulation, at "client/kubectl": sends HTTP requests as the HTTP
// door would and keeps the answers.
class SimClient : public Component {
 public:
  static constexpr Duration kTimeout = 30s;

  struct Answer {
    bool done = false;
    // Of HTTP. 0 with `done`: no answer, the outcome is not known (the connection was lost, or it
    // took too long).
    uint32_t status = 0;
    std::string body;

    bool ok() const { return status >= 200 && status < 300; }
  };

  // Queues a request; it leaves in the next step. Returns its number.
  uint64_t Start(bus::HttpRequest request);
  // REQUIRES: the number is of a request that was started.
  const Answer& answer(uint64_t request) const { return answers_.at(request); }

  void Receive(const Message& message, Env& env) override;
  void Tick(Env& env) override;
  Time NextWake() const override;

 private:
  void EndAll();

  uint64_t next_ = 1;
  bool connected_ = false;
  std::deque<bus::HttpRequest> queued_;
  std::map<uint64_t, Time> deadlines_;  // of the requests in flight; they grow with the number
  std::map<uint64_t, Answer> answers_;
};

// The process "client".
class SimClientProgram : public Program {
 public:
  void AddTo(Process& process) override { process.Add("client/kubectl", &client_); }
  SimClient& client() { return client_; }

 private:
  SimClient client_;
};

}  // namespace kubemu

#endif  // KUBEMU_LAB_SIMULATOR_SIM_CLIENT_H_
