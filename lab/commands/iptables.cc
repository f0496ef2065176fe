#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "lab/cluster/ask_part.h"
#include "lab/commands/commands.h"

namespace kubemu {
namespace {

struct ExplainFlags {
  std::string node;
  std::string from;
  std::string to;
  std::string protocol = "tcp";
  std::string in_interface;
  std::string out_interface;
};

struct SaveFlags {
  std::string node;
  std::string table;
  bool counters = false;
};

// The answer of a node's iptables; "" if there is none, then the error has been printed.
std::string AskIptables(const std::string& node, const std::string& question,
                        const std::vector<std::string>& arguments, CommandContext& context) {
  const absl::StatusOr<Topology> topology = LoadTopology(context);
  if (!topology.ok()) return "";
  const absl::StatusOr<std::string> answer =
      AskPart(*topology, node, node + "/iptables", question, arguments);
  if (answer.ok()) return *answer;
  const bool usage = absl::IsInvalidArgument(answer.status());
  Fail(context, std::string(answer.status().message()), usage ? 2 : 1);
  return "";
}

void AddSave(CLI::App& iptables, CommandContext& context) {
  auto flags = std::make_shared<SaveFlags>();
  CLI::App* save = iptables.add_subcommand("save", "print a node's rules as iptables-save does");
  save->add_option("node", flags->node, "name of the node")->required();
  save->add_option("-t,--table", flags->table, "only this table")
      ->check(CLI::IsMember({"filter", "nat"}));
  save->add_flag("-c,--counters", flags->counters, "with each rule's packets and bytes");
  save->footer(
      "What is printed, iptables-restore takes. The flag -c is iptables-save's here: name another\n"
      "cluster with --cluster.\n"
      "Example:\n  kubemu iptables save node-2 -t nat -c | grep web");
  save->callback([flags, &context] {
    std::vector<std::string> arguments;
    if (!flags->table.empty()) arguments.push_back("table=" + flags->table);
    if (flags->counters) arguments.emplace_back("counters=yes");
    const std::string text = AskIptables(flags->node, "iptables-save", arguments, context);
    if (context.output != "json" || text.empty()) {
      std::cout << text;
    } else {
      std::cout << boost::json::serialize(
                       boost::json::object{{"node", flags->node}, {"rules", text}})
                << '\n';
    }
  });
}

void AddExplain(CLI::App& iptables, CommandContext& context) {
  auto flags = std::make_shared<ExplainFlags>();
  CLI::App* explain = iptables.add_subcommand(
      "explain", "print a packet's way through a node's rules, and why; changes nothing");
  explain->add_option("node", flags->node, "name of the node")->required();
  explain->add_option("--from", flags->from, "who sends it: IP or IP:port")->required();
  explain->add_option("--to", flags->to, "whom to: IP:port")->required();
  explain->add_option("--protocol", flags->protocol, "tcp or udp")
      ->check(CLI::IsMember({"tcp", "udp"}))
      ->capture_default_str();
  explain->add_option("--in-interface", flags->in_interface,
                      "where it comes in, for rules with -i");
  explain->add_option("--out-interface", flags->out_interface,
                      "where it leaves, for rules with -o");
  explain->footer(
      "Each rule that the packet meets is a line, with its counters and why it matched or did "
      "not;\n"
      "then the verdict, the draws on the way, and the odds of every endpoint.\n"
      "Example:\n  kubemu iptables explain node-2 --from 10.244.1.5 --to 10.96.0.10:80");
  explain->callback([flags, &context] {
    std::vector<std::string> arguments = {"from=" + flags->from, "to=" + flags->to,
                                          "protocol=" + flags->protocol};
    if (!flags->in_interface.empty()) arguments.push_back("in-interface=" + flags->in_interface);
    if (!flags->out_interface.empty()) arguments.push_back("out-interface=" + flags->out_interface);
    if (context.output == "json") arguments.emplace_back("format=json");
    std::cout << AskIptables(flags->node, "explain", arguments, context);
  });
}

}  // namespace

void AddIptablesCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command =
      app.add_subcommand("iptables", "show a node's rules, and a packet's way through them");
  command->require_subcommand(1);
  AddSave(*command, context);
  AddExplain(*command, context);
  command->footer(
      "Example:\n  kubemu iptables save node-2\n"
      "  kubemu iptables explain node-2 --from 10.244.1.5 --to 10.96.0.10:80");
}

}  // namespace kubemu
