#ifndef KUBEMU_MESSAGES_DNS_DNS_NAME_H_
#define KUBEMU_MESSAGES_DNS_DNS_NAME_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kubemu::dns {

// Domain names are kept as text (RFC 1035 section 5.1), absolute and without the final dot; the
// root is "". A dot or backslash in a label is written with a backslash before it, what is no
// visible ASCII character as \DDD.
constexpr size_t kLabelMax = 63;       // bytes
constexpr size_t kNameBytesMax = 255;  // on the wire, with all length bytes

// The labels' bytes; none if the text is no name that fits on the wire (an empty or too long label,
// a half escape). A final dot is read past.
std::optional<std::vector<std::string>> SplitName(std::string_view name);

// Reads the name at *offset and moves *offset behind it. Compression pointers are followed if they
// point further back than where they stand, as all do that a writer makes. False: no name is there.
bool ReadName(std::string_view packet, size_t* offset, std::string* name);

// Where the names of a packet stand, for pointers to them. By text, with its case.
using NameOffsets = std::map<std::string, uint16_t, std::less<>>;

// Appends the name; with `known`, as a pointer as far as its end stands in the packet already.
// False, with nothing appended, if it is no name.
bool AppendName(std::string_view name, NameOffsets* known, std::string* packet);

// True if `name` is `zone` or below it; the case of letters does not matter.
bool IsInZone(std::string_view name, std::string_view zone);

}  // namespace kubemu::dns

#endif  // KUBEMU_MESSAGES_DNS_DNS_NAME_H_
