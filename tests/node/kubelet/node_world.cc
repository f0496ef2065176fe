#include "tests/node/kubelet/node_world.h"

#include <algorithm>

#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr char kKubelet[] = "node-1/kubelet";
constexpr uint64_t kRelayed = 1'000'000;  // added to the numbers of the kubelet's flows

const Kind& KindNamed(const std::string& plural) {
  for (const Kind* kind : AllKinds()) {
    if (kind->plural == plural) return *kind;
  }
  KUBEMU_CHECK(false);
  return *AllKinds()[0];
}

bus::ApiResponse Failure(uint32_t code, const std::string& reason) {
  bus::ApiResponse response;
  response.set_code(code);
  response.set_reason(reason);
  return response;
}

}  // namespace

void NodeWorld::Recorder::Receive(const Message& message, Env& env) {
  world_->iptables_.push_back({env.now, message});
  Relay(message, env);
}

void NodeWorld::Recorder::Relay(const Message& message, Env& env) {
  switch (message.kind) {
    case bus::POD_NETWORK_UPDATE: {
      const auto& update = message.As<bus::PodNetworkUpdate>();
      pods_[update.ip()] = update.removed() ? "" : update.address();
      return;
    }
    case bus::FLOW_OPEN:
      if (message.from == kKubelet) RelayOpen(message.As<bus::FlowOpen>(), env);
      return;
    case bus::FLOW_DATA:
      return Pass<bus::FlowData>(message, env);
    case bus::FLOW_CREDIT:
      return Pass<bus::FlowCredit>(message, env);
    case bus::FLOW_CLOSE:
      return Pass<bus::FlowClose>(message, env);
    default:
      return;
  }
}

void NodeWorld::Recorder::RelayOpen(bus::FlowOpen open, Env& env) {
  const std::string pod = pods_[open.destination_ip()];
  if (pod.empty()) {
    bus::FlowClose close;
    close.set_flow(open.flow());
    close.set_reply(true);
    close.set_reason(bus::FlowClose::UNREACHABLE);
    return env.outbox.Send(kKubelet, std::move(close));
  }
  targets_[open.flow()] = pod;
  open.set_flow(open.flow() + kRelayed);
  open.set_source_ip(Ipv4(10, 244, 1, 1).bits());
  env.outbox.Send(pod, std::move(open));
}

template <class T>
void NodeWorld::Recorder::Pass(const Message& message, Env& env) {
  T body = message.As<T>();
  if (message.from == kKubelet) {
    const auto target = targets_.find(body.flow());
    if (target == targets_.end()) return;
    body.set_flow(body.flow() + kRelayed);
    env.outbox.Send(target->second, std::move(body));
  } else if (body.flow() > kRelayed) {
    body.set_flow(body.flow() - kRelayed);
    env.outbox.Send(kKubelet, std::move(body));
  }
}

NodeWorld::NodeWorld(Settings settings) : settings_(std::move(settings)), random_(settings_.seed) {
  Start();
}

void NodeWorld::Start() {
  KubeletOptions options;
  options.node = "node-1";
  options.address = Ipv4(127, 1, 0, 1);
  options.endpoint = "tcp://127.1.0.1:7200";
  options.pods = settings_.pods;
  options.cpu = settings_.cpu;
  kubelet_ = std::make_unique<Kubelet>(options);
  engine_ = std::make_unique<EmulatedEngine>(
      EmulatedEngine::Options{.node = "node-1", .pull_delay = settings_.pull_delay});
  recorder_ = std::make_unique<Recorder>(this);
  process_ =
      std::make_unique<Process>(Process::Options{"node-1", epoch_, settings_.seed}, &journal_);
  process_->Add("node-1/kubelet", kubelet_.get());
  process_->Add("node-1/engine", engine_.get());
  process_->Alias("node-1/pod/", engine_.get());
  process_->Add("node-1/iptables", recorder_.get());
}

void NodeWorld::RestartNode() {
  process_.reset();
  watches_.clear();
  ++epoch_;
  Start();
}

void NodeWorld::Turn() {
  process_->Turn(now_, wall());
  std::vector<Message> out = process_->TakeOutgoing();
  while (!out.empty()) {
    for (const Message& message : out) Handle(message);
    process_->Turn(now_, wall());
    out = process_->TakeOutgoing();
  }
}

void NodeWorld::Run(Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool NodeWorld::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  while (true) {
    Turn();
    if (done()) return true;
    const Time next = process_->NextWake();
    if (next > end) break;
    now_ = std::max(now_, next);
  }
  now_ = end;
  return done();
}

