#include "lb/health.h"

#include <algorithm>
#include <utility>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {

void HealthChecks::SetDue(const Target& target, State& state, Time at) {
  due_.erase({state.due, target});
  state.due = at;
  due_.emplace(at, target);
}

void HealthChecks::SetTargets(const std::map<Target, Ipv4>& targets, Env& env) {
  for (auto it = targets_.begin(); it != targets_.end();) {
    const auto wanted = targets.find(it->first);
    if (wanted != targets.end()) {
      it->second.ip = wanted->second;
      ++it;
      continue;
    }
    client_.Cancel(it->second.check, env);
    in_flight_.erase(it->second.check);
    due_.erase({it->second.due, it->first});
    it = targets_.erase(it);
  }
  for (const auto& [target, ip] : targets) {
    if (targets_.size() >= kTargetsMax) break;
    const auto [it, added] = targets_.try_emplace(target);
    if (!added) continue;
    it->second.ip = ip;
    SetDue(target, it->second, env.now);
  }
}

std::vector<HealthChecks::Change> HealthChecks::Receive(const Message& message, Env& env) {
  std::vector<Change> changes;
  if (message.kind == bus::LINK_DOWN) {
    const auto& down = message.As<bus::LinkDown>();
    OnLinkDown(down.process(), StrCat("link down: ", down.reason()), env, &changes);
  } else if (message.kind == bus::LINK_UP) {
    OnLinkUp(message.As<bus::LinkUp>().process(), env);
  } else if (const auto result = client_.Receive(message, env)) {
    const auto check = in_flight_.find(result->check);
    const Target target = check->second;
    in_flight_.erase(check);
    End(target, targets_.find(target)->second, result->passed, result->text, env, &changes);
  }
  return changes;
}

void HealthChecks::OnLinkDown(const std::string& process, const std::string& reason, Env& env,
                              std::vector<Change>* changes) {
  for (auto it = targets_.lower_bound(Target{process, 0});
       it != targets_.end() && it->first.node == process; ++it) {
    State& state = it->second;
    client_.Cancel(state.check, env);
    in_flight_.erase(state.check);
    state.check = 0;
    state.streak = 0;
    state.result = reason;
    state.at = env.wall;
    ++state.failures;
    SetDue(it->first, state, env.now + Interval());
    if (!std::exchange(state.up, false)) continue;
    changes->push_back({it->first, false, reason});
  }
}

// It may be a new process: no need to wait with the next check.
void HealthChecks::OnLinkUp(const std::string& process, Env& env) {
  for (auto it = targets_.lower_bound(Target{process, 0});
       it != targets_.end() && it->first.node == process; ++it) {
    if (it->second.check == 0) SetDue(it->first, it->second, env.now);
  }
}

void HealthChecks::End(const Target& target, State& state, bool passed, std::string text, Env& env,
                       std::vector<Change>* changes) {
  state.check = 0;
  state.result = text;
  state.at = env.wall;
  ++state.checks;
  if (!passed) ++state.failures;
  state.streak = passed == state.up ? 0 : state.streak + 1;
  const int needed = state.up ? kFall : state.been_up ? kRise : 1;
  if (state.streak >= needed) {
    state.up = passed;
    state.been_up = true;
    state.streak = 0;
    changes->push_back({target, passed,
                        passed
                            ? "it answers health checks"
                            : StrCat(kFall, " health checks failed, the last one with: ", text)});
  }
  const bool fast = state.streak > 0 || (!state.been_up && state.checks < kYoungChecks);
  SetDue(target, state, std::max(env.now, state.began + (fast ? kFastInterval : Interval())));
}

std::vector<HealthChecks::Change> HealthChecks::Tick(Env& env) {
  std::vector<Change> changes;
  while (!due_.empty() && due_.begin()->first <= env.now) {
    const Target target = due_.begin()->second;
    State& state = targets_.find(target)->second;
    env.outbox.Because(Trace{});
    if (state.check != 0) {
      client_.Cancel(state.check, env);
      in_flight_.erase(state.check);
      End(target, state, false, "no answer in time", env, &changes);
      if (state.due > env.now) continue;
    }
    state.began = env.now;
    state.check = client_.Start(target.node, SocketAddress{state.ip, target.port}, env);
    in_flight_.emplace(state.check, target);
    SetDue(target, state, env.now + kTimeout);
  }
  return changes;
}

bool HealthChecks::IsUp(const Target& target) const {
  const auto it = targets_.find(target);
  return it != targets_.end() && it->second.up;
}

}  // namespace kubemu
