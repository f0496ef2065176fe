#include "master/apiserver/apiserver.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "master/apiserver/admission.h"
#include "master/apiserver/bootstrap.h"
#include "master/apiserver/http/encode.h"
#include "master/apiserver/http/plain.h"
#include "master/apiserver/reads.h"
#include "master/apiserver/watch_sinks.h"
#include "messages/api/informer.h"
#include "messages/api/kinds.h"
#include "messages/api/openapi.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/k8s/core_event.pb.h"
#include "messages/proto/k8s/core_service.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Event;
using k8s::core::v1::Service;

constexpr const char* kStoreAddress = "master/store";
constexpr int64_t kWatchSecondsMin = 1800;
constexpr size_t kBodyBytesMax = 3 * 1024 * 1024;

Action ActionOf(bus::Verb verb) {
  switch (verb) {
    case bus::LIST:
      return Action::kList;
    case bus::CREATE:
      return Action::kCreate;
    case bus::UPDATE:
      return Action::kUpdate;
    case bus::PATCH:
      return Action::kPatch;
    case bus::DELETE:
      return Action::kDelete;
    default:
      return Action::kGet;
  }
}

ApiCall CallOf(const bus::ApiRequest& request, const Message& message, const Kind& kind) {
  ApiCall call;
  call.action = ActionOf(request.verb());
  call.kind = &kind;
  call.process = std::string(ProcessOf(message.from));
  call.subresource = request.subresource();
  call.label_selector = request.label_selector();
  call.field_selector = request.field_selector();
  call.patch_type = request.patch_type();
  call.patch = request.patch();
  call.dry_run = request.dry_run();
  call.field_manager = request.field_manager();
  if (request.has_grace_period_seconds())
    call.grace_period_seconds = request.grace_period_seconds();
  call.propagation_policy = request.propagation_policy();
  call.precondition_uid = request.precondition_uid();
  call.precondition_resource_version = request.precondition_resource_version();
  call.limit = request.limit();
  call.continue_token = request.continue_token();
  call.force = request.force();
  if (!message.objects.empty()) call.object = message.objects[0];
  call.ns = request.namespace_();
  call.name = request.name();
  // What the request leaves out is in its object.
  if (call.object && call.ns.empty() && kind.namespaced) call.ns = call.object.meta().namespace_();
  if (call.object && call.name.empty() && call.action != Action::kCreate)
    call.name = call.object.meta().name();
  if (!kind.namespaced) call.ns.clear();
  return call;
}

// What only some may send: the store its events, the own runtime the links, the HTTP door what its
// clients ask. A node that tries it is not heard.
bool IsTrusted(const Message& message) {
  switch (message.kind) {
    case bus::STORE_EVENT:
    case bus::STORE_TXN_RESULT:
      return message.from == kStoreAddress;
    case bus::LINK_UP:
    case bus::LINK_DOWN:
      return message.from == "master/bus";
    case bus::HTTP_REQUEST:
    case bus::HTTP_CANCEL:
      return ProcessOf(message.from) == "client";
    default:
      return true;
  }
}

bool IsWrite(Action action) {
  return action != Action::kGet && action != Action::kList && action != Action::kWatch;
}

}  // namespace

ApiServer::ApiServer(Options options)
    : options_(std::move(options)),
      addresses_(options_.addresses),
      watches_(&cache_),
      writes_(&cache_, &addresses_) {
  start_.Set(Time{});
}

ApiServer::~ApiServer() = default;

