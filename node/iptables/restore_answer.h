#ifndef KUBEMU_NODE_IPTABLES_RESTORE_ANSWER_H_
#define KUBEMU_NODE_IPTABLES_RESTORE_ANSWER_H_

#include <cstdint>
#include <string>
#include <utility>

#include "messages/component.h"
#include "messages/core/strings.h"
#include "messages/proto/node.pb.h"

namespace kubemu {

// What both data planes (node/iptables, node/kernel) answer kube-proxy's IptablesRestore with.
// `error`: why nothing of it was applied; empty: it is in force, or was before.
inline void AnswerRestore(const std::string& kube_proxy, uint64_t revision, std::string error,
                          Env& env) {
  bus::IptablesRestored restored;
  restored.set_revision(revision);
  restored.set_error(std::move(error));
  env.outbox.Send(kube_proxy, std::move(restored));
}

// Why `restore` cannot be applied on top of the revision in force: a partial one needs the revision
// before it. Empty if it can.
inline std::string MisplacedRestore(const bus::IptablesRestore& restore, uint64_t in_force) {
  if (restore.full() || restore.revision() == in_force + 1) return "";
  return StrCat("revision ", restore.revision(), " changes revision ", restore.revision() - 1,
                ", but revision ", in_force, " is in force; send a full one");
}

}  // namespace kubemu

#endif  // KUBEMU_NODE_IPTABLES_RESTORE_ANSWER_H_
