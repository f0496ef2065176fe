#ifndef KUBEMU_NODE_KERNEL_RESTORE_TEXT_H_
#define KUBEMU_NODE_KERNEL_RESTORE_TEXT_H_

#include <string>
#include <string_view>

namespace kubemu {

// Input for "iptables-restore --noflush" that makes the chains of kube-proxy be what the whole rule
// set `wanted` says and leaves alone all else that stands in `saved`, the output of iptables-save:
// other tables, chains not named KUBE-..., rules of built-in chains that do not jump to a chain
// named KUBE-..., policies. kube-proxy's own rules stand first in built-in chains. Works on lines,
// not on rules, so that other people's rules may use every match there is.
std::string KernelRestoreText(std::string_view wanted, std::string_view saved);

}  // namespace kubemu

#endif  // KUBEMU_NODE_KERNEL_RESTORE_TEXT_H_
