#include "node/engine/sandboxes.h"

#include <algorithm>

#include "messages/core/check.h"

namespace kubemu {

Sandbox* Sandboxes::Find(const std::string& uid) {
  const auto it = sandboxes_.find(uid);
  return it == sandboxes_.end() ? nullptr : &it->second;
}

Sandbox* Sandboxes::FindByName(const std::string& ns, const std::string& name) {
  Sandbox* found = nullptr;
  for (auto& [uid, sandbox] : sandboxes_) {
    if (sandbox.ns != ns || sandbox.name != name) continue;
    if (found == nullptr || sandbox.ready) found = &sandbox;
  }
  return found;
}

Container& Sandboxes::Add(Container container) {
  Sandbox* const sandbox = Find(container.sandbox);
  KUBEMU_CHECK(sandbox != nullptr);
  const uint64_t id = next_id_++;
  container.id = id;
  sandbox->containers.push_back(id);
  return containers_.emplace(id, std::move(container)).first->second;
}

Container* Sandboxes::Get(uint64_t id) {
  const auto it = containers_.find(id);
  return it == containers_.end() ? nullptr : &it->second;
}

Container* Sandboxes::Find(const Sandbox& sandbox, const std::string& name, uint32_t attempt) {
  for (const uint64_t id : sandbox.containers) {
    Container* const container = Get(id);
    if (container->name == name && container->attempt == attempt) return container;
  }
  return nullptr;
}

Container* Sandboxes::Newest(const Sandbox& sandbox, const std::string& name, size_t skip) {
  for (auto it = sandbox.containers.rbegin(); it != sandbox.containers.rend(); ++it) {
    Container* const container = Get(*it);
    if (container->name != name) continue;
    if (skip == 0) return container;
    --skip;
  }
  return nullptr;
}

void Sandboxes::Remove(uint64_t id) {
  const auto it = containers_.find(id);
  if (it == containers_.end()) return;
  SetTimes(it->second, kNever, kNever);
  if (Sandbox* const sandbox = Find(it->second.sandbox)) std::erase(sandbox->containers, id);
  containers_.erase(it);
}

void Sandboxes::RemoveSandbox(const std::string& uid) {
  Sandbox* const sandbox = Find(uid);
  if (sandbox == nullptr) return;
  const std::vector<uint64_t> containers = sandbox->containers;
  for (const uint64_t id : containers) Remove(id);
  sandboxes_.erase(uid);
}

void Sandboxes::SetTimes(Container& container, Time step_at, Time kill_at) {
  if (container.wake() != kNever) wakes_.erase({container.wake(), container.id});
  container.step_at = step_at;
  container.kill_at = kill_at;
  if (container.wake() != kNever) wakes_.emplace(container.wake(), container.id);
}

Container* Sandboxes::TakeDue(Time now) {
  if (NextWake() > now) return nullptr;
  const uint64_t id = wakes_.begin()->second;
  wakes_.erase(wakes_.begin());
  return Get(id);
}

}  // namespace kubemu
