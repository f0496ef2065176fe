#include "master/apiserver/writes.h"

#include <algorithm>
#include <utility>

#include "master/apiserver/admission.h"
#include "messages/api/kinds.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"

namespace kubemu {

constexpr const char* kStoreAddress = "master/store";

void Writes::Start(ApiCall call, Caller caller, Env& env) {
  if (in_flight() >= kInFlightMax) {
    return Answer(caller,
                  ApiAnswer::Failure(api_error::TooManyRequests(
                      StrCat("the server has ", kInFlightMax, " writes in flight already"), 1)),
                  env);
  }
  Write write{std::move(call), std::move(caller), env.outbox.cause(), {}, 1, {}};
  if (WaitsForServiceAccount(write.call, *cache_)) {
    waiting_.emplace(env.now + kAccountInterval, Waiting{std::move(write)});
    return;
  }
  Begin(std::move(write), env);
}

void Writes::Begin(Write write, Env& env) {
  const uint64_t id = next_++;
  const bool internal = write.caller.face == Caller::Face::kInternal;
  write.deadline = env.now + kTimeout;
  if (!Try(id, write, env)) return;
  in_flight_.emplace(id, std::move(write));
  internal_ += internal;
}

void Writes::StartCollection(const ApiCall& call, const std::vector<Object>& objects, Caller caller,
                             Env& env) {
  Group group;
  group.caller = std::move(caller);
  group.left = objects.size();
  group.answer.is_list = true;
  group.answer.revision = cache_->revision();
  if (objects.empty()) return SendAnswer(group.caller, std::move(group.answer), env);
  const uint64_t id = next_++;
  groups_.emplace(id, std::move(group));
  for (const Object& object : objects) {
    ApiCall deletion = call;
    deletion.action = Action::kDelete;
    deletion.ns = object.meta().namespace_();
    deletion.name = object.meta().name();
    Caller member;
    member.face = Caller::Face::kGroup;
    member.request = id;
    member.kind = call.kind;
    Start(std::move(deletion), std::move(member), env);
  }
}

bool Writes::Try(uint64_t id, Write& write, Env& env) {
  // Everything in flight is before this write in the store's queue.
  const size_t before = in_flight_.size() - in_flight_.contains(id);
  World world{*cache_,    *addresses_, env.wall,
              env.random, write.trace, cache_->revision() + before + 1};
  OrStatus<WritePlan> plan = PlanWrite(write.call, world);
  if (!plan.ok()) {
    Answer(write.caller, ApiAnswer::Failure(std::move(plan.status())), env);
    return false;
  }
  write.plan = *std::move(plan);
  if (write.plan.store == WritePlan::Store::kNothing) {
    Answer(write.caller, AnswerOf(write.plan, write.plan.object), env);
    return false;
  }
  Send(id, write, env);
  return true;
}

void Writes::Send(uint64_t id, const Write& write, Env& env) {
  bus::StoreTxn txn;
  txn.set_request(id);
  auto* compare = txn.add_compares();
  compare->set_key(write.plan.key);
  compare->set_mod_revision(write.plan.expected_revision);
  auto* operation = txn.add_operations();
  operation->set_key(write.plan.key);
  std::vector<Object> objects;
  if (write.plan.store == WritePlan::Store::kPut) {
    objects.push_back(write.plan.object);
  } else {
    operation->set_remove(true);
  }
  env.outbox.Send(kStoreAddress, std::move(txn), std::move(objects));
}

void Writes::Receive(const bus::StoreTxnResult& result, Env& env) {
  auto it = in_flight_.find(result.request());
  if (it == in_flight_.end()) return;
  Write& write = it->second;
  const bool again = !result.succeeded() && result.error().empty() && write.tries < kTriesMax;
  addresses_->Release(std::exchange(write.plan.reservation, {}));
  if (again) {
    ++write.tries;
    if (Try(it->first, write, env)) return;
  } else if (result.succeeded()) {
    Stored(write, env);
  } else if (!result.error().empty()) {
    Answer(write.caller, ApiAnswer::Failure(api_error::InternalError(result.error())), env);
  } else {
    Answer(write.caller,
           ApiAnswer::Failure(
               api_error::ModifiedConflict(ResourceOf(*write.call.kind), write.call.name)),
           env);
  }
  internal_ -= write.caller.face == Caller::Face::kInternal;
  in_flight_.erase(it);
}

// Of a put the answer is what the cache now holds: the object with its revision.
void Writes::Stored(Write& write, Env& env) {
  Object object = write.plan.object;
  if (write.plan.store == WritePlan::Store::kPut) {
    const Object stored =
        cache_->Find(object.kind(), object.meta().namespace_(), object.meta().name());
    if (stored) object = stored;
  }
  Answer(write.caller, AnswerOf(write.plan, std::move(object)), env);
}

ApiAnswer Writes::AnswerOf(const WritePlan& plan, Object object) {
  ApiAnswer answer;
  answer.code = plan.code;
  answer.warnings = plan.warnings;
  if (plan.status) {
    answer.status = plan.status;
  } else {
    answer.objects.push_back(plan.answer_scale ? ScaleOf(object) : std::move(object));
  }
  return answer;
}

void Writes::Answer(const Caller& caller, ApiAnswer answer, Env& env) {
  if (caller.face != Caller::Face::kGroup) return SendAnswer(caller, std::move(answer), env);
  const auto it = groups_.find(caller.request);
  if (it == groups_.end()) return;
  Group& group = it->second;
  if (!answer.objects.empty()) group.answer.objects.push_back(std::move(answer.objects[0]));
  // What somebody else has deleted meanwhile is no failure.
  if (answer.code >= 400 && answer.code != 404 && !group.answer.status) {
    group.answer.code = answer.code;
    group.answer.status = std::move(answer.status);
  }
  if (--group.left > 0) return;
  SendAnswer(group.caller, std::move(group.answer), env);
  groups_.erase(it);
}

Time Writes::NextWake() const {
  Time wake = in_flight_.empty() ? kNever : in_flight_.begin()->second.deadline;
  return waiting_.empty() ? wake : std::min(wake, waiting_.begin()->first);
}

void Writes::Tick(Env& env) {
  while (!waiting_.empty() && waiting_.begin()->first <= env.now) {
    Waiting waiting = std::move(waiting_.extract(waiting_.begin()).mapped());
    if (waiting.tries < kAccountTriesMax && WaitsForServiceAccount(waiting.write.call, *cache_)) {
      ++waiting.tries;
      waiting_.emplace(env.now + kAccountInterval, std::move(waiting));
      continue;
    }
    env.outbox.Because(waiting.write.trace);
    Begin(std::move(waiting.write), env);
  }
  while (!in_flight_.empty() && in_flight_.begin()->second.deadline <= env.now) {
    Write write = std::move(in_flight_.begin()->second);
    in_flight_.erase(in_flight_.begin());
    internal_ -= write.caller.face == Caller::Face::kInternal;
    addresses_->Release(write.plan.reservation);
    Answer(write.caller,
           ApiAnswer::Failure(api_error::Timeout(
               "the store did not answer in time; the outcome of the write is unknown", 1)),
           env);
  }
}

}  // namespace kubemu
