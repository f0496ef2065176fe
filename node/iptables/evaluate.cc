#include "node/iptables/evaluate.h"

#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "node/iptables/rule_match.h"

namespace kubemu::iptables {
namespace {

class Walk {
 public:
  Walk(Ruleset& ruleset, const Packet& packet, const Surroundings& surroundings, PacketTrace* trace)
      : ruleset_(ruleset),
        packet_(packet),
        surroundings_(surroundings),
        trace_(trace),
        by_the_book_(trace != nullptr || surroundings.rehearsal != nullptr) {}

  Verdict Run() {
    if (!Enter(Table::kNat, packet_.local_process ? Hook::kOutput : Hook::kPrerouting))
      return Finish();
    verdict_.to_local = surroundings_.local.Contains(packet_.destination);
    const bool passes = packet_.local_process ? LeavesHere() : ComesIn();
    if (!passes) KUBEMU_CHECK(verdict_.action != Verdict::Action::kAccept);
    return Finish();
  }

 private:
  bool ComesIn() {
    if (verdict_.to_local)
      return Enter(Table::kFilter, Hook::kInput) && Enter(Table::kNat, Hook::kInput);
    return Enter(Table::kFilter, Hook::kForward) && Enter(Table::kNat, Hook::kPostrouting);
  }

  bool LeavesHere() {
    return Enter(Table::kFilter, Hook::kOutput) && Enter(Table::kNat, Hook::kPostrouting) &&
           (!verdict_.to_local || Enter(Table::kFilter, Hook::kInput));
  }

  Verdict Finish() {
    verdict_.mark = packet_.mark;
    return verdict_;
  }

  // False if the packet ends here.
  bool Enter(Table table, Hook hook) {
    if (table == Table::kNat && (packet_.ct_state & kCtNew) == 0) return true;
    table_ = table;
    hook_ = HookName(hook);
    Ruleset::Chain* chain = ruleset_.Builtin(table, hook);
    if (WalkChain(chain) == Next::kEnd) return verdict_.action == Verdict::Action::kAccept;
    Count(&chain->policy_counters);
    Note(*chain, 0, true, chain->policy_accept ? "policy ACCEPT" : "policy DROP");
    if (!chain->policy_accept) Stop(Verdict::Action::kDrop, *chain, 0);
    return chain->policy_accept;
  }

  // kEnd: the hook is decided. kReturn: back to the caller, or to the policy.
  enum class Next { kNextRule, kReturn, kEnd };

  Next WalkChain(Ruleset::Chain* chain) {
    const size_t count = chain->count;
    const ChainIndex* index = by_the_book_ ? nullptr : chain->index.get();
    for (size_t i = 0; i < count; ++i) {
      if (index != nullptr) {
        i = index->Next(i, packet_.protocol, packet_.destination, packet_.destination_port);
        if (i >= count) break;
      }
      const Next next = TryRule(*chain, i);
      if (next != Next::kNextRule) return next;
    }
    if (trace_ != nullptr && !chain->builtin) {
      Note(*chain, 0, true, "end of the chain: back to the caller");
    }
    return Next::kReturn;
  }

  Next TryRule(Ruleset::Chain& chain, size_t i) {
    Ruleset::LoadedRule& loaded = chain.loaded()[i];
    if (by_the_book_ || !loaded.fast.usable()) return TryLongForm(chain, i);
    if (!loaded.fast.Matches(packet_, surroundings_.random)) return Next::kNextRule;
    Count(&loaded.counters);
    return Act(chain, i);
  }

  Next TryLongForm(Ruleset::Chain& chain, size_t i) {
    std::string why;
    const bool matched = RuleMatches(chain.rules[i], packet_, surroundings_, ruleset_.recent(),
                                     trace_ != nullptr ? &why : nullptr);
    if (matched) Count(&chain.loaded()[i].counters);
    Note(chain, i + 1, matched, std::move(why));
    return matched ? Act(chain, i) : Next::kNextRule;
  }

