// Explanations as text and as JSON.
#include <cstdio>
#include <map>

#include "messages/api/json.h"
#include "messages/core/strings.h"
#include "node/iptables/explain.h"

namespace kubemu::iptables {
namespace {

std::string Number(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}
std::string Percent(double odds) {
  return Number(odds * 100, "%.2f %%");
}

std::string_view StateName(Connection::State state) {
  switch (state) {
    case Connection::State::kNew:
      return "NEW";
    case Connection::State::kEstablished:
      return "ESTABLISHED";
    case Connection::State::kClosing:
      return "CLOSING";
    case Connection::State::kClosed:
      return "CLOSED";
  }
  return "";
}

std::string SourceText(const Packet& packet) {
  if (packet.source_port == 0) return packet.source.ToString();
  return SocketAddress{packet.source, packet.source_port}.ToString();
}

std::string PacketText(const Packet& packet) {
  std::string text = StrCat(ProtocolName(packet.protocol), " ", SourceText(packet), " -> ",
                            SocketAddress{packet.destination, packet.destination_port}.ToString(),
                            packet.local_process ? ", made by the node itself" : ", coming in");
  if (!packet.in_interface.empty()) StrAppend(&text, " at ", packet.in_interface);
  if (!packet.out_interface.empty()) StrAppend(&text, ", out at ", packet.out_interface);
  return text;
}

std::string ConntrackText(const Explanation& e) {
  if (e.known) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(e.expires_in).count();
    return StrCat("knows it: ", StateName(e.known->state), ", leaves as ",
                  e.known->translated().ToString(), ", forgotten in ", seconds,
                  " s; the rules are not asked again. A new connection would go this way:");
  }
  if (e.known_from_source > 0) {
    return StrCat("knows ", e.known_from_source,
                  " connections from there to it, which keep their way; a new one:");
  }
  return "does not know it: a new connection";
}

std::string_view ActionName(const Verdict& verdict) {
  switch (verdict.action) {
    case Verdict::Action::kAccept:
      return "ACCEPT";
    case Verdict::Action::kDrop:
      return "DROP";
    case Verdict::Action::kReject:
      return "REJECT";
  }
  return "";
}

std::string WayOn(const Routes::Hop& hop) {
  switch (hop.kind) {
    case Routes::Kind::kPod:
    case Routes::Kind::kPeer:
      return hop.address;
    case Routes::Kind::kNoListener:
      return "nobody listens there: refused";
    case Routes::Kind::kNone:
      return "nobody has that address: unreachable";
  }
  return "";
}

// What a way ends with: "10.244.1.5:80", "DROP", "REJECT".
std::string EndOf(const Outcome& outcome, const Packet& packet) {
  if (outcome.verdict.action != Verdict::Action::kAccept) {
    return std::string(ActionName(outcome.verdict));
  }
  return outcome.verdict.dnat.value_or(SocketAddress{packet.destination, packet.destination_port})
      .ToString();
}

// Ends and their odds, in the order of the rules.
std::vector<std::pair<std::string, double>> Ends(const Explanation& e) {
  std::vector<std::pair<std::string, double>> ends;
  std::map<std::string, size_t> index;
  for (const Outcome& outcome : e.outcomes) {
    const auto [it, added] = index.try_emplace(EndOf(outcome, e.packet), ends.size());
    if (added) ends.emplace_back(it->first, 0);
    ends[it->second].second += outcome.odds;
  }
  return ends;
}

std::string VerdictText(const Explanation& e) {
  const Verdict& verdict = e.chosen.verdict;
  std::string text(ActionName(verdict));
  if (verdict.action != Verdict::Action::kAccept) {
    StrAppend(&text, " by filter ", verdict.chain,
              verdict.rule_number == 0 ? "'s policy" : StrCat(" rule ", verdict.rule_number));
    StrAppend(&text, verdict.action == Verdict::Action::kDrop ? ": the sender hears nothing"
                                                              : ": the sender is told at once");
    return text;
  }
  StrAppend(&text, ", to ", e.destination.ToString(), verdict.dnat ? " (translated)" : "");
  StrAppend(
      &text, ", from ",
      verdict.masquerade ? StrCat(e.source.ToString(), " (masqueraded)") : SourceText(e.packet));
  StrAppend(&text, "; on to: ", WayOn(e.hop));
  return text;
}

std::string JsonText(std::string_view text) {
  std::string json;
  AppendJsonString(text, &json);
  return json;
}

// `"key":"text"`
std::string Member(std::string_view key, std::string_view text) {
  return StrCat("\"", key, "\":", JsonText(text));
}
std::string_view Bool(bool value) {
  return value ? "true" : "false";
}

std::string StepJson(const TraceStep& step) {
  std::string json = StrCat("{", Member("table", TableName(step.table)), ",",
                            Member("hook", step.hook), ",", Member("chain", step.chain));
  StrAppend(&json, ",\"rule\":", step.rule_number, ",\"matched\":", Bool(step.matched));
  if (step.rule != nullptr) {
    StrAppend(&json, ",", Member("text", RuleText(*step.rule)),
              ",\"packets\":", step.counters.packets, ",\"bytes\":", step.counters.bytes);
  }
  return StrCat(json, ",", Member("why", step.why), "}");
}

// The elements with commas between them, in brackets.
template <typename Items, typename Print>
std::string Array(const Items& items, Print print) {
  std::string json = "[";
  for (const auto& item : items) StrAppend(&json, json.size() > 1 ? "," : "", print(item));
  return json + "]";
}

std::string VerdictJson(const Explanation& e) {
  const Verdict& verdict = e.chosen.verdict;
  std::string json = StrCat("{", Member("action", ActionName(verdict)));
  if (verdict.action == Verdict::Action::kAccept) {
    StrAppend(&json, ",", Member("destination", e.destination.ToString()), ",",
              Member("source", e.source.ToString()),
              ",\"translated\":", Bool(verdict.dnat.has_value()),
              ",\"masqueraded\":", Bool(verdict.masquerade), ",", Member("next", WayOn(e.hop)));
  } else {
    StrAppend(&json, ",", Member("chain", verdict.chain), ",\"rule\":", verdict.rule_number);
  }
  return json + "}";
}

}  // namespace

