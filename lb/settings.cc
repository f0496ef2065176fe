#include "lb/settings.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/core_node.pb.h"
#include "messages/proto/k8s/core_service.pb.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

constexpr std::string_view kPrefix = "kubemu.io/lb-";
constexpr char kWeight[] = "kubemu.io/lb-weight";
constexpr size_t kShownMax = 64;  // of a wrong value

struct Unit {
  std::string_view name;
  Duration length;
};
constexpr Unit kUnits[] = {{"h", 1h}, {"m", 1min}, {"s", 1s}, {"ms", 1ms}};

std::optional<Duration> ParseTime(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  int64_t number = 0;
  if (!ParseInteger(text.substr(0, digits), &number)) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (text.substr(digits) != unit.name) continue;
    if (number > ServiceSettings::kDurationMax / unit.length) return std::nullopt;
    return number * unit.length;
  }
  return std::nullopt;
}

std::string PolicyNames() {
  std::vector<std::string> names;
  for (const PolicyKind kind : kAllPolicies) names.emplace_back(PolicyName(kind));
  return StrJoin(names, ", ");
}

// Reads the annotations of one Service, one after the other.
class AnnotationReader {
 public:
  explicit AnnotationReader(ServiceSettings* settings) : settings_(*settings) {}

  void Read(std::string_view name, std::string_view value) {
    name_ = name;
    value_ = value;
    if (name == "policy") {
      const std::optional<PolicyKind> kind = ParsePolicy(value);
      if (!kind) return Complain(PolicyNames(), PolicyName(settings_.policy));
      settings_.policy = *kind;
    } else if (name == "slow-start") {
      ReadTime(&settings_.slow_start);
    } else if (name == "idle-timeout") {
      ReadTime(&settings_.idle_timeout);
    } else if (name == "drain-time") {
      ReadTime(&settings_.drain_time);
    } else if (name == "max-connections") {
      ReadNumber(1, ServiceSettings::kConnectionsMax, &settings_.connections_max);
    } else if (name == "ejection-failures") {
      ReadNumber(0, ServiceSettings::kEjectionFailuresMax, &settings_.ejection_failures);
    } else if (name == "proxy-protocol") {
      ReadProxy();
    } else {
      settings_.complaints.push_back(StrCat(
          "annotation ", kPrefix, name.substr(0, kShownMax),
          " is not known: known are policy, slow-start, max-connections, idle-timeout, drain-time,"
          " ejection-failures and proxy-protocol"));
    }
  }

 private:
  void ReadTime(Duration* time) {
    const std::optional<Duration> read = ParseTime(value_);
    if (read) {
      *time = *read;
    } else {
      Complain("a whole number with ms, s, m or h, at most 24h", DurationText(*time));
    }
  }

  void ReadNumber(uint64_t low, uint64_t high, uint64_t* number) {
    uint64_t read = 0;
    if (ParseInteger(value_, &read) && read >= low && read <= high) {
      *number = read;
    } else {
      Complain(StrCat("a number from ", low, " to ", high), StrCat(*number));
    }
  }

  void ReadProxy() {
    if (value_ == "v1") {
      settings_.proxy = ProxyVersion::kV1;
    } else if (value_ == "v2") {
      settings_.proxy = ProxyVersion::kV2;
    } else if (value_ != "none") {
      Complain("none, v1, v2", "none");
    }
  }

  void Complain(std::string_view allowed, std::string_view used) {
    settings_.complaints.push_back(StrCat("annotation ", kPrefix, name_, ": \"",
                                          value_.substr(0, kShownMax),
                                          "\" is not allowed: ", allowed, "; ", used, " is used"));
  }

  ServiceSettings& settings_;
  std::string_view name_;
  std::string_view value_;
};

}  // namespace

std::string DurationText(Duration duration) {
  if (duration == Duration{}) return "0s";
  for (const Unit& unit : kUnits) {
    if (duration % unit.length == Duration{}) return StrCat(duration / unit.length, unit.name);
  }
  return StrCat(duration.count(), "ns");
}

ServiceSettings ServiceSettings::From(const k8s::core::v1::Service& service) {
  ServiceSettings settings;
  if (service.spec().session_affinity() == "ClientIP") settings.policy = PolicyKind::kSourceHash;
  AnnotationReader reader(&settings);
  for (const auto& entry : service.metadata().annotations()) {
    const std::string_view key = entry.key();
    if (key.starts_with(kPrefix)) reader.Read(key.substr(kPrefix.size()), entry.value());
  }
  for (const std::string& range : service.spec().load_balancer_source_ranges()) {
    // Others are refused by the API server.
    const absl::StatusOr<Ipv4Network> network = Ipv4Network::Parse(StripSpaces(range));
    if (network.ok()) settings.source_ranges.push_back(*network);
  }
  settings.local = service.spec().external_traffic_policy() == "Local";
  if (settings.local && service.spec().health_check_node_port() > 0) {
    settings.health_port = static_cast<uint16_t>(service.spec().health_check_node_port());
  }
  for (const auto& port : service.spec().ports()) {
    if (!port.protocol().empty() && port.protocol() != "TCP") continue;
    settings.ports[static_cast<uint16_t>(port.port())] = static_cast<uint16_t>(port.node_port());
  }
  return settings;
}

bool ServiceSettings::Admits(Ipv4 client) const {
  return source_ranges.empty() ||
         std::any_of(source_ranges.begin(), source_ranges.end(),
                     [client](const Ipv4Network& range) { return range.Contains(client); });
}

uint32_t NodeWeight(const k8s::core::v1::Node& node, std::string* complaint) {
  const std::string* text = FindEntry(node.metadata().annotations(), kWeight);
  if (text == nullptr) text = FindEntry(node.metadata().labels(), kWeight);
  if (text == nullptr) return 1;
  uint32_t weight = 0;
  if (ParseInteger(*text, &weight) && weight <= kNodeWeightMax) return weight;
  *complaint = StrCat(kWeight, ": \"", text->substr(0, kShownMax),
                      "\" is not allowed: a number from 0 to ", kNodeWeightMax, "; 1 is used");
  return 1;
}

}  // namespace kubemu
