#ifndef KUBEMU_TESTS_MESSAGES_RUNTIME_TOY_H_
#define KUBEMU_TESTS_MESSAGES_RUNTIME_TOY_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "messages/process.h"
#include "messages/program.h"
#include "messages/proto/control.pb.h"
#include "messages/runtime/process_runtime.h"

namespace kubemu {

// What a part saw, for a test that waits in another thread.
class Sightings {
 public:
  void Add(Message message) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
    changed_.notify_all();
  }
  // Waits until `done` is true of all messages seen so far; false after 10 s.
  bool WaitFor(const std::function<bool(const std::vector<Message>&)>& done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return done(messages_); });
  }
  bool WaitForCount(bus::MessageKind kind, size_t count) {
    return WaitFor([&](const auto& messages) { return Count(messages, kind) >= count; });
  }
  std::vector<Message> Of(bus::MessageKind kind) {
    const std::lock_guard lock(mutex_);
    std::vector<Message> found;
    for (const Message& message : messages_) {
      if (message.kind == kind) found.push_back(message);
    }
    return found;
  }

 private:
  static size_t Count(const std::vector<Message>& messages, bus::MessageKind kind) {
    size_t count = 0;
    for (const Message& message : messages) count += message.kind == kind;
    return count;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Message> messages_;
};

// Answers every Ping with a Pong of the same number, and keeps what it saw.
class Ponger : public Component {
 public:
  explicit Ponger(Sightings* seen) : seen_(seen) {}
  void Receive(const Message& message, Env& env) override {
    seen_->Add(message);
    if (message.kind != bus::PING) return;
    bus::Pong pong;
    pong.set_number(message.As<bus::Ping>().number());
    env.outbox.Send(message.from, pong);
  }
  void Tick(Env&) override {}
  Time NextWake() const override { return kNever; }

 private:
  Sightings* const seen_;
};

// Sends Ping 1 to `peer` whenever the link to its process comes up, and Ping n + 1 for Pong n, up
// to `rounds`.
class Pinger : public Component {
 public:
  Pinger(Sightings* seen, std::string peer, uint64_t rounds)
      : seen_(seen), peer_(std::move(peer)), rounds_(rounds) {}
  void Receive(const Message& message, Env& env) override {
    seen_->Add(message);
    if (message.kind == bus::LINK_UP && message.As<bus::LinkUp>().process() == ProcessOf(peer_)) {
      SendPing(1, env);
    } else if (message.kind == bus::PONG && message.As<bus::Pong>().number() < rounds_) {
      SendPing(message.As<bus::Pong>().number() + 1, env);
    }
  }
  void Tick(Env&) override {}
  Time NextWake() const override { return kNever; }

 private:
  void SendPing(uint64_t number, Env& env) {
    bus::Ping ping;
    ping.set_number(number);
    env.outbox.Send(peer_, ping);
  }

  Sightings* const seen_;
  const std::string peer_;
  const uint64_t rounds_;
};

// One process of a test: a part under an address, in the process runtime, in a thread of its own.
class ToyProcess : public Program {
 public:
  ToyProcess(ProcessRuntime::Options options, std::string address, Component* part)
      : address_(std::move(address)),
        part_(part),
        runtime_(std::make_unique<ProcessRuntime>(std::move(options))) {}
  ~ToyProcess() override { Stop(); }

  void AddTo(Process& process) override { process.Add(address_, part_); }

  absl::Status Start() {
    absl::Status status = runtime_->Start();
    if (status.ok()) thread_ = std::thread([this] { result_ = runtime_->Run(*this); });
    return status;
  }
  const ProcessRuntime::Addresses& addresses() const { return runtime_->addresses(); }
  // Ends it and closes its sockets, as the end of a process would.
  void Stop() {
    if (thread_.joinable()) {
      runtime_->Stop();
      thread_.join();
    }
    runtime_.reset();
  }
  // Waits until it ends by itself.
  absl::Status Join() {
    thread_.join();
    return result_;
  }

 private:
  const std::string address_;
  Component* const part_;
  std::unique_ptr<ProcessRuntime> runtime_;
  std::thread thread_;
  absl::Status result_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MESSAGES_RUNTIME_TOY_H_
