#include "messages/runtime/command_line.h"

#include <fcntl.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "messages/core/strings.h"
#include "messages/runtime/zmq_endpoint.h"

namespace kubemu {
namespace {

constexpr double kTimeScaleMax = 1000;

std::string CheckTimeScale(const std::string& text) {
  double scale = 0;
  if (!CLI::detail::lexical_cast(text, scale) || !std::isfinite(scale) || scale <= 0 ||
      scale > kTimeScaleMax) {
    return StrCat("\"", text, "\" is not a number above 0 and up to 1000");
  }
  return "";
}

// Thousands of peers are thousands of descriptors: the soft limit (often 1024) is raised as far as
// it may be.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    spdlog::warn("cannot raise the limit of open files above {}: {}", before, std::strerror(errno));
  }
}

absl::Status StartLogging(const CommonFlags& flags) {
  try {
    spdlog::sink_ptr sink;
    if (flags.log_file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(flags.log_file);
    }
    auto logger = std::make_shared<spdlog::logger>(flags.runtime.process, std::move(sink));
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v", spdlog::pattern_time_type::utc);
    logger->set_level(spdlog::level::from_str(flags.log_level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& error) {
    return absl::UnavailableError(StrCat("cannot log to ", flags.log_file, ": ", error.what()));
  }
  return absl::OkStatus();
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// The file appears whole or not at all.
absl::Status WriteReadyFile(const std::string& path, const std::string& line) {
  const std::string fresh = path + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written = fd >= 0 && WriteAll(fd, line);
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(StrCat("cannot write ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

// Names and addresses need no escapes in JSON: flags that would are refused.
absl::Status ReportReady(const CommonFlags& flags, const ProcessRuntime& runtime) {
  std::string json =
      StrCat(R"({"process":")", flags.runtime.process, R"(","pid":)", ::getpid(), R"(,"epoch":)",
             runtime.epoch(), R"(,"endpoint":")", runtime.addresses().endpoint, "\"");
  if (!runtime.addresses().http.empty()) {
    StrAppend(&json, R"(,"http":")", runtime.addresses().http, "\"");
  }
  json += "}\n";
  if (!flags.log_file.empty()) spdlog::info("ready {}", StripSpaces(json));
  std::fputs(StrCat("ready ", json).c_str(), stdout);
  std::fflush(stdout);
  if (flags.ready_fd >= 0) {
    (void)WriteAll(flags.ready_fd, json);  // whoever gave it may have gone
    ::close(flags.ready_fd);
  }
  return flags.ready_file.empty() ? absl::OkStatus() : WriteReadyFile(flags.ready_file, json);
}

void Report(const CommonFlags& flags, const absl::Status& status) {
  const std::string message(status.message());
  if (!flags.log_file.empty()) spdlog::error("{}", message);
  std::fputs(StrCat("kubemu ", flags.runtime.process, ": ", message, "\n").c_str(), stderr);
}

absl::Status Run(const CommonFlags& flags, const ProgramFactory& factory) {
  RaiseDescriptorLimit();
  ProcessRuntime::Options options = flags.runtime;
  if (!flags.data.empty() && flags.journal == "on") {
    options.journal_directory = flags.data + "/journal";
  }
  if (options.insecure) {
    spdlog::warn("--insecure: whoever reaches the addresses of this process may command it");
  }
  std::unique_ptr<Program> program;  // outlives the runtime
  ProcessRuntime runtime(std::move(options));
  if (absl::Status status = runtime.Start(); !status.ok()) return status;
  auto made = factory(runtime.addresses());
  if (!made.ok()) return made.status();
  program = *std::move(made);
  if (absl::Status status = ReportReady(flags, runtime); !status.ok()) return status;
  return runtime.Run(*program);
}

}  // namespace

void AddCommonFlags(CLI::App& app, CommonFlags* flags) {
  ProcessRuntime::Options& runtime = flags->runtime;
  app.add_option("--endpoint", runtime.endpoint,
                 "ZeroMQ endpoint to listen on for the other processes; port 0: any")
      ->capture_default_str();
  app.add_option("--data", flags->data,
                 "directory for what is kept (journal, store); none: nothing is kept");
  app.add_option("--journal", flags->journal, "on or off: record every message in DATA/journal")
      ->capture_default_str()
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--time-scale", runtime.time_scale,
                 "divides all durations of Kubernetes: with 10, 40 s become 4 s")
      ->capture_default_str()
      ->check(CheckTimeScale);
  app.add_option("--seed", runtime.seed, "seed of all random choices")->capture_default_str();
  app.add_flag("--insecure", runtime.insecure,
               "allow other than loopback addresses although there are no keys yet");
  app.add_option("--log-file", flags->log_file, "file to log to; none: stderr");
  app.add_option("--log-level", flags->log_level, "debug, info, warning or error")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.add_option("--ready-file", flags->ready_file,
                 "file that gets one line of JSON when the process listens");
  app.add_option("--ready-fd", flags->ready_fd, "open descriptor that gets the same line");
  app.add_option("--exit-with-parent", runtime.parent_fd,
                 "open descriptor, a pipe: the process ends when that does, unless a byte came "
                 "before");
}

std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return BadFlag(app, error.what());
  }
}

int BadFlag(const CLI::App& app, const std::string& message) {
  std::fputs(StrCat(app.get_name(), ": ", message, "\nRun ", app.get_name(),
                    " --help for all flags and examples.\n")
                 .c_str(),
             stderr);
  return kExitBadFlags;
}

int RunProgram(const CommonFlags& flags, const ProgramFactory& factory) {
  if (absl::Status status = StartLogging(flags); !status.ok()) {
    std::fputs((std::string(status.message()) + "\n").c_str(), stderr);
    return kExitFailed;
  }
  const absl::Status end = Run(flags, factory);
  if (end.ok()) return kExitOk;
  Report(flags, end);
  return absl::IsInvalidArgument(end) ? kExitBadFlags : kExitFailed;
}

}  // namespace kubemu
