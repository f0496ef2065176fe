#include "lab/simulator/simulator.h"

#include <algorithm>
#include <optional>

#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {
namespace {

// 2025-01-01T00:00:00Z: the simulated world's wall clock begins here.
constexpr WallTime kWallStart{std::chrono::seconds(1'735'689'600)};

std::pair<std::string, std::string> Ordered(const std::string& a, const std::string& b) {
  return a < b ? std::pair(a, b) : std::pair(b, a);
}

}  // namespace

// Keeps the hash of everything and, if asked, the bytes.
class HashingSink : public JournalSink {
 public:
  explicit HashingSink(bool keep) : keep_(keep) {}
  bool Append(std::string_view records) override {
    for (unsigned char c : records) hash_ = (hash_ ^ c) * 0x100000001b3;
    if (keep_) bytes_ += records;
    return true;
  }
  uint64_t hash() const { return hash_; }
  const std::string& bytes() const { return bytes_; }

 private:
  const bool keep_;
  uint64_t hash_ = 0xcbf29ce484222325;
  std::string bytes_;
};

struct Simulator::SimProcess {
  SimProcess(std::string process_name, Factory make, bool keep_journal)
      : name(std::move(process_name)),
        factory(std::move(make)),
        sink(keep_journal),
        journal(&sink) {}

  const std::string name;
  const Factory factory;
  HashingSink sink;
  Journal journal;
  uint64_t epoch = 0;
  bool paused = false;
  std::unique_ptr<Program> program;  // null while it is not running
  std::optional<Process> process;
  std::vector<Delivery> held;  // arrived while paused
  std::optional<Key> wake;
};

Simulator::Simulator(Options options) : options_(options), random_(options.seed) {}

Simulator::~Simulator() = default;

WallTime Simulator::wall() const {
  return kWallStart + now_.time_since_epoch();
}

Simulator::SimProcess& Simulator::Get(const std::string& name) const {
  const auto it = processes_.find(name);
  KUBEMU_CHECK(it != processes_.end());
  return *it->second;
}

void Simulator::Add(const std::string& name, Factory factory) {
  auto process = std::make_unique<SimProcess>(name, std::move(factory), options_.keep_journal);
  const bool added = processes_.emplace(name, std::move(process)).second;
  KUBEMU_CHECK(added);
  Start(name);
}

void Simulator::Start(const std::string& name) {
  SimProcess& process = Get(name);
  KUBEMU_CHECK(process.program == nullptr);
  ++process.epoch;
  process.paused = false;
  process.program = process.factory();
  process.process.emplace(Process::Options{name, process.epoch, options_.seed}, &process.journal);
  process.journal.Start(name, process.epoch, now_, wall());
  process.program->AddTo(*process.process);
  // Everyone dials the master; other sessions begin with the first message.
  for (const auto& [other, peer] : processes_) {
    if (other == name || peer->program == nullptr) continue;
    const bool known = sessions_.contains(Ordered(name, other));
    if (!known && name != "master" && other != "master") continue;
    sessions_.insert(Ordered(name, other));
    Notify(other, name, true, Latency());
    Notify(name, other, true, Latency());
  }
  Schedule(process);
}

void Simulator::Kill(const std::string& name) {
  SimProcess& process = Get(name);
  KUBEMU_CHECK(process.program != nullptr);
  process.journal.Flush();
  process.process.reset();
  process.program.reset();
  process.held.clear();
  if (process.wake) wakes_.erase(*process.wake);
  process.wake.reset();
  for (auto* listeners : {&listeners_, &udp_listeners_}) {
    std::erase_if(*listeners, [&](const auto& entry) { return ProcessOf(entry.second) == name; });
  }
  for (const auto& [a, b] : sessions_) {
    if (a == name) Notify(b, name, false, options_.link_down_after);
    if (b == name) Notify(a, name, false, options_.link_down_after);
  }
}

void Simulator::Pause(const std::string& name) {
  SimProcess& process = Get(name);
  process.paused = true;
  Schedule(process);
}

void Simulator::Wake(const std::string& name) {
  Schedule(Get(name));
}

void Simulator::Resume(const std::string& name) {
  SimProcess& process = Get(name);
  process.paused = false;
  for (Delivery& delivery : std::exchange(process.held, {})) {
    Deliver(process, std::move(delivery));
  }
  Schedule(process);
}

bool Simulator::IsRunning(const std::string& name) const {
  return Get(name).program != nullptr;
}

Program* Simulator::program(const std::string& name) const {
  return Get(name).program.get();
}

void Simulator::Cut(const std::string& a, const std::string& b) {
  cuts_.insert(Ordered(a, b));
}

void Simulator::Mend(const std::string& a, const std::string& b) {
  cuts_.erase(Ordered(a, b));
}

FaultPlan& Simulator::faults(const std::string& name) {
  SimProcess& process = Get(name);
  KUBEMU_CHECK(process.process.has_value());
  return process.process->faults();
}

Duration Simulator::Latency() {
  const auto width = static_cast<uint64_t>((options_.latency_max - options_.latency_min).count());
  return options_.latency_min + Duration(static_cast<int64_t>(random_.Uniform(width + 1)));
}

void Simulator::Notify(const std::string& to, const std::string& about, bool up, Duration after) {
  Delivery delivery;
  delivery.to = to;
  delivery.sender = about;
  delivery.sender_epoch = Get(about).epoch;
  delivery.link_up = up;
  delivery.link_down = !up;
  // In order with the messages of that link: nothing of a new incarnation comes before its LinkUp.
  Time& last = links_[{about, to}];
  last = std::max(last, now_ + after);
  deliveries_.emplace(Key{last, next_sequence_++}, std::move(delivery));
}

void Simulator::Schedule(SimProcess& process) {
  if (process.wake) {
    wakes_.erase(*process.wake);
    process.wake.reset();
  }
  if (process.program == nullptr || process.paused) return;
  const Time wake = process.process->NextWake();
  if (wake == kNever) return;
  process.wake = Key{std::max(wake, now_), next_sequence_++};
  wakes_.emplace(*process.wake, process.name);
}

void Simulator::Deliver(SimProcess& process, Delivery delivery) {
  if (process.program == nullptr) return;
  if (process.paused) {
    process.held.push_back(std::move(delivery));
    return;
  }
  if (delivery.link_up) {
    bus::LinkUp up;
    up.set_process(delivery.sender);
    up.set_epoch(delivery.sender_epoch);
    process.process->Broadcast(up, now_, wall());
  } else if (delivery.link_down) {
    bus::LinkDown down;
    down.set_process(delivery.sender);
    down.set_epoch(delivery.sender_epoch);
    down.set_reason("the process is gone");
    process.process->Broadcast(down, now_, wall());
  } else if (delivery.receiver_epoch != process.epoch) {
    SimProcess& sender = Get(delivery.sender);
    if (sender.process) sender.process->Lost(delivery.message, "receiver restarted", now_, wall());
    return;
  } else {
    process.process->Deliver(std::move(delivery.message), now_, wall());
  }
  StepProcess(process);
}

void Simulator::StepProcess(SimProcess& process) {
  ++steps_;
  process.process->Turn(now_, wall());
  const absl::Status committed = process.program->Commit();
  KUBEMU_CHECK(committed.ok());
  for (Message& message : process.process->TakeOutgoing()) Send(process, std::move(message));
  Schedule(process);
}

void Simulator::Send(SimProcess& from, Message message) {
  if (ProcessOf(message.to) == from.name) return HandleDoor(from, message);
  const std::string to(ProcessOf(message.to));
  const auto receiver = processes_.find(to);
  if (receiver == processes_.end() || receiver->second->program == nullptr) {
    return from.process->Lost(message, "no such process", now_, wall());
  }
  if (cuts_.contains(Ordered(from.name, to))) {
    return from.process->Lost(message, "fault partition", now_, wall());
  }
  if (sessions_.insert(Ordered(from.name, to)).second) {
    Notify(to, from.name, true, Duration{});
    Notify(from.name, to, true, Duration{});
  }
  Time& last = links_[{from.name, to}];
  last = std::max(last, now_ + Latency());
  Delivery delivery;
  delivery.to = to;
  delivery.sender = from.name;
  delivery.sender_epoch = from.epoch;
  delivery.receiver_epoch = receiver->second->epoch;
  delivery.message = std::move(message);
  deliveries_.emplace(Key{last, next_sequence_++}, std::move(delivery));
}

// "<process>/door" and "<process>/bus", which a process runtime would handle itself.
void Simulator::HandleDoor(SimProcess& from, const Message& message) {
  if (message.kind == bus::LISTEN) {
    const auto& listen = message.As<bus::Listen>();
    const SocketAddress address{Ipv4(listen.ip()), static_cast<uint16_t>(listen.port())};
    bus::ListenResult result;
    result.set_ip(listen.ip());
    result.set_port(listen.port());
    result.set_protocol(listen.protocol());
    auto& listeners = listen.protocol() == bus::UDP ? udp_listeners_ : listeners_;
    std::string& listener = listeners[address];
    if (!listener.empty() && listener != message.from) {
      result.set_error(StrCat(address.ToString(), " is in use by ", listener));
    } else {
      listener = message.from;
    }
    from.process->Inject(from.name + "/door", message.from, std::move(result), now_, wall(),
                         message.Context());
  } else if (message.kind == bus::PEER_ENDPOINT) {
    // Dialled from now on, also while nobody is there.
    const std::string& peer = message.As<bus::PeerEndpoint>().process();
    if (peer == from.name || !processes_.contains(peer)) return;
    const bool added = sessions_.insert(Ordered(from.name, peer)).second;
    if (!added || Get(peer).program == nullptr) return;
    Notify(peer, from.name, true, Latency());
    Notify(from.name, peer, true, Latency());
  } else if (message.kind == bus::UNLISTEN) {
    const auto& unlisten = message.As<bus::Unlisten>();
    const SocketAddress address{Ipv4(unlisten.ip()), static_cast<uint16_t>(unlisten.port())};
    auto& listeners = unlisten.protocol() == bus::UDP ? udp_listeners_ : listeners_;
    const auto it = listeners.find(address);
    if (it != listeners.end() && it->second == message.from) listeners.erase(it);
  }
}

bool Simulator::Step(Time limit) {
  const Time delivery_due = deliveries_.empty() ? kNever : deliveries_.begin()->first.first;
  const Time wake_due = wakes_.empty() ? kNever : wakes_.begin()->first.first;
  const Time due = std::min(delivery_due, wake_due);
  if (due == kNever || due > limit) {
    now_ = limit;
    return false;
  }
  now_ = std::max(now_, due);
  if (delivery_due <= wake_due) {
    Delivery delivery = std::move(deliveries_.extract(deliveries_.begin()).mapped());
    SimProcess& process = Get(delivery.to);
    Deliver(process, std::move(delivery));
  } else {
    SimProcess& process = Get(wakes_.begin()->second);
    wakes_.erase(wakes_.begin());
    process.wake.reset();
    StepProcess(process);
  }
  return true;
}

void Simulator::Run(Duration duration) {
  const Time limit = now_ + duration;
  while (Step(limit)) {
  }
}

bool Simulator::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  while (!done()) {
    if (!Step(end)) return done();
  }
  return true;
}

std::string Simulator::ListenerOn(SocketAddress address) const {
  const auto it = listeners_.find(address);
  return it == listeners_.end() ? "" : it->second;
}

std::map<std::string, std::vector<bus::JournalRecord>> Simulator::Journals() const {
  std::map<std::string, std::vector<bus::JournalRecord>> journals;
  for (const auto& [name, process] : processes_) {
    process->journal.Flush();
    std::string error;
    ReadJournal(process->sink.bytes(), &journals[name], &error);
    KUBEMU_CHECK(error.empty());
  }
  return journals;
}

uint64_t Simulator::JournalHash() const {
  std::string all;
  for (const auto& [name, process] : processes_) {
    process->journal.Flush();
    StrAppend(&all, name, "=", process->sink.hash(), ";");
  }
  return StableHash(all);
}

}  // namespace kubemu
