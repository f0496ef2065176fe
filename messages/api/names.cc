#include "messages/api/names.h"

#include <algorithm>
#include <initializer_list>

#include "messages/core/ip.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

constexpr std::string_view kLabelText =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character";
constexpr std::string_view kLabelPattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kSubdomainText =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character";
constexpr std::string_view kSubdomainPattern =
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
constexpr std::string_view kDns1035Text =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character";
constexpr std::string_view kDns1035Pattern = "[a-z]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kQualifiedText =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character";
constexpr std::string_view kQualifiedPattern = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
constexpr std::string_view kLabelValueText =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character";
constexpr std::string_view kLabelValuePattern = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
constexpr std::string_view kConfigKeyText =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
constexpr std::string_view kConfigKeyPattern = "[-._a-zA-Z0-9]+";
constexpr std::string_view kNonEmpty = "must be non-empty";

// Upstream's sentence around a pattern; the two blanks before "or" are upstream's.
std::string PatternText(std::string_view text, std::string_view pattern,
                        std::initializer_list<std::string_view> examples) {
  std::string result = StrCat(text, " (e.g. ");
  bool first = true;
  for (const std::string_view example : examples) {
    StrAppend(&result, first ? "" : " or ", "'", example, "', ");
    first = false;
  }
  StrAppend(&result, "regex used for validation is '", pattern, "')");
  return result;
}

bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsLowerAlnum(char c) {
  return IsLower(c) || IsDigit(c);
}
bool IsAlnum(char c) {
  return IsLowerAlnum(c) || (c >= 'A' && c <= 'Z');
}
bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Not empty, first and last satisfy `edge`, the others `edge` or one of `also`.
bool Shaped(std::string_view value, bool (*edge)(char), std::string_view also) {
  if (value.empty() || !edge(value.front()) || !edge(value.back())) return false;
  return std::all_of(value.begin(), value.end(),
                     [&](char c) { return edge(c) || also.find(c) != std::string_view::npos; });
}

std::string QualifiedPatternText() {
  return PatternText(kQualifiedText, kQualifiedPattern, {"MyName", "my.name", "123-abc"});
}

bool IsLabelShaped(std::string_view value) {
  return Shaped(value, IsLowerAlnum, "-");
}

void AppendWithPrefix(Complaints* to, std::string_view prefix, const Complaints& from) {
  for (const std::string& complaint : from) to->push_back(StrCat(prefix, complaint));
}

}  // namespace

std::string TooLongText(size_t limit) {
  return StrCat("must be no more than ", limit, " characters");
}

std::string RangeText(int64_t low, int64_t high) {
  return StrCat("must be between ", low, " and ", high, ", inclusive");
}

Complaints CheckDns1123Label(std::string_view value) {
  Complaints complaints;
  if (value.size() > kDns1123LabelMax) complaints.push_back(TooLongText(kDns1123LabelMax));
  if (!IsLabelShaped(value)) {
    complaints.push_back(PatternText(kLabelText, kLabelPattern, {"my-name", "123-abc"}));
  }
  return complaints;
}

Complaints CheckDns1123Subdomain(std::string_view value) {
  Complaints complaints;
  if (value.size() > kDns1123SubdomainMax) complaints.push_back(TooLongText(kDns1123SubdomainMax));
  const std::vector<std::string_view> labels = StrSplit(value, '.');
  if (!std::all_of(labels.begin(), labels.end(), IsLabelShaped)) {
    complaints.push_back(PatternText(kSubdomainText, kSubdomainPattern, {"example.com"}));
  }
  return complaints;
}

Complaints CheckDns1035Label(std::string_view value) {
  Complaints complaints;
  if (value.size() > kDns1123LabelMax) complaints.push_back(TooLongText(kDns1123LabelMax));
  if (!IsLabelShaped(value) || !IsLower(value.front())) {
    complaints.push_back(PatternText(kDns1035Text, kDns1035Pattern, {"my-name", "abc-123"}));
  }
  return complaints;
}