void NodeWorld::Inject(Message message) {
  if (message.from == "master/apiserver" && random_.Chance(settings_.loss)) return;
  message.id = next_id_++;
  if (message.trace.trace_id == 0) message.trace.trace_id = message.id;
  process_->Deliver(std::move(message), now_, wall());
}

void NodeWorld::Handle(const Message& message) {
  if (message.to != "master/apiserver") {
    outside_.push_back({now_, message});
    return;
  }
  if (message.kind == bus::WATCH_REQUEST && settings_.answers) StartWatch(message);
  if (message.kind != bus::API_REQUEST) return;
  calls_.push_back({now_, message});
  if (settings_.answers) Answer(message);
}

Object NodeWorld::Store(std::unique_ptr<google::protobuf::Message> object, bool created) {
  k8s::meta::v1::ObjectMeta* meta = MutableMetaOf(object.get());
  meta->set_resource_version(StrCat(++revision_));
  if (meta->uid().empty()) meta->set_uid(StrCat("uid-", next_uid_++));
  const Object stored = Object::Of(std::move(object));
  objects_[{static_cast<uint32_t>(stored.kind().id), stored.key()}] = stored;
  Notify(created ? bus::WatchEvent::ADDED : bus::WatchEvent::MODIFIED, stored);
  return stored;
}

void NodeWorld::Put(Object object) {
  std::unique_ptr<google::protobuf::Message> copy(object.message().New());
  copy->CopyFrom(object.message());
  const bool created = !objects_.contains({static_cast<uint32_t>(object.kind().id), object.key()});
  Store(std::move(copy), created);
}

void NodeWorld::Remove(const std::string& kind, const std::string& key) {
  const auto it = objects_.find({static_cast<uint32_t>(KindNamed(kind).id), key});
  const Object object = it->second;
  objects_.erase(it);
  ++revision_;
  Notify(bus::WatchEvent::DELETED, object);
}

Object NodeWorld::Get(const std::string& kind, const std::string& key) const {
  const auto it = objects_.find({static_cast<uint32_t>(KindNamed(kind).id), key});
  return it == objects_.end() ? Object() : it->second;
}

bool NodeWorld::Exists(const std::string& kind, const std::string& key) const {
  return static_cast<bool>(Get(kind, key));
}

k8s::core::v1::Pod NodeWorld::Pod(const std::string& key) const {
  const Object object = Get("pods", key);
  return object ? object.As<k8s::core::v1::Pod>() : k8s::core::v1::Pod();
}

k8s::core::v1::Node NodeWorld::Node() const {
  const Object object = Get("nodes", "node-1");
  return object ? object.As<k8s::core::v1::Node>() : k8s::core::v1::Node();
}

// The API server's contract, as far as a kubelet uses it.
void NodeWorld::Answer(const Message& message) {
  const auto& request = message.As<bus::ApiRequest>();
  const Kind& kind = *KindById(static_cast<int>(request.kind()));
  const std::string name =
      message.objects.empty() ? request.name() : message.objects[0].meta().name();
  const std::string key = ObjectKey(request.namespace_(), name);
  const auto existing = objects_.find({request.kind(), key});
  bus::ApiResponse response;
  response.set_code(200);
  std::vector<Object> objects;
  if (request.verb() == bus::CREATE && existing != objects_.end()) {
    response = Failure(409, "AlreadyExists");
  } else if (request.verb() != bus::CREATE && existing == objects_.end()) {
    response = Failure(404, "NotFound");
  } else if (request.verb() == bus::GET) {
    objects.push_back(existing->second);
  } else if (request.verb() == bus::DELETE) {
    Remove(std::string(kind.plural), key);
  } else {
    std::unique_ptr<google::protobuf::Message> object(kind.prototype->New());
    object->CopyFrom(message.objects[0].message());
    if (request.subresource() == "status") {
      const auto* field = object->GetDescriptor()->FindFieldByName("status");
      std::unique_ptr<google::protobuf::Message> merged(kind.prototype->New());
      merged->CopyFrom(existing->second.message());
      merged->GetReflection()
          ->MutableMessage(merged.get(), field)
          ->CopyFrom(object->GetReflection()->GetMessage(*object, field));
      object = std::move(merged);
    }
    if (kind.plural == "nodes" && request.verb() == bus::CREATE && settings_.gives_cidr) {
      static_cast<k8s::core::v1::Node*>(object.get())
          ->mutable_spec()
          ->set_pod_cidr("10.244.1.0/24");
    }
    objects.push_back(Store(std::move(object), request.verb() == bus::CREATE));
  }
  response.set_request(request.request());
  Outbox outbox("master/apiserver", message.Context());
  outbox.Send(message.from, std::move(response), std::move(objects));
  Inject(std::move(outbox.messages().back()));
}

