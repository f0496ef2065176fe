#ifndef KUBEMU_MESSAGES_FLOW_PROXY_HEADER_H_
#define KUBEMU_MESSAGES_FLOW_PROXY_HEADER_H_

#include <optional>
#include <string>
#include <string_view>

#include "messages/core/ip.h"

namespace kubemu {

// The PROXY protocol (HAProxy, doc/proxy-protocol.txt): before a connection's first byte, who its
// client is.
enum class ProxyVersion { kNone, kV1, kV2 };

// The header of a TCP connection over IPv4: v1 is a line of text, v2 is 28 bytes. "" for kNone.
std::string ProxyHeader(ProxyVersion version, SocketAddress source, SocketAddress destination);

// Takes a header of either version off the beginning of a connection, however it is cut.
class ProxyHeaderReader {
 public:
  static constexpr size_t kV1Max = 107;  // with its line break, section 2.1
  // Of what follows the first 16 bytes of v2: addresses and extensions, which are dropped.
  static constexpr size_t kV2BodyMax = 2048;

  enum class Result { kNeedMore, kDone, kBad };
  // Takes the next bytes of the connection. After kDone, `rest` has those behind the header.
  Result Append(std::string_view data);

  // Who the client is. None if the header does not say (UNKNOWN, LOCAL) or says it in another
  // family than IPv4.
  std::optional<SocketAddress> source() const { return source_; }
  std::string_view rest() const { return std::string_view(in_).substr(header_); }

 private:
  Result ReadV1();
  Result ReadV2();

  std::string in_;
  size_t header_ = 0;  // its length, once it is known
  std::optional<SocketAddress> source_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_FLOW_PROXY_HEADER_H_
