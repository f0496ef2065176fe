#include "messages/api/labels.h"

namespace kubemu {

const std::string* FindEntry(const StringEntries& entries, std::string_view key) {
  for (const auto& entry : entries) {
    if (entry.key() == key) return &entry.value();
  }
  return nullptr;
}

void SetEntry(StringEntries* entries, std::string_view key, std::string_view value) {
  int at = 0;
  while (at < entries->size() && entries->Get(at).key() < key) ++at;
  if (at == entries->size() || entries->Get(at).key() != key) {
    entries->Add()->set_key(std::string(key));
    for (int i = entries->size() - 1; i > at; --i) entries->SwapElements(i, i - 1);
  }
  entries->Mutable(at)->set_value(std::string(value));
}

bool EraseEntry(StringEntries* entries, std::string_view key) {
  for (int i = 0; i < entries->size(); ++i) {
    if (entries->Get(i).key() != key) continue;
    entries->DeleteSubrange(i, 1);
    return true;
  }
  return false;
}

}  // namespace kubemu
