#include "node/kubelet/kubelet.h"

#include <algorithm>
#include <utility>

#include "messages/api/kinds.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_pod.pb.h"
#include "messages/proto/node.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;

// A worker whose wake has passed although it was just stepped is looked at again after this.
constexpr Duration kWakeMin = 100ms;
// How soon after a missing engine event the engine is asked for everything again.
constexpr Duration kGapInterval = 1s;

}  // namespace

Kubelet::Kubelet(Options options)
    : options_(std::move(options)),
      node_(options_),
      pods_(2, {.kind = &KindOf<Pod>(), .field_selector = "spec.nodeName=" + options_.node}),
      events_("kubelet", options_.node),
      logs_(options_.node),
      connections_(options_.node, options_.address) {}

PodContext Kubelet::Context(Env& env) {
  return PodContext{options_,          calls_,         events_,
                    connections_,      node_.images(), node_.pod_cidr(),
                    node_.engine_up(), next_probe_,    env};
}

void Kubelet::Receive(const Message& message, Env& env) {
  Handle(message, env);
  TakeConnectionResults(env);
}

void Kubelet::Handle(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::FLOW_DATA:
    case bus::FLOW_CREDIT:
    case bus::FLOW_CLOSE:
      return connections_.Receive(message, env);
    case bus::ENGINE_EVENT:
      return OnEngineEvent(message, env);
    case bus::PROBE_RESULT:
      return OnProbeResult(message, env);
    case bus::LOG_REQUEST: {
      const auto& request = message.As<bus::LogRequest>();
      return logs_.OnRequest(message, FindByName(request.namespace_(), request.pod()), env);
    }
    case bus::LOG_RESPONSE:
      return logs_.OnResponse(message, env);
    case bus::LINK_UP:
      if (message.As<bus::LinkUp>().process() == "master") {
        for (const CallResult& lost : calls_.Abandon()) OnCallResult(lost, env);
      }
      break;
    default:
      break;
  }
  if (message.kind == bus::ENGINE_STATUS) {
    CheckSequence(message.As<bus::EngineStatus>().events(), false, env);
  }
  const std::string cidr = node_.pod_cidr();
  NodeAgent::Context node_context{calls_, events_, env};
  node_.Receive(message, node_context);
  if (const auto result = calls_.Receive(message)) OnCallResult(*result, env);
  if (node_.TakeEngineBack() || node_.pod_cidr() != cidr) AskEngineAgain(env);
  for (const Informer::Change& change : pods_.Receive(message, env)) OnPod(change, env);
}

void Kubelet::Tick(Env& env) {
  NodeAgent::Context node_context{calls_, events_, env};
  node_.Tick(node_context);
  pods_.Tick(env);
  if (ask_again_.Take(env.now)) AskEngineAgain(env);
  connections_.Tick(env);
  TakeConnectionResults(env);
  for (const CallResult& result : calls_.Expired(env.now)) OnCallResult(result, env);
  while (!queue_.empty() && queue_.begin()->first <= env.now) {
    const auto it = workers_.find(queue_.begin()->second);
    env.outbox.Because(it->second.trace());
    Step(it, env);
  }
  TakeConnectionResults(env);
}

Time Kubelet::NextWake() const {
  const Time wake = std::min({node_.NextWake(), pods_.NextWake(), calls_.NextWake(),
                              ask_again_.at(), connections_.NextWake()});
  return queue_.empty() ? wake : std::min(wake, queue_.begin()->first);
}

void Kubelet::SetWake(const std::string& uid, Time wake) {
  const auto it = wakes_.find(uid);
  if (it != wakes_.end()) {
    if (it->second == wake) return;
    queue_.erase({it->second, uid});
    wakes_.erase(it);
  }
  if (wake == kNever) return;
  wakes_[uid] = wake;
  queue_.emplace(wake, uid);
}

void Kubelet::OnPod(const Informer::Change& change, Env& env) {
  // A deletion that was missed shows as another uid under the same name.
  const bool replaced =
      change.before && change.after && change.before.meta().uid() != change.after.meta().uid();
  if (change.before && (!change.after || replaced)) {
    const auto it = workers_.find(change.before.meta().uid());
    if (it != workers_.end()) {
      it->second.Gone();
      Step(it, env);
    }
  }
  if (!change.after) return;
  const std::string& uid = change.after.meta().uid();
  auto it = workers_.find(uid);
  if (it == workers_.end()) {
    it = workers_.emplace(uid, PodWorker(change.after, env.wall, env.now)).first;
    by_key_[change.key].insert(uid);
  } else {
    it->second.Update(change.after);
  }
  Step(it, env);
}