  Next Act(const Ruleset::Chain& chain, size_t i) {
    using Kind = Ruleset::Action::Kind;
    const Ruleset::Action& action = chain.loaded()[i].action;
    switch (action.kind) {
      case Kind::kNothing:
        return Next::kNextRule;
      case Kind::kJump:
        LoadAhead(action.jump);
        return WalkChain(action.jump) == Next::kEnd ? Next::kEnd : Next::kNextRule;
      case Kind::kReturn:
        return Next::kReturn;
      case Kind::kAccept:
        return Next::kEnd;
      case Kind::kDnat:
        Translate({action.ip, action.port});
        return Next::kEnd;
      case Kind::kOther:
        break;
    }
    return ActOther(chain, i);
  }

  // A chain's rules together with what says how many they are.
  static void LoadAhead(const Ruleset::Chain* chain) {
    __builtin_prefetch(chain);
    __builtin_prefetch(&chain->few[0]);
    __builtin_prefetch(&chain->few[1]);
  }

  Next ActOther(const Ruleset::Chain& chain, size_t i) {
    const Target& target = chain.rules[i].target;
    if (const auto* mark = std::get_if<SetMark>(&target)) {
      packet_.mark = (packet_.mark & ~mark->mask) ^ mark->value;
      return Next::kNextRule;
    }
    if (std::holds_alternative<Drop>(target)) Stop(Verdict::Action::kDrop, chain, i + 1);
    if (const auto* reject = std::get_if<Reject>(&target)) {
      verdict_.reject_with = reject->with;
      Stop(Verdict::Action::kReject, chain, i + 1);
    }
    if (const auto* masquerade = std::get_if<Masquerade>(&target)) {
      verdict_.masquerade = true;
      verdict_.random_fully = masquerade->random_fully;
      packet_.ct_state |= kCtSnat;
    }
    return Next::kEnd;
  }

  void Translate(SocketAddress to) {
    packet_.destination = to.ip;
    if (to.port != 0) packet_.destination_port = to.port;
    packet_.ct_state |= kCtDnat;
    verdict_.dnat = SocketAddress{packet_.destination, packet_.destination_port};
  }

  void Stop(Verdict::Action action, const Ruleset::Chain& chain, size_t number) {
    verdict_.action = action;
    verdict_.chain = chain.name;
    verdict_.rule_number = number;
  }

  void Count(Counters* counters) const {
    if (surroundings_.rehearsal != nullptr) return;
    ++counters->packets;
    counters->bytes += packet_.bytes;
  }

  // `number` from 1; 0: it is not about a rule.
  void Note(const Ruleset::Chain& chain, size_t number, bool matched, std::string why) {
    if (trace_ == nullptr) return;
    trace_->push_back(
        {.table = table_,
         .hook = hook_,
         .chain = chain.name,
         .rule_number = number,
         .rule = number != 0 ? &chain.rules[number - 1] : nullptr,
         .matched = matched,
         .counters = number != 0 ? chain.loaded()[number - 1].counters : chain.policy_counters,
         .why = std::move(why)});
  }

  Ruleset& ruleset_;
  Packet packet_;
  const Surroundings& surroundings_;
  PacketTrace* const trace_;
  const bool by_the_book_;  // every rule is looked at, and in its long form
  Verdict verdict_;
  Table table_ = Table::kNat;
  std::string_view hook_;
};

}  // namespace

Verdict Evaluate(Ruleset& ruleset, const Packet& packet, const Surroundings& surroundings,
                 PacketTrace* trace) {
  return Walk(ruleset, packet, surroundings, trace).Run();
}

Verdict Rehearse(const Ruleset& ruleset, const Packet& packet, const Surroundings& surroundings,
                 PacketTrace* trace) {
  KUBEMU_CHECK(surroundings.rehearsal != nullptr);
  // A rehearsal writes nothing into the rules.
  return Walk(const_cast<Ruleset&>(ruleset), packet, surroundings, trace).Run();
}

std::string TraceText(const PacketTrace& trace) {
  std::string text;
  for (const TraceStep& step : trace) {
    StrAppend(&text, TableName(step.table), " ", step.hook, " ", step.chain);
    if (step.rule != nullptr) {
      StrAppend(&text, " #", step.rule_number, " [", step.counters.packets, ":",
                step.counters.bytes,
                step.matched ? "] matched: " : "] no match: ", RuleText(*step.rule));
    }
    if (!step.why.empty()) StrAppend(&text, step.rule != nullptr ? "  <- " : ": ", step.why);
    text += '\n';
  }
  return text;
}

}  // namespace kubemu::iptables
