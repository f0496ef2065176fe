#ifndef KUBEMU_NODE_KERNEL_KERNEL_RULES_H_
#define KUBEMU_NODE_KERNEL_KERNEL_RULES_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "messages/component.h"
#include "messages/proto/node.pb.h"
#include "node/kernel/command_lane.h"

namespace kubemu {

// kube-proxy's rules in the kernel: what Iptables does with IptablesRestore, done by the real
// iptables-restore. One change after the other; each is answered with IptablesRestored once the
// kernel has it, or with what iptables-restore said. kube-proxy then sends everything again, which
// is the retry.
class KernelRules {
 public:
  static constexpr size_t kRestoresMax = 64;  // waiting; one more is answered with an error

  KernelRules(std::string door, uint64_t lane) : lane_(std::move(door), lane) {}

  void OnRestore(const Message& message, Env& env);
  void Receive(const bus::CommandDone& done, Env& env);
  void Tick(Env& env);
  Time NextWake() const { return lane_.NextWake(); }

  // Of the rules that the kernel has.
  uint64_t revision() const { return revision_; }

 private:
  enum Step : uint64_t { kSave = 1, kRestore = 2 };
  struct Restore {
    std::string from;
    bus::IptablesRestore body;
    Trace trace;
  };

  void Next(Env& env);
  void OnResult(const CommandLane::Result& result, Env& env);
  void Apply(std::string text, Env& env);
  void Answer(const Restore& restore, std::string error, Env& env);
  // The first one is done.
  void Finish(std::string error, Env& env);

  CommandLane lane_;
  uint64_t revision_ = 0;
  // The last whole rule set, if the kernel has exactly that.
  std::optional<std::string> whole_;
  std::deque<Restore> restores_;  // the first one is under way
};

}  // namespace kubemu

#endif  // KUBEMU_NODE_KERNEL_KERNEL_RULES_H_
