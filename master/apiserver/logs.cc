#include "master/apiserver/logs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "master/apiserver/filter.h"
#include "master/apiserver/http/encode.h"
#include "master/apiserver/write_plan.h"
#include "messages/api/field_errors.h"
#include "messages/api/json_values.h"
#include "messages/api/status.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_pod.pb.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;

// The container that is meant; a pod with one needs no name.
OrStatus<std::string> ContainerOf(const Pod& pod, std::string_view wanted) {
  std::vector<std::string> names;
  std::vector<std::string> all;
  for (const auto& container : pod.spec().containers()) names.push_back(container.name());
  for (const auto& container : pod.spec().init_containers()) all.push_back(container.name());
  all.insert(all.end(), names.begin(), names.end());
  if (!wanted.empty()) {
    if (std::find(all.begin(), all.end(), wanted) != all.end()) return std::string(wanted);
    return api_error::BadRequest(
        StrCat("container ", wanted, " is not valid for pod ", pod.metadata().name()));
  }
  if (names.size() == 1) return names[0];
  return api_error::BadRequest(StrCat("a container name must be specified for pod ",
                                      pod.metadata().name(), ", choose one of: [",
                                      StrJoin(names, " "), "]"));
}

// The options that are numbers, as Go reads them, and what Kubernetes asks of them.
std::optional<ApiStatus> CheckOptions(const HttpTarget& target, const std::string& pod) {
  constexpr const char* kPositive = "must be greater than 0";
  FieldErrorList errors;
  const auto check = [&](const char* name, int64_t least, std::string_view complaint) {
    int64_t number = least;
    if (target.Has(name) && !ParseInteger(target.Get(name), &number)) return false;
    if (number < least) errors.Invalid(FieldPath(name), number, complaint);
    return true;
  };
  const char* bad = nullptr;
  if (!check("tailLines", 0, "must be greater than or equal to 0")) bad = "tailLines";
  if (!check("limitBytes", 1, kPositive)) bad = "limitBytes";
  if (!check("sinceSeconds", 1, kPositive)) bad = "sinceSeconds";
  if (bad != nullptr) {
    return api_error::BadRequest(
        StrCat("strconv.ParseInt: parsing ", Quoted(target.Get(bad)), ": invalid syntax"));
  }
  Timestamp since;
  if (target.Has("sinceTime")) {
    const absl::Status parsed = ParseRfc3339(target.Get("sinceTime"), &since);
    if (!parsed.ok()) return api_error::BadRequest(std::string(parsed.message()));
    if (target.Has("sinceSeconds")) {
      errors.Forbidden(FieldPath(),
                       "at most one of `sinceTime` or `sinceSeconds` may be specified");
    }
  }
  if (errors.empty()) return std::nullopt;
  return api_error::Invalid("", "PodLogOptions", pod, errors);
}

// How long ago `text` (RFC 3339) was, rounded up: a line that was asked for is never left out.
int64_t SecondsSince(std::string_view text, WallTime wall) {
  Timestamp since;
  if (!ParseRfc3339(text, &since).ok()) return 0;
  const auto now = std::chrono::ceil<std::chrono::seconds>(wall.time_since_epoch());
  return std::max<int64_t>(now.count() - since.seconds, 0);
}

bus::LogRequest ToRequest(const HttpTarget& target, const ResourcePath& path, WallTime wall) {
  bus::LogRequest log;
  log.set_namespace_(path.ns);
  log.set_pod(path.name);
  log.set_previous(target.Flag("previous"));
  log.set_follow(target.Flag("follow"));
  log.set_timestamps(target.Flag("timestamps"));
  if (target.Has("tailLines")) log.set_tail_lines(target.Number("tailLines"));
  if (target.Has("sinceSeconds")) log.set_since_seconds(target.Number("sinceSeconds"));
  if (target.Has("sinceTime")) log.set_since_seconds(SecondsSince(target.Get("sinceTime"), wall));
  return log;
}

}  // namespace

