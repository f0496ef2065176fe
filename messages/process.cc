#include "messages/process.h"

#include <algorithm>
#include <utility>

#include "messages/core/check.h"
#include "messages/core/strings.h"

namespace kubemu {

MessageIds::MessageIds(std::string_view process, uint64_t epoch)
    : blocks_(StableHash(StrCat(process, "#", epoch))) {}

uint64_t MessageIds::Next() {
  if ((last_ & kCountMask) == kCountMask) last_ = blocks_.Next() & ~kCountMask;
  return ++last_;
}

Process::Process(Options options, Journal* journal)
    : options_(std::move(options)),
      bus_address_(options_.name + "/bus"),
      door_address_(options_.name + "/door"),
      journal_(journal),
      random_(Random(options_.seed).Fork(StrCat(options_.name, "#", options_.epoch))),
      fault_random_(random_.Fork("faults")),
      ids_(options_.name, options_.epoch) {}

void Process::Add(const std::string& address, Component* component) {
  const bool added =
      parts_.emplace(address, Part{component, address, random_.Fork(address)}).second;
  KUBEMU_CHECK(added);
}

void Process::Alias(const std::string& address, Component* component) {
  const auto it = std::find_if(parts_.begin(), parts_.end(), [&](const auto& entry) {
    return entry.second.component == component;
  });
  KUBEMU_CHECK(it != parts_.end());
  aliases_[address] = it->first;
}

Process::Part* Process::Find(const std::string& address) {
  if (auto it = parts_.find(address); it != parts_.end()) return &it->second;
  if (aliases_.empty()) return nullptr;
  if (auto it = aliases_.find(address); it != aliases_.end())
    return &parts_.find(it->second)->second;
  for (size_t slash = address.rfind('/'); slash != std::string::npos && slash > 0;
       slash = address.rfind('/', slash - 1)) {
    const auto it = aliases_.find(std::string_view(address).substr(0, slash + 1));
    if (it != aliases_.end()) return &parts_.find(it->second)->second;
  }
  return nullptr;
}

void Process::Stamp(Message* message) {
  message->id = ids_.Next();
  message->lamport = ++lamport_;
  if (message->trace.trace_id == 0) message->trace.trace_id = random_.Next() | 1;
}

void Process::Deliver(Message message, Time now, WallTime wall) {
  lamport_ = std::max(lamport_, message.lamport) + 1;
  journal_->Append(bus::JournalRecord::RECEIVED, message, now, wall);
  if (queue_.size() >= kQueueMax) return Lost(message, "limit: process queue", now, wall);
  queue_.push_back(std::move(message));
}

void Process::Inject(Outbox& from_door, Time now, WallTime wall) {
  for (Message& message : from_door.messages()) {
    Stamp(&message);
    Send(std::move(message), now, wall);
  }
  from_door.messages().clear();
}

// The door: faults are decided here and nowhere else.
void Process::Send(Message message, Time now, WallTime wall) {
  if (faults_.empty()) return Route(std::move(message), now, wall);
  const FaultDecision decision = faults_.Decide(message, fault_random_);
  if (decision.copies == 0) return Lost(message, StrCat("fault ", decision.reason), now, wall);
  for (int copy = 1; copy < decision.copies; ++copy) {
    if (decision.delay > Duration{}) {
      delayed_.emplace(now + decision.delay, message);
    } else {
      Route(message, now, wall);
    }
  }
  if (decision.delay > Duration{}) {
    delayed_.emplace(now + decision.delay, std::move(message));
  } else {
    Route(std::move(message), now, wall);
  }
}

void Process::Route(Message message, Time now, WallTime wall) {
  if (ProcessOf(message.to) != options_.name || message.to == bus_address_ ||
      message.to == door_address_) {
    journal_->Append(bus::JournalRecord::SENT, message, now, wall);
    outgoing_.push_back(std::move(message));
    return;
  }
  if (queue_.size() >= kQueueMax) return Lost(message, "limit: process queue", now, wall);
  journal_->Append(bus::JournalRecord::DELIVERED, message, now, wall);
  queue_.push_back(std::move(message));
}

void Process::Lost(const Message& message, std::string_view reason, Time now, WallTime wall) {
  journal_->Append(bus::JournalRecord::LOST, message, now, wall, reason);
}

void Process::Step(Part& part, const Message* message, Time now, WallTime wall) {
  Outbox outbox(part.address, message == nullptr ? Trace{} : message->Context());
  Env env{now, wall, part.random, outbox};
  if (message != nullptr) {
    part.component->Receive(*message, env);
  } else {
    part.component->Tick(env);
    KUBEMU_CHECK(part.component->NextWake() > now);
  }
  Inject(outbox, now, wall);
}

void Process::Turn(Time now, WallTime wall) {
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    Message message = std::move(delayed_.extract(delayed_.begin()).mapped());
    Route(std::move(message), now, wall);
  }
  int steps = 0;
  bool ticked = true;
  while ((!queue_.empty() || ticked) && steps < kTurnStepsMax) {
    while (!queue_.empty() && steps < kTurnStepsMax) {
      const Message message = std::move(queue_.front());
      queue_.pop_front();
      Part* part = Find(message.to);
      if (part == nullptr) {
        Lost(message, "no such address", now, wall);
        continue;
      }
      Step(*part, &message, now, wall);
      ++steps;
    }
    ticked = false;
    for (auto& [address, part] : parts_) {
      if (part.component->NextWake() > now) continue;
      Step(part, nullptr, now, wall);
      ticked = true;
      ++steps;
    }
  }
}

Time Process::NextWake() const {
  if (!queue_.empty() || !outgoing_.empty()) return Time{};
  Time wake = delayed_.empty() ? kNever : delayed_.begin()->first;
  for (const auto& [address, part] : parts_) wake = std::min(wake, part.component->NextWake());
  return wake;
}

std::vector<Message> Process::TakeOutgoing() {
  return std::exchange(outgoing_, {});
}

}  // namespace kubemu