void ApiServer::Receive(const Message& message, Env& env) {
  if (!IsTrusted(message)) return;
  switch (message.kind) {
    case bus::STORE_EVENT:
      return OnStoreEvent(message, env);
    case bus::STORE_TXN_RESULT:
      writes_.Receive(message.As<bus::StoreTxnResult>(), env);
      return Advance(env);
    case bus::API_REQUEST:
    case bus::WATCH_REQUEST:
      if (ready_) return OnRequest(message, env);
      if (early_.size() < kEarlyMax) early_.push_back(message);
      return;
    case bus::WATCH_CREDIT: {
      const auto& credit = message.As<bus::WatchCredit>();
      return watches_.AddCredit({message.from, credit.stream()}, credit.generation(),
                                credit.credit(), env);
    }
    case bus::WATCH_CANCEL:
      return watches_.Cancel({message.from, message.As<bus::WatchCancel>().stream()});
    case bus::HTTP_REQUEST:
      return OnHttpRequest(message, env);
    case bus::HTTP_CANCEL: {
      const uint64_t request = message.As<bus::HttpCancel>().request();
      watches_.Cancel({message.from, request});
      return logs_.Cancel(message.from, request, env);
    }
    case bus::LOG_RESPONSE:
      return logs_.Receive(message.from, message.As<bus::LogResponse>(), env);
    case bus::LINK_UP:
    case bus::LINK_DOWN:
      return OnLink(message, env);
    default:
      return;
  }
}

void ApiServer::OnStoreEvent(const Message& message, Env& env) {
  const auto& event = message.As<bus::StoreEvent>();
  if (event.type() == bus::StoreEvent::SYNCED) {
    cache_.Start(event.revision());
    compact_revision_ = event.revision();
    compact_.Set(env.now + kCompactInterval);
    return Advance(env);
  }
  if (message.objects.empty()) return;
  const Object& object = message.objects[0];
  const CacheEvent change =
      event.type() == bus::StoreEvent::PUT ? cache_.Put(object) : cache_.Remove(object);
  if (&object.kind() == &KindOf<Service>()) addresses_.Follow(change.before, change.after);
  if (&object.kind() == &KindOf<Event>() && change.after) events_.Written(object, env.now);
  if (!cache_.started()) return;
  watches_.Publish(object.kind(), change, env);
  // The server's own Service and endpoints come back when somebody deletes them.
  if (!change.after && object.key() == "default/kubernetes")
    start_.Set(env.now + kStartRetryInterval);
}

void ApiServer::Advance(Env& env) {
  if (!start_.IsSet() || !cache_.started() || writes_.internal() > 0) return;
  std::vector<ApiCall> missing = MissingBootstrap(
      cache_, addresses_.ApiServerIp(), options_.cluster_dns ? addresses_.DnsIp() : Ipv4(),
      options_.ip, options_.port);
  if (missing.empty()) return BecomeReady(env);
  start_.Set(env.now + kStartRetryInterval);
  for (ApiCall& call : missing) {
    Caller nobody;
    nobody.kind = call.kind;
    writes_.Start(std::move(call), std::move(nobody), env);
  }
}

void ApiServer::BecomeReady(Env& env) {
  ready_ = true;
  start_.Clear();
  // Nothing waits when what somebody has deleted is there again.
  for (const Message& message : std::exchange(early_, {})) {
    env.outbox.Because(message.Context());
    OnRequest(message, env);
  }
}

void ApiServer::OnRequest(const Message& message, Env& env) {
  if (message.kind == bus::API_REQUEST) return OnApiRequest(message, env);
  OnWatchRequest(message, env);
}

void ApiServer::OnApiRequest(const Message& message, Env& env) {
  const auto& request = message.As<bus::ApiRequest>();
  const Kind* kind = KindById(static_cast<int>(request.kind()));
  Caller caller;
  caller.face = Caller::Face::kBus;
  caller.address = message.from;
  caller.request = request.request();
  caller.kind = kind;
  if (kind == nullptr) {
    return SendAnswer(
        caller,
        ApiAnswer::Failure(api_error::BadRequest(StrCat("there is no kind ", request.kind()))),
        env);
  }
  Run(CallOf(request, message, *kind), std::move(caller), env);
}

void ApiServer::Run(ApiCall call, Caller caller, Env& env) {
  if (call.action == Action::kDeleteCollection) {
    ApiAnswer list = ListObjects(call, cache_);
    if (list.code >= 400) return SendAnswer(caller, std::move(list), env);
    return writes_.StartCollection(call, list.objects, std::move(caller), env);
  }
  if (IsWrite(call.action)) return writes_.Start(std::move(call), std::move(caller), env);
  SendAnswer(caller,
             call.action == Action::kGet ? GetObject(call, cache_) : ListObjects(call, cache_),
             env);
}