// Lets one worker do what is due, and forgets it when nothing is left.
void Kubelet::Step(Workers::iterator it, Env& env) {
  PodContext context = Context(env);
  PodWorker& worker = it->second;
  const std::string uid = it->first;
  const std::string key = worker.pod().key();
  const std::set<std::string>& namesakes = by_key_[key];
  worker.SetBlocked(std::any_of(namesakes.begin(), namesakes.end(), [&](const std::string& other) {
    return other != uid && workers_.at(other).holds_sandbox();
  }));
  if (worker.NeedsAdmission()) AdmitPod(worker, context);
  const bool held = worker.holds_sandbox();
  worker.Sync(context);
  if (!worker.done()) {
    const Time wake = worker.NextWake();
    SetWake(uid, wake > env.now ? wake : env.now + kWakeMin);
  } else {
    SetWake(uid, kNever);
    by_key_[key].erase(uid);
    workers_.erase(it);
  }
  const bool freed = held && (!workers_.contains(uid) || !workers_.at(uid).holds_sandbox());
  const auto same = by_key_.find(key);
  if (same->second.empty()) {
    by_key_.erase(same);
  } else if (freed) {
    for (const std::string& other : same->second) {
      if (other != uid) SetWake(other, env.now);  // its namesake is out of its way
    }
  }
}

void Kubelet::AdmitPod(PodWorker& worker, PodContext& context) {
  RequestTotals used;
  for (const auto& [uid, other] : workers_) {
    if (other.requests() != nullptr) used += *other.requests();
  }
  worker.Admitted(Admit(options_, worker.pod().As<Pod>(), used), context);
}

void Kubelet::OnEngineEvent(const Message& message, Env& env) {
  const auto& event = message.As<bus::EngineEvent>();
  if (event.type() == bus::EngineEvent::IMAGE_PULLED) {
    node_.AddImage(event.image(), NodeImage{event.image_id(), event.image_bytes()});
  }
  CheckSequence(event.sequence(), true, env);
  const auto it = workers_.find(event.pod_uid());
  if (it == workers_.end()) return;
  PodContext context = Context(env);
  const bool held = it->second.holds_sandbox();
  it->second.OnEngineEvent(event, context);
  if (held && !it->second.holds_sandbox()) {
    for (const std::string& other : by_key_[it->second.pod().key()]) {
      if (other != it->first) SetWake(other, env.now);
    }
  }
  Step(it, env);
}

Kubelet::Workers::iterator Kubelet::FindByAddress(const std::string& pod_address) {
  const std::string prefix = options_.node + "/pod/";
  if (!pod_address.starts_with(prefix)) return workers_.end();
  const auto key = by_key_.find(pod_address.substr(prefix.size()));
  if (key == by_key_.end()) return workers_.end();
  for (const std::string& uid : key->second) {
    const auto it = workers_.find(uid);
    if (it->second.holds_sandbox()) return it;
  }
  return workers_.end();
}

const PodWorker* Kubelet::FindByName(const std::string& ns, const std::string& name) const {
  const auto key = by_key_.find(ObjectKey(ns, name));
  if (key == by_key_.end()) return nullptr;
  const PodWorker* found = nullptr;
  for (const std::string& uid : key->second) {
    const PodWorker& worker = workers_.at(uid);
    if (found == nullptr || worker.pod().revision() > found->pod().revision()) found = &worker;
  }
  return found;
}

void Kubelet::OnProbeResult(const Message& message, Env& env) {
  const auto it = FindByAddress(message.from);
  if (it == workers_.end()) return;
  PodContext context = Context(env);
  it->second.OnProbeResult(message.As<bus::ProbeResult>(), context);
  Step(it, env);
}

// A worker that hears of one may begin the next, and that may end at once.
void Kubelet::TakeConnectionResults(Env& env) {
  for (auto results = connections_.TakeFinished(); !results.empty();
       results = connections_.TakeFinished()) {
    for (const PodConnections::Result& result : results) {
      const auto it = workers_.find(result.pod_uid);
      if (it == workers_.end()) continue;
      PodContext context = Context(env);
      env.outbox.Because(result.trace);
      it->second.OnProbeResult(result.result, context);
      Step(it, env);
    }
  }
}

void Kubelet::OnCallResult(const CallResult& result, Env& env) {
  if (result.tag.starts_with(NodeAgent::kTag)) {
    NodeAgent::Context context{calls_, events_, env};
    return node_.OnCallResult(result, context);
  }
  const size_t space = result.tag.find(' ');
  const auto it = workers_.find(result.tag.substr(space + 1));
  if (space == std::string::npos || it == workers_.end()) return;
  PodContext context = Context(env);
  env.outbox.Because(result.trace);
  it->second.OnCallResult(result, context);
  Step(it, env);
}

// A gap in the engine's events means that the kubelet has missed one: what it holds may be old.
void Kubelet::CheckSequence(uint64_t sequence, bool is_event, Env& env) {
  const uint64_t expected = engine_events_ + (is_event ? 1 : 0);
  if (sequence <= engine_events_) return;  // doubled, or late
  engine_events_ = sequence;
  if (sequence > expected && !ask_again_.IsSet()) ask_again_.Set(env.now + kGapInterval);
}

// The engine answers again, has told something that got lost, or the node has got its addresses:
// every pod asks for what it needs to know.
void Kubelet::AskEngineAgain(Env& env) {
  std::vector<std::string> uids;
  for (auto& [uid, worker] : workers_) {
    worker.AskEngineAgain(env.now);
    uids.push_back(uid);
  }
  for (const std::string& uid : uids) {
    const auto it = workers_.find(uid);
    if (it == workers_.end()) continue;
    env.outbox.Because(it->second.trace());
    Step(it, env);
  }
}

}  // namespace kubemu
