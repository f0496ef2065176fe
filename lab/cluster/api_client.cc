#include "lab/cluster/api_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include "messages/core/ip.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr int kTimeoutSeconds = 5;
constexpr uint64_t kBodyBytesMax = 256 << 20;  // a list of all nodes of a large cluster

}  // namespace

absl::StatusOr<HttpAnswer> HttpGet(const std::string& address, const std::string& target) {
  const absl::StatusOr<SocketAddress> server = SocketAddress::Parse(address);
  if (!server.ok()) return server.status();
  try {
    asio::io_context context;
    asio::ip::tcp::socket socket(context);
    socket.open(asio::ip::tcp::v4());
    const timeval timeout{kTimeoutSeconds, 0};
    setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    socket.connect({asio::ip::address_v4(server->ip.bits()), server->port});
    http::request<http::empty_body> request(http::verb::get, target, 11);
    request.set(http::field::host, address);
    request.set(http::field::user_agent, "kubemu");
    request.set(http::field::accept, "application/json");
    request.set(http::field::connection, "close");
    http::write(socket, request);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kBodyBytesMax);
    http::read(socket, buffer, parser);
    return HttpAnswer{static_cast<int>(parser.get().result_int()), parser.release().body()};
  } catch (const boost::system::system_error& error) {
    return absl::UnavailableError(StrCat("http://", address, target, ": ", error.what()));
  }
}

namespace {

absl::StatusOr<boost::json::value> GetList(const std::string& address, const std::string& target) {
  const absl::StatusOr<HttpAnswer> answer = HttpGet(address, target);
  if (!answer.ok()) return answer.status();
  if (answer->status != 200) {
    return absl::UnavailableError(StrCat("the API server answers ", answer->status));
  }
  boost::system::error_code error;
  boost::json::value list = boost::json::parse(answer->body, error);
  if (error) return absl::DataLossError(StrCat("the answer to ", target, " is not JSON"));
  return list;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> LeaseRenewals(const std::string& address) {
  const absl::StatusOr<boost::json::value> list =
      GetList(address, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
  if (!list.ok()) return list.status();
  std::map<std::string, std::string> renewals;
  try {
    for (const boost::json::value& lease : list->at("items").as_array()) {
      boost::system::error_code missing;
      const auto* time = lease.find_pointer("/spec/renewTime", missing);
      renewals[lease.at("metadata").at("name").as_string().c_str()] =
          time == nullptr ? "" : time->as_string().c_str();
    }
  } catch (const std::exception& error) {
    return absl::DataLossError(StrCat("the API server's list of leases: ", error.what()));
  }
  return renewals;
}

absl::StatusOr<std::map<std::string, std::string>> NodeReadiness(const std::string& address) {
  const absl::StatusOr<boost::json::value> list = GetList(address, "/api/v1/nodes");
  if (!list.ok()) return list.status();
  std::map<std::string, std::string> ready;
  try {
    for (const boost::json::value& node : list->at("items").as_array()) {
      std::string& state = ready[node.at("metadata").at("name").as_string().c_str()];
      state = "Unknown";
      const auto* status = node.as_object().if_contains("status");
      const auto* conditions =
          status == nullptr ? nullptr : status->as_object().if_contains("conditions");
      if (conditions == nullptr) continue;
      for (const boost::json::value& condition : conditions->as_array()) {
        if (condition.at("type") == "Ready") state = condition.at("status").as_string().c_str();
      }
    }
  } catch (const std::exception& error) {
    return absl::DataLossError(StrCat("the API server's list of nodes: ", error.what()));
  }
  return ready;
}

}  // namespace kubemu