void ApiServer::OnWatchRequest(const Message& message, Env& env) {
  const auto& request = message.As<bus::WatchRequest>();
  auto sink = std::make_unique<BusSink>(message.from, request.stream(), request.generation());
  ApiCall call;
  call.action = Action::kWatch;
  call.kind = KindById(static_cast<int>(request.kind()));
  call.process = std::string(ProcessOf(message.from));
  call.ns = request.namespace_();
  call.label_selector = request.label_selector();
  call.field_selector = request.field_selector();
  const auto refuse = [&](const ApiStatus& status) {
    watches_.Cancel({message.from, request.stream()});
    sink->End(&status, env);
  };
  if (call.kind == nullptr)
    return refuse(api_error::BadRequest(StrCat("there is no kind ", request.kind())));
  if (auto refused = AuthorizeNode(call, Object(), cache_)) return refuse(*refused);
  OrStatus<Filter> filter = Filter::Make(call);
  if (!filter.ok()) return refuse(filter.status());
  Watches::Options options;
  options.filter = *std::move(filter);
  options.kind = call.kind;
  if (request.revision() > 0) options.after = request.revision();
  options.credit = request.credit();
  options.generation = request.generation();
  options.bookmark_interval = Informer::kBookmarkInterval;
  watches_.Start({message.from, request.stream()}, std::move(options), std::move(sink), env);
}

void ApiServer::OnHttpRequest(const Message& message, Env& env) {
  const auto& request = message.As<bus::HttpRequest>();
  const auto answer = [&](bus::HttpResponse response) {
    env.outbox.Send(message.from, std::move(response));
  };
  const absl::StatusOr<HttpTarget> target = HttpTarget::Parse(request.target());
  if (!target.ok()) {
    return answer(EncodeStatus(request.request(),
                               api_error::BadRequest(std::string(target.status().message()))));
  }
  if (request.body().size() > kBodyBytesMax) {
    return answer(EncodeStatus(
        request.request(), api_error::RequestEntityTooLarge(StrCat("limit is ", kBodyBytesMax))));
  }
  const auto open_api = [this]() -> const OpenApi& {
    if (open_api_ == nullptr) open_api_ = std::make_unique<OpenApi>();
    return *open_api_;
  };
  ServerState state{cache_,          StrCat(options_.ip, ":", options_.port),
                    watches_.size(), writes_.in_flight(),
                    env.wall,        env.random,
                    open_api};
  if (std::optional<bus::HttpResponse> plain = AnswerPlain(request, *target, state))
    return answer(*std::move(plain));
  const std::optional<ResourcePath> path = ResourcePath::Of(*target);
  if (!path) {
    return answer(
        PlainResponse(request.request(), 404, "text/plain; charset=utf-8", "404 page not found\n"));
  }
  if (!ready_) {
    return answer(EncodeStatus(request.request(),
                               api_error::ServiceUnavailable("the API server is still starting")));
  }
  OnHttpResource(message, *target, *path, env);
}

void ApiServer::OnHttpResource(const Message& message, const HttpTarget& target,
                               const ResourcePath& path, Env& env) {
  const auto& request = message.As<bus::HttpRequest>();
  if (path.subresource == "log" && request.method() == "GET")
    return logs_.Start(message.from, request, target, path, cache_, env);
  if (path.subresource == "exec" || path.subresource == "attach" ||
      path.subresource == "portforward") {
    return env.outbox.Send(
        message.from,
        EncodeStatus(request.request(),
                     api_error::BadRequest(StrCat(path.subresource,
                                                  " is not supported: kubemu emulates "
                                                  "containers, there is no process to reach"))));
  }
  OrStatus<HttpCall> http = ToCall(request, target, path);
  if (!http.ok())
    return env.outbox.Send(message.from, EncodeStatus(request.request(), http.status()));
  if (http->call.action == Action::kWatch) return StartHttpWatch(message, *http, env);
  Caller caller;
  caller.face = Caller::Face::kHttp;
  caller.address = message.from;
  caller.request = request.request();
  caller.kind = path.kind;
  caller.format = std::move(http->format);
  caller.warnings = std::move(http->warnings);
  Run(std::move(http->call), std::move(caller), env);
}