std::string ExplainText(const Explanation& e) {
  std::string text = StrCat("packet:    ", PacketText(e.packet), "\n");
  StrAppend(&text, "conntrack: ", ConntrackText(e), "\n\n", TraceText(e.trace), "\n");
  StrAppend(&text, "verdict:   ", VerdictText(e), "\n");
  if (!e.chosen.draws.empty()) {
    text += "draws:    ";
    for (const Rehearsal::Draw& draw : e.chosen.draws) {
      StrAppend(&text, " ", Percent(draw.odds), draw.hit ? " yes," : " no,");
    }
    text.back() = '\n';
  }
  const auto ends = Ends(e);
  if (ends.size() > 1) {
    text += "odds of a new connection:\n";
    for (const auto& [end, odds] : ends) StrAppend(&text, "  ", end, "  ", Percent(odds), "\n");
  }
  return text;
}

std::string ExplainJson(const Explanation& e) {
  std::string json = StrCat("{", Member("packet", PacketText(e.packet)), ",\"conntrack\":{");
  StrAppend(&json, "\"known\":", Bool(e.known.has_value()),
            ",\"fromSource\":", e.known_from_source);
  if (e.known) {
    StrAppend(&json, ",", Member("state", StateName(e.known->state)), ",",
              Member("leavesAs", e.known->translated().ToString()));
  }
  StrAppend(&json, "},\"steps\":", Array(e.trace, StepJson), ",\"verdict\":", VerdictJson(e));
  StrAppend(&json, ",\"draws\":", Array(e.chosen.draws, [](const Rehearsal::Draw& draw) {
    return StrCat("{\"odds\":", Number(draw.odds, "%.11f"), ",\"hit\":", Bool(draw.hit), "}");
  }));
  StrAppend(&json, ",\"odds\":", Array(Ends(e), [](const auto& end) {
    return StrCat("{", Member("end", end.first), ",\"odds\":", Number(end.second, "%.11f"), "}");
  }));
  return json + "}\n";
}

}  // namespace kubemu::iptables
