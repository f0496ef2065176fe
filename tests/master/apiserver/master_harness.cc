#include "tests/master/apiserver/master_harness.h"

#include <algorithm>

#include "boost/json/serialize.hpp"
#include "messages/core/strings.h"

namespace kubemu {

boost::json::value MasterHarness::Answer::At(std::string_view pointer) const {
  const absl::StatusOr<boost::json::value> json = ParseJson(body);
  if (!json.ok()) return nullptr;
  const boost::json::value* at = &*json;
  for (const std::string_view step : StrSplit(pointer, '/')) {
    if (step.empty()) continue;
    size_t index = 0;
    if (at->is_object()) {
      at = at->get_object().if_contains(boost::json::string_view(step.data(), step.size()));
    } else if (at->is_array() && ParseInteger(step, &index)) {
      at = at->get_array().if_contains(index);
    } else {
      at = nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return *at;
}

std::string MasterHarness::Answer::Text(std::string_view pointer) const {
  const boost::json::value value = At(pointer);
  if (value.is_string()) return std::string(value.get_string().data(), value.get_string().size());
  const auto text = boost::json::serialize(value);
  return std::string(text.data(), text.size());
}

MasterHarness::Answer MasterHarness::Http(const std::string& method, const std::string& target,
                                          std::string body, const std::string& content_type,
                                          const std::string& accept) {
  bus::HttpRequest request;
  request.set_request(next_request_++);
  request.set_method(method);
  request.set_target(target);
  const auto add = [&](const char* name, const std::string& value) {
    auto* header = request.add_headers();
    header->set_name(name);
    header->set_value(value);
  };
  add("accept", accept);
  if (!body.empty()) add("content-type", content_type);
  request.set_body(std::move(body));
  const uint64_t id = request.request();
  process_.Inject("client/kubectl", "master/apiserver", std::move(request), now_, wall_);
  Run();
  return More(id);
}

MasterHarness::Answer MasterHarness::More(uint64_t request) {
  Answer answer;
  std::vector<Message> rest;
  for (Message& message : sent_) {
    if (message.kind != bus::HTTP_RESPONSE ||
        message.As<bus::HttpResponse>().request() != request) {
      rest.push_back(std::move(message));
      continue;
    }
    const auto& part = message.As<bus::HttpResponse>();
    if (part.status() != 0) answer.status = part.status();
    for (const auto& header : part.headers()) {
      if (header.name() == "content-type") answer.content_type = header.value();
      if (header.name() == "warning") answer.warnings.push_back(header.value());
    }
    answer.body += part.body();
    answer.last |= part.last();
  }
  sent_ = std::move(rest);
  return answer;
}

std::vector<Message> MasterHarness::TakeFor(const std::string& address) {
  std::vector<Message> taken;
  std::vector<Message> rest;
  for (Message& message : sent_)
    (message.to == address ? taken : rest).push_back(std::move(message));
  sent_ = std::move(rest);
  return taken;
}

MasterHarness::BusAnswer MasterHarness::Call(const std::string& from, bus::ApiRequest request,
                                             Object object) {
  request.set_request(next_request_++);
  std::vector<Object> objects;
  if (object) objects.push_back(std::move(object));
  Deliver(from, std::move(request), std::move(objects));
  BusAnswer answer;
  for (const Message& message : TakeFor(from)) {
    if (message.kind != bus::API_RESPONSE) {
      sent_.push_back(message);
      continue;
    }
    answer.response = message.As<bus::ApiResponse>();
    answer.objects = message.objects;
  }
  return answer;
}

void MasterHarness::MakeAccount(const std::string& ns) {
  const Answer answer =
      Post(StrCat("/api/v1/namespaces/", ns, "/serviceaccounts"),
           R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}})");
  EXPECT_EQ(answer.status, 201u) << answer.body;
}

void MasterHarness::MakePod(const std::string& name, const std::string& node,
                            const std::string& labels) {
  const Answer answer = Post("/api/v1/namespaces/default/pods",
                             StrCat(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")", name,
                                    R"(","labels":{)", labels, R"(}},"spec":{"nodeName":")", node,
                                    R"(","containers":[{"name":"c","image":"nginx"}]}})"));
  EXPECT_EQ(answer.status, 201u) << answer.body;
}

}  // namespace kubemu
