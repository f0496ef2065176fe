#include "lab/simulator/sim_client.h"

#include <utility>

#include "messages/proto/control.pb.h"

namespace kubemu {

uint64_t SimClient::Start(bus::HttpRequest request) {
  const uint64_t number = next_++;
  request.set_request(number);
  answers_[number];
  queued_.push_back(std::move(request));
  return number;
}

void SimClient::Receive(const Message& message, Env&) {
  if (message.kind == bus::LINK_UP && message.As<bus::LinkUp>().process() == "master") {
    // A new incarnation knows nothing of what was asked before.
    EndAll();
    connected_ = true;
  } else if (message.kind == bus::LINK_DOWN && message.As<bus::LinkDown>().process() == "master") {
    EndAll();
    connected_ = false;
  } else if (message.kind == bus::HTTP_RESPONSE) {
    const auto& response = message.As<bus::HttpResponse>();
    if (!deadlines_.contains(response.request())) return;
    Answer& answer = answers_[response.request()];
    if (response.status() != 0) answer.status = response.status();
    answer.body += response.body();
    answer.done = response.last();
    if (answer.done) deadlines_.erase(response.request());
  }
}

void SimClient::EndAll() {
  for (const auto& [request, deadline] : deadlines_) answers_[request] = Answer{.done = true};
  deadlines_.clear();
}

void SimClient::Tick(Env& env) {
  for (bus::HttpRequest& request : std::exchange(queued_, {})) {
    if (!connected_) {
      answers_[request.request()].done = true;  // connection refused
      continue;
    }
    deadlines_[request.request()] = env.now + kTimeout;
    env.outbox.Because(Trace{});
    env.outbox.Send("master/apiserver", std::move(request));
  }
  while (!deadlines_.empty() && deadlines_.begin()->second <= env.now) {
    const uint64_t request = deadlines_.begin()->first;
    deadlines_.erase(deadlines_.begin());
    answers_[request] = Answer{.done = true};
    bus::HttpCancel cancel;
    cancel.set_request(request);
    env.outbox.Send("master/apiserver", std::move(cancel));
  }
}

Time SimClient::NextWake() const {
  if (!queued_.empty()) return Time{};
  return deadlines_.empty() ? kNever : deadlines_.begin()->second;
}

}  // namespace kubemu
