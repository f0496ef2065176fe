#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <string>

#include "lab/cluster/ask_part.h"
#include "lab/cluster/topology.h"
#include "lab/commands/commands.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace json = boost::json;

std::string Word(const json::value& value, const char* key) {
  return std::string(value.at(key).as_string());
}

uint64_t Figure(const json::value& value, const char* key) {
  return value.at(key).to_number<uint64_t>();
}

// The sum of an object of counters and, if it is not 0, what it is made of: "3 (limit 2, noNode
// 1)".
std::string Causes(const json::value& counters) {
  uint64_t sum = 0;
  std::string parts;
  for (const auto& [cause, count] : counters.as_object()) {
    const auto number = count.to_number<uint64_t>();
    sum += number;
    if (number == 0) continue;
    StrAppend(&parts, parts.empty() ? "" : ", ", std::string_view(cause.data(), cause.size()), " ",
              number);
  }
  return sum == 0 ? "0" : StrCat(sum, " (", parts, ")");
}

void PrintNode(const json::value& node) {
  std::string check = "none";
  if (node.as_object().contains("check")) {
    const json::value& last = node.at("check");
    check = Word(last, "result");
    if (last.as_object().contains("at")) StrAppend(&check, " at ", Word(last, "at"));
  }
  if (node.as_object().contains("excluded")) StrAppend(&check, "; ", Word(node, "excluded"));
  std::printf("  %-14s %-10s %6llu %5llu%% %6llu %8llu %8llu  %s\n", Word(node, "name").c_str(),
              Word(node, "state").c_str(), static_cast<unsigned long long>(Figure(node, "weight")),
              static_cast<unsigned long long>(Figure(node, "sharePercent")),
              static_cast<unsigned long long>(Figure(node.at("connections"), "now")),
              static_cast<unsigned long long>(Figure(node.at("connections"), "total")),
              static_cast<unsigned long long>(Figure(node, "failures")), check.c_str());
}

void PrintService(const json::value& service) {
  std::string ports;
  for (const json::value& port : service.at("ports").as_array()) {
    StrAppend(&ports, ports.empty() ? ":" : ",", Figure(port, "port"));
  }
  const json::value& connections = service.at("connections");
  std::cout << Word(service, "namespace") << '/' << Word(service, "name") << "  "
            << Word(service, "address") << ports << "  " << Word(service, "policy")
            << ", externalTrafficPolicy " << Word(service, "externalTrafficPolicy") << '\n'
            << "  connections " << Figure(connections, "now") << " now, "
            << Figure(connections, "total") << " in all; bytes "
            << Figure(service.at("bytes"), "in") << " in, " << Figure(service.at("bytes"), "out")
            << " out; refused " << Causes(service.at("refused")) << "; reset "
            << Causes(service.at("reset")) << '\n';
  std::printf("  %-14s %-10s %6s %6s %6s %8s %8s  %s\n", "NODE", "STATE", "WEIGHT", "SHARE", "NOW",
              "TOTAL", "FAILED", "LAST CHECK");
  std::fflush(stdout);
  for (const json::value& node : service.at("nodes").as_array()) PrintNode(node);
  std::fflush(stdout);
}

void LbStatus(CommandContext& context) {
  const absl::StatusOr<Topology> topology = LoadTopology(context);
  if (!topology.ok()) return;
  const absl::StatusOr<std::string> answer = AskPart(*topology, "lb", "lb", "status", {});
  if (!answer.ok()) return Fail(context, std::string(answer.status().message()));
  if (context.output == "json") {
    std::cout << *answer << '\n';
    return;
  }
  json::error_code error;
  const json::value status = json::parse(*answer, error);
  if (error) return Fail(context, "the load balancer's answer is not JSON");
  if (status.at("services").as_array().empty()) {
    std::cout << "The load balancer serves no Service: none is of type LoadBalancer.\n";
  }
  for (const json::value& service : status.at("services").as_array()) PrintService(service);
}

}  // namespace

void AddLbCommand(CLI::App& app, CommandContext& context) {
  CLI::App* command = app.add_subcommand("lb", "look into the load balancer");
  command->require_subcommand(1);
  CLI::App* status =
      command->add_subcommand("status", "what each Service gets, and from which nodes");
  status->callback([&context] { LbStatus(context); });
  status->footer("Example:\n  kubemu lb status -o json");
  command->footer("The same figures for Prometheus: kubemu status says where.");
}

}  // namespace kubemu
