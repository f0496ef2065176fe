#ifndef KUBEMU_MESSAGES_API_LABELS_H_
#define KUBEMU_MESSAGES_API_LABELS_H_

#include <google/protobuf/repeated_field.h>

#include <string>
#include <string_view>

#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {

// A Go map[string]string: labels, annotations, selectors, nodeSelector, ConfigMap.data. kubemu
// keeps its entries sorted by key, each key once.
using StringEntries = google::protobuf::RepeatedPtrField<k8s::meta::v1::StringEntry>;

// The value of `key`; null if there is none. Owned by `entries`. Reads unsorted entries too.
const std::string* FindEntry(const StringEntries& entries, std::string_view key);

// Adds or replaces; `entries` must be sorted.
void SetEntry(StringEntries* entries, std::string_view key, std::string_view value);

// True if `key` was there.
bool EraseEntry(StringEntries* entries, std::string_view key);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_LABELS_H_
