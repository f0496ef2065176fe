#include "messages/runtime/command_door.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "messages/core/strings.h"
#include "messages/proto/control.pb.h"

namespace kubemu {

namespace process_v2 = boost::process::v2;

// A file in memory: the program reads and writes it as it likes, nobody has to keep up, and there
// is no pipe that could fill.
class CommandFile {
 public:
  CommandFile() : descriptor_(::memfd_create("kubemu-command", MFD_CLOEXEC)) {}
  ~CommandFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  CommandFile(const CommandFile&) = delete;
  CommandFile& operator=(const CommandFile&) = delete;

  int descriptor() const { return descriptor_; }

  bool Fill(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      text.remove_prefix(static_cast<size_t>(written));
    }
    return ::lseek(descriptor_, 0, SEEK_SET) == 0;
  }

  std::string Read(size_t limit) const {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) return "";
    std::string text(std::min(static_cast<size_t>(status.st_size), limit), '\0');
    const ssize_t got = ::pread(descriptor_, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }

 private:
  const int descriptor_;
};

namespace {

// What the child does before it becomes the program.
struct ChildSetup {
  int network;  // -1: stays where it is

  template <class Launcher>
  boost::system::error_code on_exec_setup(Launcher&, const process_v2::filesystem::path&,
                                          const char* const*&) const {
    const rlimit output{CommandDoor::kOutputBytesMax, CommandDoor::kOutputBytesMax};
    const bool ok = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                    ::setrlimit(RLIMIT_FSIZE, &output) == 0 &&
                    (network < 0 || ::setns(network, CLONE_NEWNET) == 0) &&
                    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
    if (ok) return {};
    return {errno, boost::system::system_category()};
  }
};

std::string JoinWords(const bus::RunCommand& run) {
  std::string text;
  for (const std::string& word : run.words()) StrAppend(&text, text.empty() ? "" : " ", word);
  return text;
}

}  // namespace

struct CommandDoor::Command {
  explicit Command(boost::asio::io_context& io) : timer(io) {}
  std::string part;
  uint64_t number = 0;
  std::string text;  // "ip -batch -"
  Trace trace;
  CommandFile input;
  CommandFile output;
  CommandFile errors;
  boost::asio::steady_timer timer;
  std::unique_ptr<process_v2::process> child;
  bool timed_out = false;
};

CommandDoor::CommandDoor(RuntimeHost* host, boost::asio::io_context& io,
                         const NetworkSpaces* spaces, Programs programs)
    : host_(host), io_(io), spaces_(spaces), programs_(std::move(programs)) {}

CommandDoor::~CommandDoor() = default;  // a process object ends its process

absl::StatusOr<CommandDoor::Programs> CommandDoor::FindPrograms(
    const std::vector<std::string>& names) {
  const char* path = std::getenv("PATH");
  const std::string folders = StrCat(path == nullptr ? "" : path, ":/usr/sbin:/usr/bin:/sbin:/bin");
  Programs programs;
  std::string missing;
  for (const std::string& name : names) {
    for (std::string_view folder : StrSplit(folders, ':')) {
      const std::string file = StrCat(folder, "/", name);
      if (folder.starts_with('/') && ::access(file.c_str(), X_OK) == 0) {
        programs.emplace(name, file);
      }
    }
    if (!programs.contains(name)) StrAppend(&missing, missing.empty() ? "" : ", ", name);
  }
  if (missing.empty()) return programs;
  return absl::NotFoundError(StrCat("not found on the PATH: ", missing));
}

void CommandDoor::Receive(const Message& message) {
  const auto& run = message.As<bus::RunCommand>();
  auto command = std::make_unique<Command>(io_);
  command->part = message.from;
  command->number = run.number();
  command->text = JoinWords(run);
  command->trace = message.Context();
  const absl::Status started = Start(run, command.get());
  if (!started.ok()) return Answer(*command, "", std::string(started.message()));
  const uint64_t id = next_++;
  Command& running = *(commands_[id] = std::move(command));
  running.child->async_wait([this, id](const boost::system::error_code& error, int exit_code) {
    Finish(id, error ? -1 : exit_code);
  });
  const std::chrono::milliseconds wanted(run.timeout_ms());
  running.timer.expires_after(std::min(wanted, kTimeoutMax));
  running.timer.async_wait([this, id](const boost::system::error_code& aborted) {
    const auto it = commands_.find(id);
    if (aborted || it == commands_.end()) return;
    it->second->timed_out = true;
    ::kill(it->second->child->id(), SIGKILL);  // Finish follows
  });
}

absl::Status CommandDoor::Start(const bus::RunCommand& run, Command* command) {
  const auto program = programs_.find(run.words().empty() ? "" : run.words(0));
  if (program == programs_.end()) {
    return absl::PermissionDeniedError("this process may not run that program");
  }
  if (commands_.size() >= kCommandsMax) {
    return absl::ResourceExhaustedError(
        StrCat("limit: no more than ", kCommandsMax, " commands at a time"));
  }
  ChildSetup setup{-1};
  if (absl::Status status = spaces_->Find(run.network(), &setup.network); !status.ok()) {
    return status;
  }
  if (!command->input.Fill(run.input())) {
    return absl::InternalError(StrCat("no memory for its input: ", std::strerror(errno)));
  }
  try {
    command->child = std::make_unique<process_v2::process>(
        io_, program->second, std::vector<std::string>(run.words().begin() + 1, run.words().end()),
        process_v2::process_stdio{command->input.descriptor(), command->output.descriptor(),
                                  command->errors.descriptor()},
        setup);
  } catch (const std::exception& error) {
    return absl::InternalError(StrCat("cannot start ", program->second, ": ", error.what()));
  }
  return absl::OkStatus();
}

void CommandDoor::Finish(uint64_t id, int exit_code) {
  const auto it = commands_.find(id);
  const std::unique_ptr<Command> command = std::move(it->second);
  commands_.erase(it);
  std::string error;
  if (exit_code != 0) {
    std::string said = command->errors.Read(kErrorBytesMax);
    while (!said.empty() && said.back() == '\n') said.pop_back();
    error =
        command->timed_out ? "it took too long and was killed" : StrCat("exit code ", exit_code);
    if (!said.empty()) StrAppend(&error, ": ", said);
  }
  Answer(*command, command->output.Read(kOutputBytesMax), std::move(error));
}

void CommandDoor::Answer(const Command& command, std::string output, std::string error) {
  if (!error.empty()) log_.Warn(StrCat("command \"", command.text, "\" failed: ", error));
  bus::CommandDone done;
  done.set_number(command.number);
  done.set_error(std::move(error));
  done.set_output(std::move(output));
  host_->Inject(host_->process() + "/door", command.part, std::move(done), command.trace);
}

}  // namespace kubemu
