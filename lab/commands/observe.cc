#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <thread>

#include "lab/cluster/topology.h"
#include "lab/commands/commands.h"
#include "lab/observe/journal_files.h"
#include "lab/observe/message_log.h"
#include "lab/observe/space_time.h"
#include "lab/observe/trace_tree.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

struct ObserveFlags {
  MessageFilter filter;
  std::string trace;
  std::string svg;  // file for a space-time diagram
  size_t last = 0;
  bool follow = false;
};

void Print(const SeenMessage& message, const CommandContext& context) {
  const bool color = isatty(STDOUT_FILENO) != 0;
  std::cout << (context.output == "json" ? FormatJson(message) : FormatLine(message, color))
            << '\n';
}

// Prints what comes, in the order of sending, until interrupted. A message is held back for a
// moment, so that one journal that is written later than another does not disturb the order.
void Follow(JournalFiles& files, MessageLog& log, const MessageFilter& filter,
            const CommandContext& context, std::set<uint64_t> printed) {
  constexpr auto kPoll = std::chrono::milliseconds(100);
  constexpr Duration kHold = 150ms;
  while (std::cout.good()) {
    std::this_thread::sleep_for(kPoll);
    files.Read(&log).IgnoreError();
    const WallTime until{Duration(std::chrono::system_clock::now().time_since_epoch()) - kHold};
    for (const SeenMessage* message : log.Ordered()) {
      if (message->sent > until || !filter.Matches(*message)) continue;
      if (printed.insert(message->id).second) Print(*message, context);
    }
    std::cout.flush();
  }
}

void Observe(ObserveFlags flags, CommandContext& context) {
  const auto paths = ClusterPaths::For(context.cluster);
  if (!paths.ok()) return Fail(context, std::string(paths.status().message()), 2);
  JournalFiles files(paths->journal());
  MessageLog log;
  // A trace is looked for in all that there is.
  const bool only_last = flags.last != 0 && flags.trace.empty();
  const absl::Status read =
      only_last ? files.ReadLast(&log, flags.filter, flags.last) : files.Read(&log);
  if (absl::IsNotFound(read)) return Fail(context, std::string(read.message()));
  if (!read.ok()) std::cerr << "kubemu: " << std::string(read.message()) << '\n';
  if (!flags.trace.empty()) {
    const std::optional<uint64_t> trace = FindTrace(log, flags.trace);
    if (!trace) return Fail(context, StrCat("there is no trace ", flags.trace, " in the journal"));
    flags.filter.trace_id = *trace;
  }
  std::vector<const SeenMessage*> shown;
  std::set<uint64_t> printed;
  for (const SeenMessage* message : log.Ordered()) {
    printed.insert(message->id);
    if (flags.filter.Matches(*message)) shown.push_back(message);
  }
  const size_t first = flags.last != 0 && shown.size() > flags.last ? shown.size() - flags.last : 0;
  shown.erase(shown.begin(), shown.begin() + static_cast<ptrdiff_t>(first));
  if (!flags.svg.empty()) {
    std::ofstream out(flags.svg);
    out << SpaceTimeSvg(shown,
                        StrCat("cluster ", context.cluster, ": ", shown.size(), " messages"));
    if (!out.flush()) Fail(context, StrCat("cannot write ", flags.svg));
    return;
  }
  for (const SeenMessage* message : shown) Print(*message, context);
  std::cout.flush();
  if (log.gaps() > 0) {
    std::cerr << "kubemu: the journal has gaps: " << log.gaps() << " records were not written\n";
  }
  if (flags.follow) Follow(files, log, flags.filter, context, std::move(printed));
}

void ShowTrace(const std::string& which, TraceTreeOptions options, CommandContext& context) {
  const auto paths = ClusterPaths::For(context.cluster);
  if (!paths.ok()) return Fail(context, std::string(paths.status().message()), 2);
  JournalFiles files(paths->journal());
  MessageLog log;
  const absl::Status read = files.Read(&log);
  if (absl::IsNotFound(read)) return Fail(context, std::string(read.message()));
  const std::optional<uint64_t> trace = FindTrace(log, which);
  if (!trace) {
    return Fail(context, which == "last-apply"
                             ? "no kubectl apply that wrote something is in the journal"
                             : StrCat("there is no trace ", which, " in the journal"));
  }
  if (context.output == "json") {
    for (const SeenMessage* message : log.Ordered()) {
      if (message->trace_id == *trace) std::cout << FormatJson(*message) << '\n';
    }
    return;
  }
  options.color = isatty(STDOUT_FILENO) != 0;
  std::cout << "trace " << FormatTraceId(*trace) << '\n';
  for (const std::string& line : TraceTree(log, *trace, options)) std::cout << line << '\n';
}

}  // namespace

void AddObserveCommand(CLI::App& app, CommandContext& context) {
  auto flags = std::make_shared<ObserveFlags>();
  CLI::App* command = app.add_subcommand("observe", "show the messages between the parts");
  command->add_option("--last", flags->last, "only the last N of them")
      ->check(CLI::Range(1, 1 << 30));
  command->add_flag("-f,--follow", flags->follow, "go on as they come");
  command->add_option("--from", flags->filter.from, "sent by this address or below it: node-2");
  command->add_option("--to", flags->filter.to, "sent to this address or below it: lb");
  command->add_option("--at", flags->filter.either, "sent by or to this address");
  command->add_option("--kind", flags->filter.kind, "of this kind: FlowOpen, WatchEvent ...");
  command->add_option("--grep", flags->filter.text, "with this text in what they say");
  command->add_option("--trace", flags->trace, "of one trace: its id, last, or last-apply");
  command->add_option("--svg", flags->svg, "draw them as a space-time diagram into this file");
  command->add_flag("--lost", flags->filter.lost_only, "only lost ones");
  command->add_flag("--all", flags->filter.background,
                    "heartbeats, bookmarks and health checks too");
  command->footer(
      "Examples:\n  kubemu observe --last 20\n  kubemu observe -f --at node-2/iptables\n"
      "  kubemu observe --kind WatchEvent --to node-1/kubelet -o json");
  command->callback([flags, &context] { Observe(*flags, context); });
}

void AddTraceCommand(CLI::App& app, CommandContext& context) {
  auto which = std::make_shared<std::string>("last-apply");
  auto options = std::make_shared<TraceTreeOptions>();
  CLI::App* command =
      app.add_subcommand("trace", "show what one request caused, message by message");
  command->add_option("trace", *which, "a trace id, last-apply (default), or last");
  command->add_flag("--full", options->full,
                    "also answers, the store's messages, and what led to nothing");
  command->footer("Examples:\n  kubemu trace last-apply\n  kubemu trace last --full");
  command->callback([which, options, &context] { ShowTrace(*which, *options, context); });
}

}  // namespace kubemu
