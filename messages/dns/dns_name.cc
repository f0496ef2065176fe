#include "messages/dns/dns_name.h"

#include "messages/core/strings.h"

namespace kubemu::dns {
namespace {

constexpr size_t kPointerMax = 0x3fff;  // 14 bits of offset

void AppendEscaped(std::string_view label, std::string* name) {
  for (const char c : label) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '.' || c == '\\') {
      StrAppend(name, '\\', c);
    } else if (byte > 0x20 && byte < 0x7f) {
      name->push_back(c);
    } else {
      const char digits[] = {'\\', static_cast<char>('0' + byte / 100),
                             static_cast<char>('0' + byte / 10 % 10),
                             static_cast<char>('0' + byte % 10)};
      name->append(digits, sizeof digits);
    }
  }
}

// What the escape at `at` (behind its backslash) stands for; moves `at` behind it.
std::optional<char> Unescape(std::string_view name, size_t* at) {
  if (*at >= name.size()) return std::nullopt;
  if (!IsDigit(name[*at])) return name[(*at)++];
  int value = 0;
  if (name.size() - *at < 3 || !ParseInteger(name.substr(*at, 3), &value) || value > 255) {
    return std::nullopt;
  }
  *at += 3;
  return static_cast<char>(value);
}

}  // namespace

std::optional<std::vector<std::string>> SplitName(std::string_view name) {
  std::vector<std::string> labels;
  if (name.empty() || name == ".") return labels;
  size_t bytes = 1;
  std::string label;
  for (size_t at = 0; at <= name.size();) {
    if (at == name.size() || name[at] == '.') {
      bytes += label.size() + 1;
      if (label.empty() || label.size() > kLabelMax || bytes > kNameBytesMax) return std::nullopt;
      labels.push_back(std::move(label));
      label.clear();
      if (++at == name.size()) break;  // a final dot
      continue;
    }
    const char c = name[at++];
    const std::optional<char> plain = c == '\\' ? Unescape(name, &at) : c;
    if (!plain) return std::nullopt;
    label.push_back(*plain);
  }
  return labels;
}

bool ReadName(std::string_view packet, size_t* offset, std::string* name) {
  name->clear();
  size_t bytes = 1;
  size_t at = *offset;
  bool jumped = false;
  while (true) {
    if (at >= packet.size()) return false;
    const auto length = static_cast<unsigned char>(packet[at]);
    if ((length & 0xc0) == 0xc0) {
      if (at + 1 >= packet.size()) return false;
      const size_t target = (length & 0x3fu) << 8 | static_cast<unsigned char>(packet[at + 1]);
      if (target >= at) return false;  // further back each time: it comes to an end
      if (!jumped) *offset = at + 2;
      jumped = true;
      at = target;
      continue;
    }
    if (length > kLabelMax) return false;
    ++at;
    if (length == 0) break;
    bytes += length + 1;
    if (packet.size() - at < length || bytes > kNameBytesMax) return false;
    if (!name->empty()) name->push_back('.');
    AppendEscaped(packet.substr(at, length), name);
    at += length;
  }
  if (!jumped) *offset = at;
  return true;
}

bool AppendName(std::string_view name, NameOffsets* known, std::string* packet) {
  const auto labels = SplitName(name);
  if (!labels) return false;
  for (size_t i = 0; i < labels->size(); ++i) {
    std::string rest;
    for (size_t j = i; j < labels->size(); ++j) {
      if (j > i) rest.push_back('.');
      AppendEscaped((*labels)[j], &rest);
    }
    if (known != nullptr) {
      if (const auto it = known->find(rest); it != known->end()) {
        packet->push_back(static_cast<char>(0xc0 | it->second >> 8));
        packet->push_back(static_cast<char>(it->second & 0xff));
        return true;
      }
      if (packet->size() <= kPointerMax) {
        known->emplace(std::move(rest), static_cast<uint16_t>(packet->size()));
      }
    }
    packet->push_back(static_cast<char>((*labels)[i].size()));
    packet->append((*labels)[i]);
  }
  packet->push_back('\0');
  return true;
}

bool IsInZone(std::string_view name, std::string_view zone) {
  if (zone.empty()) return true;
  if (name.size() < zone.size()) return false;
  if (AsciiLower(name.substr(name.size() - zone.size())) != AsciiLower(zone)) return false;
  return name.size() == zone.size() || name[name.size() - zone.size() - 1] == '.';
}

}  // namespace kubemu::dns
