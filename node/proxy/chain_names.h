#ifndef KUBEMU_NODE_PROXY_CHAIN_NAMES_H_
#define KUBEMU_NODE_PROXY_CHAIN_NAMES_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace kubemu::proxy {

// SHA-256, FIPS 180-4. Here and not from OpenSSL: loading libcrypto would cost every node process
// several hundred kilobytes, and nothing secret hangs on it.
std::array<uint8_t, 32> Sha256(std::string_view data);

// Names of the chains of one Service port: a prefix and the first 16 characters of the base32 form
// (RFC 4648) of the SHA-256 of `service_port` ("ns/svc:port") and the lower-case protocol; for
// endpoints "ip:port" follows (pkg/proxy/iptables/proxier.go, portProtoHash).
std::string ClusterPolicyChain(std::string_view service_port, std::string_view protocol);
std::string LocalPolicyChain(std::string_view service_port, std::string_view protocol);
std::string ExternalChain(std::string_view service_port, std::string_view protocol);
std::string FirewallChain(std::string_view service_port, std::string_view protocol);
std::string EndpointChain(std::string_view service_port, std::string_view protocol,
                          std::string_view endpoint);

// True for the names that these functions make: such a chain belongs to kube-proxy.
bool IsServiceChain(std::string_view chain);

}  // namespace kubemu::proxy

#endif  // KUBEMU_NODE_PROXY_CHAIN_NAMES_H_