bool NodeWorld::Selected(const Watch& watch, const Object& object) const {
  if (static_cast<uint32_t>(object.kind().id) != watch.kind) return false;
  if (object.kind().plural == "pods") return true;  // all of this node
  return watch.selector == "metadata.name=" + object.meta().name();
}

void NodeWorld::StartWatch(const Message& message) {
  const auto& request = message.As<bus::WatchRequest>();
  const std::pair<std::string, uint64_t> who{message.from, request.stream()};
  Watch& watch = watches_[who];
  watch = Watch{request.generation(), request.kind(), request.field_selector()};
  if (request.revision() != 0) {
    for (const Past& past : history_) {
      if (past.revision <= request.revision() || !Selected(watch, past.object)) continue;
      SendEvent(who, watch, past.type, past.object, past.revision);
    }
    return;
  }
  for (const auto& [key, object] : objects_) {
    if (Selected(watch, object)) {
      SendEvent(who, watch, bus::WatchEvent::ADDED, object, object.revision());
    }
  }
  SendEvent(who, watch, bus::WatchEvent::SYNCED, Object(), revision_);
}

void NodeWorld::SendEvent(const std::pair<std::string, uint64_t>& who, Watch& watch,
                          bus::WatchEvent::Type type, const Object& object, uint64_t revision) {
  bus::WatchEvent event;
  event.set_stream(who.second);
  event.set_generation(watch.generation);
  event.set_sequence(watch.sequence++);
  event.set_type(type);
  event.set_revision(revision);
  std::vector<Object> objects;
  if (object) objects.push_back(object);
  Outbox outbox("master/apiserver", {});
  outbox.Send(who.first, std::move(event), std::move(objects));
  Inject(std::move(outbox.messages().back()));
}

void NodeWorld::Notify(bus::WatchEvent::Type type, const Object& object) {
  history_.push_back({revision_, type, object});
  for (auto& [who, watch] : watches_) {
    if (Selected(watch, object)) SendEvent(who, watch, type, object, revision_);
  }
}

k8s::core::v1::Pod NodeWorld::MakePod(const std::string& name, const std::string& image,
                                      std::vector<std::string> args) {
  k8s::core::v1::Pod pod;
  pod.mutable_metadata()->set_name(name);
  pod.mutable_metadata()->set_namespace_("default");
  pod.mutable_spec()->set_node_name("node-1");
  pod.mutable_spec()->set_restart_policy("Always");
  pod.mutable_spec()->set_termination_grace_period_seconds(30);
  auto* container = pod.mutable_spec()->add_containers();
  container->set_name("c");
  container->set_image(image);
  container->set_image_pull_policy("IfNotPresent");
  for (std::string& arg : args) container->add_args(std::move(arg));
  pod.mutable_status()->set_phase("Pending");
  return pod;
}

void NodeWorld::DeletePod(const std::string& key, int64_t grace) {
  k8s::core::v1::Pod pod = Pod(key);
  pod.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(1);
  pod.mutable_metadata()->set_deletion_grace_period_seconds(grace);
  Put(Object::From(std::move(pod)));
}

int NodeWorld::StatusWrites(const std::string& key) const {
  int writes = 0;
  for (const Seen& seen : calls_) {
    const auto& request = seen.message.As<bus::ApiRequest>();
    if (request.subresource() == "status" && seen.message.objects[0].key() == key) ++writes;
  }
  return writes;
}

std::vector<std::string> NodeWorld::Events(const std::string& name) const {
  std::vector<std::string> texts;
  for (const Seen& seen : calls_) {
    if (seen.message.objects.empty() || seen.message.objects[0].kind().plural != "events") continue;
    const auto& event = seen.message.objects[0].As<k8s::core::v1::Event>();
    if (event.involved_object().name() != name) continue;
    texts.push_back(StrCat(event.reason(), ": ", event.message()));
  }
  return texts;
}

std::vector<Time> NodeWorld::TimesOf(const std::string& kind, bus::Verb verb) const {
  std::vector<Time> times;
  for (const Seen& seen : calls_) {
    const auto& request = seen.message.As<bus::ApiRequest>();
    if (request.kind() != static_cast<uint32_t>(KindNamed(kind).id)) continue;
    if (request.verb() == verb) times.push_back(seen.at);
  }
  return times;
}

}  // namespace kubemu
