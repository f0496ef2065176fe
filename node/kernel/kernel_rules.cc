#include "node/kernel/kernel_rules.h"

#include <utility>

#include "messages/core/strings.h"
#include "node/iptables/restore_answer.h"
#include "node/kernel/restore_text.h"

namespace kubemu {

void KernelRules::OnRestore(const Message& message, Env& env) {
  Restore restore{message.from, message.As<bus::IptablesRestore>(), message.Context()};
  if (restore.body.revision() <= revision_) return Answer(restore, "", env);
  if (!restores_.empty() && restores_.back().body.revision() >= restore.body.revision()) return;
  // A whole rule set makes those before it superfluous, but for the one that is under way.
  if (restore.body.full() && restores_.size() > 1) {
    restores_.erase(restores_.begin() + 1, restores_.end());
  }
  if (restores_.size() >= kRestoresMax) {
    return Answer(restore, StrCat("limit: ", kRestoresMax, " changes wait for the kernel"), env);
  }
  restores_.push_back(std::move(restore));
  if (restores_.size() == 1) Next(env);
}

void KernelRules::Next(Env& env) {
  while (!restores_.empty()) {
    const Restore& first = restores_.front();
    env.outbox.Because(first.trace);
    const bus::IptablesRestore& body = first.body;
    if (std::string error = MisplacedRestore(body, revision_); !error.empty()) {
      Answer(first, std::move(error), env);
      restores_.pop_front();
      continue;
    }
    // Where iptables-restore takes longer than kube-proxy waits, the same rules come again.
    const bool same = body.full() ? whole_ == body.rules() : body.rules().empty();
    if (same) {
      revision_ = body.revision();
      Answer(first, "", env);
      restores_.pop_front();
      continue;
    }
    if (!body.full()) return Apply(body.rules(), env);
    lane_.Run(kSave, {"iptables-save"}, "", "", env);
    return;
  }
}

void KernelRules::Apply(std::string text, Env& env) {
  whole_.reset();  // whatever happens now
  lane_.Run(kRestore, {"iptables-restore", "--noflush", "--wait", "5"}, std::move(text), "", env);
}

void KernelRules::Receive(const bus::CommandDone& done, Env& env) {
  if (const auto result = lane_.Receive(done, env)) OnResult(*result, env);
}

void KernelRules::Tick(Env& env) {
  if (const auto result = lane_.Tick(env)) OnResult(*result, env);
}

void KernelRules::OnResult(const CommandLane::Result& result, Env& env) {
  if (!result.error.empty()) {
    const char* program = result.tag == kSave ? "iptables-save: " : "iptables-restore: ";
    return Finish(program + result.error, env);
  }
  if (result.tag == kSave) {
    return Apply(KernelRestoreText(restores_.front().body.rules(), result.output), env);
  }
  revision_ = restores_.front().body.revision();
  if (restores_.front().body.full()) whole_ = restores_.front().body.rules();
  Finish("", env);
}

void KernelRules::Finish(std::string error, Env& env) {
  Answer(restores_.front(), std::move(error), env);
  restores_.pop_front();
  Next(env);
}

void KernelRules::Answer(const Restore& restore, std::string error, Env& env) {
  AnswerRestore(restore.from, restore.body.revision(), std::move(error), env);
}

}  // namespace kubemu
