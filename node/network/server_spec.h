#ifndef KUBEMU_NODE_NETWORK_SERVER_SPEC_H_
#define KUBEMU_NODE_NETWORK_SERVER_SPEC_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/core/ip.h"
#include "messages/core/time.h"

namespace kubemu {

// Whom an emulated container calls: "http://localhost:9000/check".
struct FetchTarget {
  std::string url;
  std::string host;  // name or address
  uint16_t port = 80;
  std::string path = "/";

  // False if it is not "http://host[:port][/path]".
  static bool Parse(std::string_view url, FetchTarget* target);
};

// What one emulated container does on one port: TCP, and for DNS UDP too.
struct ServerSpec {
  enum class Protocol {
    kHttp,
    kEcho,  // sends back what it gets; stands in for servers that do not speak HTTP
    kDns,   // the cluster's DNS (ClusterDns), over UDP and TCP
  };
  uint16_t port = 0;
  Protocol protocol = Protocol::kHttp;
  bool local_only = false;  // listens on 127.0.0.1: only the containers of its pod reach it
  // A connection begins with a PROXY header, else it is reset; answers say who the client is.
  bool proxy_protocol = false;

  // Of an HTTP server:
  std::string server;  // the Server header
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;                // of every good answer
  bool root_only = false;          // other paths than "/" and "/index.html" are 404
  Duration delay{};                // before each answer
  Duration jitter{};               // up to so much more
  double fail = 0;                 // probability of a 500
  Duration ready_after{};          // 503 until so long after the start
  bool ready_with_dns = false;     // 503 until the node's cluster DNS knows the whole cluster
  std::vector<FetchTarget> calls;  // made one by one for each request; their answers
                                   // are part of this one
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_NETWORK_SERVER_SPEC_H_
