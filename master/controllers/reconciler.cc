#include "master/controllers/reconciler.h"

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

size_t Reconciler::Watch(Informer::Options options) {
  kinds_.push_back(options.kind);
  informers_.emplace_back(informers_.size() + 1, std::move(options));
  return informers_.size() - 1;
}

bool Reconciler::synced() const {
  return std::all_of(informers_.begin(), informers_.end(),
                     [](const Informer& informer) { return informer.synced(); });
}

void Reconciler::Receive(const Message& message, Env& env) {
  if (const auto result = calls_.Receive(message)) {
    Finish(*result, env);
    return;
  }
  // An event is of one stream, whose number is the informer's; links concern all of them.
  size_t begin = 0;
  size_t end = informers_.size();
  if (message.kind == bus::WATCH_EVENT) {
    const uint64_t stream = message.As<bus::WatchEvent>().stream();
    if (stream == 0 || stream > end) return;
    begin = stream - 1;
    end = stream;
  }
  for (size_t i = begin; i < end; ++i) {
    for (const Informer::Change& change : informers_[i].Receive(message, env)) {
      Changed(i, change, message.Context(), env);
    }
  }
  if (message.kind == bus::WATCH_EVENT && !lagging_.empty()) SettleAll(env);
}

void Reconciler::Tick(Env& env) {
  for (Informer& informer : informers_) informer.Tick(env);
  for (const CallResult& result : calls_.Expired(env.now)) Finish(result, env);
  if (lag_check_.Due(env.now)) SettleAll(env);
  if (!synced()) return;
  do {
    env.outbox.Because(Trace{});
    OnTick(env);
    while (TakesWork()) {
      const auto item = queue_.Take(env.now);
      if (!item) break;
      Work(*item, env);
    }
  } while (OwnWake() <= env.now);  // the work may have made a duty due
}

Time Reconciler::NextWake() const {
  Time wake = calls_.NextWake();
  for (const Informer& informer : informers_) wake = std::min(wake, informer.NextWake());
  wake = std::min(wake, lag_check_.at());
  if (synced()) wake = std::min(wake, OwnWake());
  if (TakesWork()) wake = std::min(wake, queue_.NextWake());
  return wake;
}

bool Reconciler::Answered(const std::string&, const CallResult& result, Env&) {
  return result.ok();
}

void Reconciler::Work(const WorkQueue::Item& item, Env& env) {
  current_ = item.key;
  InWork& work = in_work_[item.key];
  work = InWork{};
  work.trace = item.trace;
  env.outbox.Because(item.trace);
  Reconcile(item.key, env);
  current_.clear();
  if (work.calls > 0) return;
  in_work_.erase(item.key);
  queue_.Done(item.key);
}

uint64_t Reconciler::Call(bus::ApiRequest request, Object object, Env& env) {
  const auto it = in_work_.find(current_);
  KUBEMU_CHECK(it != in_work_.end());
  const bool is_deletion = request.verb() == bus::DELETE;
  const uint64_t call = calls_.Start(std::move(request), std::move(object), current_, env);
  ++it->second.calls;
  if (is_deletion) it->second.deletions.insert(call);
  return call;
}

uint64_t Reconciler::Create(Object object, Env& env) {
  bus::ApiRequest request = CreateRequest(object.kind(), object.meta().namespace_());
  return Call(std::move(request), std::move(object), env);
}

uint64_t Reconciler::Update(Object object, const std::string& subresource, Env& env) {
  bus::ApiRequest request = UpdateRequest(object, subresource);
  return Call(std::move(request), std::move(object), env);
}

uint64_t Reconciler::Delete(const Object& object, const std::string& policy, Env& env) {
  bus::ApiRequest request =
      DeleteRequest(object.kind(), object.meta().namespace_(), object.meta().name());
  request.set_precondition_uid(object.meta().uid());
  request.set_propagation_policy(policy);
  return Call(std::move(request), Object(), env);
}

uint64_t Reconciler::DeleteAtOnce(const Object& object, Env& env) {
  bus::ApiRequest request =
      DeleteRequest(object.kind(), object.meta().namespace_(), object.meta().name());
  request.set_precondition_uid(object.meta().uid());
  request.set_grace_period_seconds(0);
  return Call(std::move(request), Object(), env);
}

void Reconciler::Finish(const CallResult& result, Env& env) {
  const auto it = in_work_.find(result.tag);
  if (it == in_work_.end()) return;
  InWork& work = it->second;
  --work.calls;
  env.outbox.Because(work.trace);
  current_ = it->first;
  const bool is_gone = result.code == 404 && work.deletions.contains(result.call);
  const bool succeeded = Answered(it->first, result, env) || is_gone;
  current_.clear();
  if (!succeeded) {
    work.failed = true;
  } else if (!result.objects.empty()) {
    Await(work, result.objects[0]);
  }
  if (work.calls > 0) return;
  const Time deadline = env.now + kCacheLagMax;
  if (Settle(result.tag, deadline, env)) return;
  lagging_[result.tag] = deadline;
  if (!lag_check_.IsSet()) lag_check_.Set(deadline);
}

void Reconciler::Await(InWork& work, const Object& written) const {
  for (size_t i = 0; i < kinds_.size(); ++i) {
    if (kinds_[i] != &written.kind()) continue;
    uint64_t& revision = work.awaited[i];
    revision = std::max(revision, written.revision());
  }
}

bool Reconciler::HasSeenAll(const InWork& work) const {
  return std::all_of(work.awaited.begin(), work.awaited.end(), [this](const auto& awaited) {
    return informers_[awaited.first].revision() >= awaited.second;
  });
}

bool Reconciler::Settle(const std::string& key, Time deadline, Env& env) {
  const auto it = in_work_.find(key);
  KUBEMU_CHECK(it != in_work_.end());
  const InWork& work = it->second;
  const bool seen = HasSeenAll(work);
  if (!seen && deadline > env.now) return false;
  if (work.failed || !seen) {
    queue_.Fail(key, work.trace, env.now);
  } else {
    queue_.Done(key);
  }
  in_work_.erase(it);
  return true;
}

void Reconciler::SettleAll(Env& env) {
  std::erase_if(lagging_,
                [&](const auto& entry) { return Settle(entry.first, entry.second, env); });
  if (lag_check_.Take(env.now) && !lagging_.empty()) lag_check_.Set(env.now + kCacheLagMax);
}

bool IsNamespaceTerminating(const CallResult& result) {
  return result.code == 403 &&
         result.message.find("because it is being terminated") != std::string::npos;
}

}  // namespace kubemu
