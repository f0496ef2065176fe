#ifndef KUBEMU_MESSAGES_API_NAMES_H_
#define KUBEMU_MESSAGES_API_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kubemu {

// Each function answers what is wrong with a value, in upstream's words; empty: it is valid.
// Rules and texts: apimachinery/pkg/util/validation/validation.go.
using Complaints = std::vector<std::string>;

inline constexpr size_t kDns1123LabelMax = 63;
inline constexpr size_t kDns1123SubdomainMax = 253;
inline constexpr size_t kLabelValueMax = 63;
inline constexpr size_t kPortNameMax = 15;
inline constexpr size_t kConfigKeyMax = 253;

// "my-name": names of namespaces, containers, ports of services.
Complaints CheckDns1123Label(std::string_view value);
// "example.com": names of most objects.
Complaints CheckDns1123Subdomain(std::string_view value);
// "abc-123": names of services.
Complaints CheckDns1035Label(std::string_view value);
// "example.com/my.name": keys of labels and annotations, names of resources, finalizers.
Complaints CheckQualifiedName(std::string_view value);
Complaints CheckLabelValue(std::string_view value);
// An IANA service name: "http", "p-80".
Complaints CheckPortName(std::string_view value);
Complaints CheckPortNumber(int64_t value);
// A file-like key of a ConfigMap or Secret.
Complaints CheckConfigKey(std::string_view value);
// Printable ASCII without '='.
Complaints CheckEnvVarName(std::string_view value);
// An IPv4 or IPv6 address.
Complaints CheckIp(std::string_view value);

// "must be no more than 63 characters", "must be between 1 and 65535, inclusive".
std::string TooLongText(size_t limit);
std::string RangeText(int64_t low, int64_t high);

// True for addresses in the usual text forms ("10.9.8.7", "2001:db8::ffff").
bool IsIpv4(std::string_view value);
bool IsIpv6(std::string_view value);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_NAMES_H_
