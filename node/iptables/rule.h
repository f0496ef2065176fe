#ifndef KUBEMU_NODE_IPTABLES_RULE_H_
#define KUBEMU_NODE_IPTABLES_RULE_H_

// Tables, chains, rules, matches and targets of iptables as plain values. What is here is what
// kube-proxy's rules need and what people put beside them; anything else is refused by the reader
// (save_format.h), never ignored.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "messages/core/ip.h"

namespace kubemu::iptables {

enum class Table : uint8_t { kFilter, kNat };
inline constexpr std::array<Table, 2> kAllTables = {Table::kFilter, Table::kNat};
std::string_view TableName(Table table);
// Where packets meet the rules.
enum class Hook : uint8_t { kPrerouting, kInput, kForward, kOutput, kPostrouting };
inline constexpr size_t kHookCount = 5;
// The name of the hook's built-in chains.
std::string_view HookName(Hook hook);
// The built-in chains of a table, in the order iptables-save writes them.
const std::vector<std::string_view>& BuiltinChains(Table table);
bool IsBuiltinChain(Table table, std::string_view name);

// IP protocol numbers. kAny in a rule: no -p.
enum class Protocol : uint8_t { kAny = 0, kIcmp = 1, kTcp = 6, kUdp = 17, kSctp = 132 };
// "tcp", "udp", "sctp", "icmp", "all".
std::string_view ProtocolName(Protocol protocol);
std::optional<Protocol> ProtocolFromName(std::string_view name);

// Bits of --ctstate. A connection's first packet is kNew; kDnat and kSnat are added once its
// addresses have been translated.
enum CtState : uint8_t {
  kCtNew = 1,
  kCtEstablished = 2,
  kCtRelated = 4,
  kCtInvalid = 8,
  kCtDnat = 16,
  kCtSnat = 32,
  kCtUntracked = 64,
};

struct AddressMatch {
  Ipv4Network network{};
  bool negated = false;
  bool operator==(const AddressMatch&) const = default;
};

struct InterfaceMatch {
  std::string name{};  // a final '+' stands for any rest
  bool negated = false;
  bool operator==(const InterfaceMatch&) const = default;
};

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
  bool negated = false;
  bool operator==(const PortRange&) const = default;
};

// -m tcp|udp|sctp [--sport a[:b]] [--dport a[:b]]
struct PortsMatch {
  Protocol protocol = Protocol::kTcp;
  std::optional<PortRange> source{};
  std::optional<PortRange> destination{};
  bool operator==(const PortsMatch&) const = default;
};

// -m comment --comment "...": always true. At most kCommentMax - 1 bytes.
struct CommentMatch {
  std::string text{};
  bool operator==(const CommentMatch&) const = default;
};
inline constexpr size_t kCommentMax = 256;

// -m mark [!] --mark value/mask
struct MarkMatch {
  uint32_t value = 0;
  uint32_t mask = 0xffffffff;
  bool negated = false;
  bool operator==(const MarkMatch&) const = default;
};

// -m conntrack [!] --ctstate A,B
struct CtStateMatch {
  uint8_t states = 0;  // CtState bits, at least one
  bool negated = false;
  bool operator==(const CtStateMatch&) const = default;
};

// -m addrtype [!] --src-type LOCAL [!] --dst-type LOCAL
struct AddrTypeMatch {
  enum class Want : uint8_t { kAnything, kLocal, kNotLocal };
  Want source = Want::kAnything;
  Want destination = Want::kAnything;
  bool operator==(const AddrTypeMatch&) const = default;
};

// -m statistic --mode random [!] --probability p. True for `threshold` of 2^31 draws; this is what
// the kernel stores, so what is read back is exactly what was loaded.
struct StatisticMatch {
  uint32_t threshold = 0;
  bool negated = false;
  bool operator==(const StatisticMatch&) const = default;
};
inline constexpr uint32_t kStatisticOne = uint32_t{1} << 31;

// -m recent --name N --set | --rcheck [--seconds S [--reap]]: lists of source addresses.
struct RecentMatch {
  enum class Action : uint8_t { kSet, kRcheck };
  Action action = Action::kSet;
  std::string name{};
  uint32_t seconds = 0;  // 0: of any age. kRcheck only
  bool reap = false;     // rcheck with seconds: also forgets what is older
  bool negated = false;
  bool operator==(const RecentMatch&) const = default;
};

using Match = std::variant<PortsMatch, CommentMatch, MarkMatch, CtStateMatch, AddrTypeMatch,
                           StatisticMatch, RecentMatch>;

struct Accept {
  bool operator==(const Accept&) const = default;
};
struct Drop {
  bool operator==(const Drop&) const = default;
};
struct Return {
  bool operator==(const Return&) const = default;
};
// filter only.
struct Reject {
  enum class With : uint8_t { kPortUnreachable, kHostUnreachable, kAdminProhibited, kTcpReset };
  With with = With::kPortUnreachable;
  bool operator==(const Reject&) const = default;
};
struct Jump {
  std::string chain{};
  bool operator==(const Jump&) const = default;
};
// --set-xmark value/mask: mark = (mark & ~mask) ^ value. The or, and, xor and set forms are
// spellings of this one.
struct SetMark {
  uint32_t value = 0;
  uint32_t mask = 0xffffffff;
  bool operator==(const SetMark&) const = default;
};
// nat, POSTROUTING and chains called from it.
struct Masquerade {
  bool random_fully = false;
  bool operator==(const Masquerade&) const = default;
};
// nat, PREROUTING and OUTPUT and chains called from them. Port 0: the port stays.
struct Dnat {
  SocketAddress to{};
  bool operator==(const Dnat&) const = default;
};

// std::monostate: a rule without -j only counts.
using Target =
    std::variant<std::monostate, Accept, Drop, Return, Reject, Jump, SetMark, Masquerade, Dnat>;

struct Rule {
  Protocol protocol = Protocol::kAny;
  bool protocol_negated = false;
  std::optional<AddressMatch> source{};
  std::optional<AddressMatch> destination{};
  std::optional<InterfaceMatch> in_interface{};
  std::optional<InterfaceMatch> out_interface{};
  // In the order written. Order matters: the first that fails ends the rule, so a draw or a --set
  // behind it does not happen.
  std::vector<Match> matches{};
  Target target{};
  bool operator==(const Rule&) const = default;
};

// The text of the first comment match, "" if there is none.
std::string_view RuleComment(const Rule& rule);

struct Counters {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  bool operator==(const Counters&) const = default;
};

// What one chain holds, as text or as a change; no pointers.
struct ChainContent {
  std::string name{};
  // ACCEPT or DROP; built-in chains only (true = ACCEPT).
  std::optional<bool> policy_accept{};
  std::vector<Rule> rules{};
  bool operator==(const ChainContent&) const = default;
};

}  // namespace kubemu::iptables

#endif  // KUBEMU_NODE_IPTABLES_RULE_H_
