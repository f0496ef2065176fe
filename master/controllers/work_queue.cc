#include "master/controllers/work_queue.h"

#include <algorithm>

#include "messages/core/check.h"

namespace kubemu {

void WorkQueue::Add(const std::string& key, Trace trace) {
  AddAt(key, trace, Time{});
}

void WorkQueue::AddAt(const std::string& key, Trace trace, Time at) {
  State& state = states_[key];
  // The first cause is kept: it is the one that the work answers.
  if (state.due == kNever || state.trace.trace_id == 0) state.trace = trace;
  if (at < state.due) Wait(key, state, at);
}

void WorkQueue::Wait(const std::string& key, State& state, Time at) {
  if (state.due != kNever) waiting_.erase({state.due, state.order});
  state.due = at;
  state.order = next_order_++;
  if (!state.in_work) waiting_.emplace(std::pair(at, state.order), key);
}

std::optional<WorkQueue::Item> WorkQueue::Take(Time now) {
  if (waiting_.empty() || waiting_.begin()->first.first > now) return std::nullopt;
  Item item;
  item.key = std::move(waiting_.begin()->second);
  waiting_.erase(waiting_.begin());
  State& state = states_[item.key];
  item.trace = state.trace;
  state.trace = Trace{};
  state.due = kNever;
  state.in_work = true;
  return item;
}

void WorkQueue::Done(const std::string& key) {
  State& state = states_[key];
  KUBEMU_CHECK(state.in_work);
  state.in_work = false;
  state.failures = 0;
  if (state.due != kNever) {
    waiting_.emplace(std::pair(state.due, state.order), key);
  } else {
    states_.erase(key);
  }
}

void WorkQueue::Fail(const std::string& key, Trace trace, Time now) {
  State& state = states_[key];
  KUBEMU_CHECK(state.in_work);
  // 2^18 * 5 ms is past the maximum already.
  const Duration delay = kBackOffMin * (1 << std::min(state.failures, 18));
  ++state.failures;
  state.in_work = false;
  if (state.due != kNever) waiting_.emplace(std::pair(state.due, state.order), key);
  AddAt(key, trace, now + std::min(delay, kBackOffMax));
}

bool WorkQueue::InWork(const std::string& key) const {
  const auto it = states_.find(key);
  return it != states_.end() && it->second.in_work;
}

}  // namespace kubemu