void ApiServer::StartHttpWatch(const Message& message, const HttpCall& http, Env& env) {
  const ApiCall& call = http.call;
  const uint64_t request = message.As<bus::HttpRequest>().request();
  const auto refuse = [&](const ApiStatus& status) {
    env.outbox.Send(message.from, EncodeStatus(request, status));
  };
  OrStatus<Filter> filter = Filter::Make(call);
  if (!filter.ok()) return refuse(filter.status());
  Watches::Options options;
  options.filter = *std::move(filter);
  options.kind = call.kind;
  uint64_t revision = 0;
  if (!call.resource_version.empty() && !ParseInteger(call.resource_version, &revision)) {
    return refuse(api_error::BadRequest(
        StrCat("Invalid value: \"", call.resource_version, "\": invalid resource version")));
  }
  if (revision > 0 && !call.send_initial_events) options.after = revision;
  if (call.watch_bookmarks) options.bookmark_interval = kHttpBookmarkInterval;
  const int64_t seconds =
      call.timeout_seconds > 0
          ? call.timeout_seconds
          : kWatchSecondsMin + static_cast<int64_t>(env.random.Uniform(kWatchSecondsMin));
  options.end = env.now + std::chrono::seconds(std::min<int64_t>(seconds, 86'400));
  auto sink = std::make_unique<HttpSink>(message.from, request, call.kind, http.format,
                                         call.send_initial_events);
  sink->Open(env);
  watches_.Start({message.from, request}, std::move(options), std::move(sink), env);
}

void ApiServer::OnLink(const Message& message, Env& env) {
  if (message.kind == bus::LINK_DOWN) {
    const std::string& process = message.As<bus::LinkDown>().process();
    epochs_.erase(process);
    watches_.CancelProcess(process);
    return logs_.NodeLost(process, env);
  }
  const auto& up = message.As<bus::LinkUp>();
  const auto it = epochs_.find(up.process());
  // Another incarnation: it knows nothing of the streams of the one before.
  if (it != epochs_.end() && it->second != up.epoch()) watches_.CancelProcess(up.process());
  epochs_[up.process()] = up.epoch();
}

void ApiServer::ExpireEvents(Env& env) {
  for (EventExpiry::Due& due : events_.TakeDue(env.now)) {
    const Object event = cache_.Find(KindOf<Event>(), due.ns, due.name);
    if (!event || event.revision() != due.revision) continue;
    ApiCall call;
    call.action = Action::kDelete;
    call.kind = &KindOf<Event>();
    call.ns = std::move(due.ns);
    call.name = std::move(due.name);
    call.precondition_resource_version = event.meta().resource_version();
    Caller nobody;
    nobody.kind = call.kind;
    writes_.Start(std::move(call), std::move(nobody), env);
  }
}

void ApiServer::Tick(Env& env) {
  if (start_.Take(env.now)) {
    if (!cache_.started()) env.outbox.Send(kStoreAddress, bus::StoreWatch());
    // A store that does not answer (a lost message) is asked again.
    start_.Set(env.now + kStartRetryInterval);
    Advance(env);
  }
  writes_.Tick(env);
  watches_.Tick(env);
  logs_.Tick(env);
  ExpireEvents(env);
  if (compact_.Take(env.now)) {
    bus::StoreCompact compact;
    compact.set_revision(std::exchange(compact_revision_, cache_.revision()));
    env.outbox.Send(kStoreAddress, std::move(compact));
    compact_.Set(env.now + kCompactInterval);
  }
}

Time ApiServer::NextWake() const {
  return std::min({start_.at(), writes_.NextWake(), watches_.NextWake(), logs_.NextWake(),
                   events_.NextWake(), compact_.at()});
}

}  // namespace kubemu
