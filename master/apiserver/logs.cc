#include "master/apiserver/logs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "master/apiserver/filter.h"
#include "master/apiserver/http/encode.h"
#include "master/apiserver/write_plan.h"
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

bus::LogRequest ToRequest(const HttpTarget& target, const ResourcePath& path) {
  bus::LogRequest log;
  log.set_namespace_(path.ns);
  log.set_pod(path.name);
  log.set_previous(target.Flag("previous"));
  log.set_follow(target.Flag("follow"));
  log.set_timestamps(target.Flag("timestamps"));
  if (target.Has("tailLines")) log.set_tail_lines(target.Number("tailLines"));
  if (target.Has("sinceSeconds")) log.set_since_seconds(target.Number("sinceSeconds"));
  return log;
}

}  // namespace

void Logs::Start(const std::string& client, const bus::HttpRequest& request,
                 const HttpTarget& target, const ResourcePath& path, const Cache& cache, Env& env) {
  const auto fail = [&](const ApiStatus& status) {
    env.outbox.Send(client, EncodeStatus(request.request(), status));
  };
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
  bus::LogRequest log = ToRequest(target, path);
  const uint64_t id = next_++;
  log.set_request(id);
  log.set_container(*container);
  const std::string& node = pod.spec().node_name();
  streams_[id] = Stream{client, request.request(), node, false, env.now + kTimeout};
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
  part.set_body(response.data());
  part.set_last(response.last());
  env.outbox.Send(stream.client, std::move(part));
  if (response.last()) streams_.erase(it);
}

void Logs::Cancel(const std::string& client, uint64_t request, Env& env) {
  for (auto it = streams_.begin(); it != streams_.end(); ++it) {
    if (it->second.client != client || it->second.request != request) continue;
    bus::LogRequest cancel;
    cancel.set_request(it->first);
    cancel.set_cancel(true);
    env.outbox.Send(it->second.node + "/kubelet", std::move(cancel));
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
