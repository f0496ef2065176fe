#include "messages/api/calls.h"

#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

uint64_t Calls::Start(bus::ApiRequest request, Object object, std::string tag, Env& env) {
  KUBEMU_CHECK(in_flight_.size() < kInFlightMax);
  const uint64_t call = next_++;
  request.set_request(call);
  in_flight_[call] = InFlight{std::move(tag), env.now + kTimeout, env.outbox.cause()};
  std::vector<Object> objects;
  if (object) objects.push_back(std::move(object));
  env.outbox.Send(std::string(kApiServerAddress), std::move(request), std::move(objects));
  return call;
}

std::optional<CallResult> Calls::Receive(const Message& message) {
  if (message.kind != bus::API_RESPONSE) return std::nullopt;
  const auto& response = message.As<bus::ApiResponse>();
  const auto it = in_flight_.find(response.request());
  if (it == in_flight_.end()) return std::nullopt;
  CallResult result;
  result.call = it->first;
  result.tag = std::move(it->second.tag);
  result.code = response.code();
  result.reason = response.reason();
  result.message = response.message();
  result.objects = message.objects;
  result.trace = it->second.trace;
  in_flight_.erase(it);
  return result;
}

CallResult Calls::Unknown(uint64_t call, InFlight& in_flight) {
  CallResult result;
  result.call = call;
  result.tag = std::move(in_flight.tag);
  result.code = 504;
  result.reason = "Timeout";
  result.message = "the API server did not answer; the outcome is unknown";
  result.trace = in_flight.trace;
  return result;
}

std::vector<CallResult> Calls::Expired(Time now) {
  std::vector<CallResult> results;
  while (!in_flight_.empty() && in_flight_.begin()->second.deadline <= now) {
    results.push_back(Unknown(in_flight_.begin()->first, in_flight_.begin()->second));
    in_flight_.erase(in_flight_.begin());
  }
  return results;
}

std::vector<CallResult> Calls::Abandon() {
  std::vector<CallResult> results;
  for (auto& [call, in_flight] : in_flight_) results.push_back(Unknown(call, in_flight));
  in_flight_.clear();
  return results;
}

Time Calls::NextWake() const {
  return in_flight_.empty() ? kNever : in_flight_.begin()->second.deadline;
}

bus::ApiRequest CreateRequest(const Kind& kind, const std::string& ns) {
  bus::ApiRequest request;
  request.set_verb(bus::CREATE);
  request.set_kind(kind.id);
  request.set_namespace_(ns);
  return request;
}

bus::ApiRequest UpdateRequest(const Object& object, const std::string& subresource) {
  bus::ApiRequest request;
  request.set_verb(bus::UPDATE);
  request.set_kind(object.kind().id);
  request.set_namespace_(object.meta().namespace_());
  request.set_name(object.meta().name());
  request.set_subresource(subresource);
  return request;
}

bus::ApiRequest DeleteRequest(const Kind& kind, const std::string& ns, const std::string& name) {
  bus::ApiRequest request;
  request.set_verb(bus::DELETE);
  request.set_kind(kind.id);
  request.set_namespace_(ns);
  request.set_name(name);
  return request;
}

}  // namespace kubemu