void Logs::Start(const std::string& client, const bus::HttpRequest& request,
                 const HttpTarget& target, const ResourcePath& path, const Cache& cache, Env& env) {
  const auto fail = [&](const ApiStatus& status) {
    env.outbox.Send(client, EncodeStatus(request.request(), status));
  };
  if (const auto error = CheckOptions(target, path.name)) return fail(*error);
  const Object object = cache.Find(*path.kind, path.ns, path.name);
  if (!object) return fail(NotFoundStatus(*path.kind, path.name));
  const Pod& pod = object.As<Pod>();
  OrStatus<std::string> container = ContainerOf(pod, target.Get("container"));
  if (!container.ok()) return fail(container.status());
  if (pod.spec().node_name().empty()) {
    return fail(api_error::BadRequest(StrCat("pod ", path.name, " does not have a host assigned")));
  }
  if (streams_.size() >= kStreamsMax)
    return fail(api_error::TooManyRequests("too many logs are being read", 1));
  bus::LogRequest log = ToRequest(target, path, env.wall);
  const uint64_t id = next_++;
  log.set_request(id);
  log.set_container(*container);
  const std::string& node = pod.spec().node_name();
  const int64_t limit = target.Has("limitBytes") ? target.Number("limitBytes") : kUnlimited;
  streams_[id] = Stream{client, request.request(), node, limit, false, env.now + kTimeout};
  env.outbox.Send(node + "/kubelet", std::move(log));
}

void Logs::Fail(const Stream& stream, const ApiStatus& status, Env& env) {
  if (!stream.open) {
    env.outbox.Send(stream.client, EncodeStatus(stream.request, status));
    return;
  }
  bus::HttpResponse end;
  end.set_request(stream.request);
  end.set_last(true);
  env.outbox.Send(stream.client, std::move(end));
}

void Logs::Receive(const std::string& kubelet, const bus::LogResponse& response, Env& env) {
  const auto it = streams_.find(response.request());
  if (it == streams_.end() || ProcessOf(kubelet) != it->second.node) return;
  Stream& stream = it->second;
  if (response.code() >= 400) {
    Fail(stream, api_error::BadRequest(response.error()), env);
    streams_.erase(it);
    return;
  }
  bus::HttpResponse part;
  if (!std::exchange(stream.open, true))
    part = PlainResponse(stream.request, 200, "text/plain", "");
  stream.deadline = kNever;
  part.set_request(stream.request);
  std::string data = response.data();
  if (static_cast<int64_t>(data.size()) > stream.bytes_left)
    data.resize(static_cast<size_t>(stream.bytes_left));
  stream.bytes_left -= static_cast<int64_t>(data.size());
  const bool cut = stream.bytes_left == 0;
  part.set_body(std::move(data));
  part.set_last(response.last() || cut);
  env.outbox.Send(stream.client, std::move(part));
  if (cut && !response.last()) Stop(it->first, stream, env);
  if (response.last() || cut) streams_.erase(it);
}

// The kubelet need not go on.
void Logs::Stop(uint64_t id, const Stream& stream, Env& env) {
  bus::LogRequest cancel;
  cancel.set_request(id);
  cancel.set_cancel(true);
  env.outbox.Send(stream.node + "/kubelet", std::move(cancel));
}

void Logs::Cancel(const std::string& client, uint64_t request, Env& env) {
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    if (it->second.client != client || it->second.request != request) continue;
    Stop(it->first, it->second, env);
    streams_.erase(it);
    return;
  }
}

void Logs::NodeLost(const std::string& node, Env& env) {
  for (auto it = streams_.begin(); it != streams_.end();) {
    if (it->second.node != node) {
      ++it;
      continue;
    }
    Fail(it->second, api_error::InternalError(StrCat("the node ", node, " went away")), env);
    it = streams_.erase(it);
  }
}

void Logs::Tick(Env& env) {
  for (auto it = streams_.begin(); it != streams_.end();) {
    if (it->second.deadline > env.now) {
      ++it;
      continue;
    }
    Fail(it->second,
         api_error::InternalError(StrCat("the kubelet of ", it->second.node, " did not answer")),
         env);
    it = streams_.erase(it);
  }
}

Time Logs::NextWake() const {
  Time wake = kNever;
  for (const auto& [id, stream] : streams_) wake = std::min(wake, stream.deadline);
  return wake;
}

}  // namespace kubemu