Complaints CheckQualifiedName(std::string_view value) {
  Complaints complaints;
  const std::vector<std::string_view> parts = StrSplit(value, '/');
  if (parts.size() > 2) {
    complaints.push_back(
        StrCat("a qualified name ", QualifiedPatternText(),
               " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"));
    return complaints;
  }
  if (parts.size() == 2) {
    const std::string_view prefix = parts.front();
    AppendWithPrefix(
        &complaints, "prefix part ",
        prefix.empty() ? Complaints{std::string(kNonEmpty)} : CheckDns1123Subdomain(prefix));
  }
  const std::string_view name = parts.back();
  if (name.empty()) {
    complaints.push_back(StrCat("name part ", kNonEmpty));
  } else if (name.size() > kDns1123LabelMax) {
    complaints.push_back(StrCat("name part ", TooLongText(kDns1123LabelMax)));
  }
  if (!Shaped(name, IsAlnum, "-_.")) {
    complaints.push_back(StrCat("name part ", QualifiedPatternText()));
  }
  return complaints;
}

Complaints CheckLabelValue(std::string_view value) {
  Complaints complaints;
  if (value.size() > kLabelValueMax) complaints.push_back(TooLongText(kLabelValueMax));
  if (!value.empty() && !Shaped(value, IsAlnum, "-_.")) {
    complaints.push_back(
        PatternText(kLabelValueText, kLabelValuePattern, {"MyValue", "my_value", "12345"}));
  }
  return complaints;
}

Complaints CheckPortName(std::string_view value) {
  Complaints complaints;
  if (value.size() > kPortNameMax) complaints.push_back(TooLongText(kPortNameMax));
  const bool charset = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return IsLowerAlnum(c) || c == '-';
  });
  if (!charset) {
    complaints.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!std::any_of(value.begin(), value.end(), IsLower)) {
    complaints.push_back("must contain at least one letter (a-z)");
  }
  if (value.find("--") != value.npos) {
    complaints.push_back("must not contain consecutive hyphens");
  }
  if (!value.empty() && (value.front() == '-' || value.back() == '-')) {
    complaints.push_back("must not begin or end with a hyphen");
  }
  return complaints;
}

Complaints CheckPortNumber(int64_t value) {
  if (value >= 1 && value <= 65535) return {};
  return {RangeText(1, 65535)};
}

Complaints CheckConfigKey(std::string_view value) {
  Complaints complaints;
  if (value.size() > kConfigKeyMax) complaints.push_back(TooLongText(kConfigKeyMax));
  const bool charset = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return IsAlnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (!charset) {
    complaints.push_back(
        PatternText(kConfigKeyText, kConfigKeyPattern, {"key.name", "KEY_NAME", "key-name"}));
  }
  if (value == ".") {
    complaints.push_back("must not be '.'");
  } else if (value == "..") {
    complaints.push_back("must not be '..'");
  } else if (value.starts_with("..")) {
    complaints.push_back("must not start with '..'");
  }
  return complaints;
}

Complaints CheckEnvVarName(std::string_view value) {
  if (value.empty()) return {std::string(kNonEmpty)};
  const bool charset = std::all_of(value.begin(), value.end(),
                                   [](char c) { return c >= ' ' && c <= '~' && c != '='; });
  if (charset) return {};
  return {
      "a valid environment variable name must consist only of printable ASCII characters other "
      "than '='"};
}

bool IsIpv4(std::string_view value) {
  return Ipv4::Parse(value).ok();
}

bool IsIpv6(std::string_view value) {
  const size_t gap = value.find("::");
  const bool has_gap = gap != std::string_view::npos;
  if (has_gap && value.find("::", gap + 1) != value.npos) return false;
  // Both sides of "::" are lists of groups; together fewer than eight, without "::" exactly eight.
  size_t groups = 0;
  const auto count_groups = [&groups](std::string_view side, bool last) {
    if (side.empty()) return true;
    const std::vector<std::string_view> parts = StrSplit(side, ':');
    for (size_t i = 0; i < parts.size(); ++i) {
      if (last && i + 1 == parts.size() && parts[i].find('.') != parts[i].npos) {
        groups += 2;
        return IsIpv4(parts[i]);
      }
      const bool hex = !parts[i].empty() && parts[i].size() <= 4 &&
                       std::all_of(parts[i].begin(), parts[i].end(), IsHex);
      if (!hex) return false;
      ++groups;
    }
    return true;
  };
  if (!has_gap) return count_groups(value, true) && groups == 8;
  return count_groups(value.substr(0, gap), false) && count_groups(value.substr(gap + 2), true) &&
         groups < 8;
}

Complaints CheckIp(std::string_view value) {
  if (IsIpv4(value) || IsIpv6(value)) return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

}  // namespace kubemu
