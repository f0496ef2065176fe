#include "lab/cluster/spawn.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/asio/write.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

namespace asio = boost::asio;
namespace process = boost::process::v2;

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

// A session of its own: neither the terminal's Ctrl-C nor its hang-up reaches the process. And none
// of our descriptors but the three given: a pipe that lives on in a detached process would keep
// whoever reads its other end waiting for ever.
struct NewSession {
  template <class Launcher>
  boost::system::error_code on_exec_setup(Launcher&, const process::filesystem::path&,
                                          const char* const*&) {
    if (setsid() < 0) return {errno, boost::system::system_category()};
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
      return {errno, boost::system::system_category()};
    }
    return {};
  }
};

absl::StatusOr<File> OpenLog(const std::filesystem::path& log) {
  File file(std::fopen(log.c_str(), "ae"), &std::fclose);
  if (!file) return absl::InternalError(StrCat("cannot write the log ", log.string()));
  return file;
}

absl::Status CannotStart(const std::filesystem::path& program, const std::exception& error) {
  return absl::InternalError(StrCat("cannot start ", program.string(), ": ", error.what()));
}

}  // namespace

std::filesystem::path ProgramFolder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

Spawned::Spawned(Spawned&& other) noexcept
    : pid_(other.pid_), pipe_(std::exchange(other.pipe_, -1)) {}

Spawned::~Spawned() {
  if (pipe_ >= 0) close(pipe_);
}

void Spawned::Release() {
  const char go_on = '\n';
  // Should it have ended already, whoever waits for it will see that.
  [[maybe_unused]] const ssize_t written = write(pipe_, &go_on, 1);
  close(std::exchange(pipe_, -1));
}

absl::StatusOr<Spawned> Spawned::Start(const std::filesystem::path& program,
                                       std::vector<std::string> arguments,
                                       const std::filesystem::path& log) {
  absl::StatusOr<File> out = OpenLog(log);
  if (!out.ok()) return out.status();
  arguments.insert(arguments.end(), {"--exit-with-parent", "0"});
  try {
    asio::io_context context;
    asio::writable_pipe to_child(context);
    process::process child(context, program.string(), arguments,
                           process::process_stdio{to_child, out->get(), out->get()}, NewSession{});
    const pid_t pid = child.id();
    child.detach();
    return Spawned(pid, to_child.release());
  } catch (const std::exception& error) {
    return CannotStart(program, error);
  }
}

struct LineConversation::Impl {
  Impl(const std::filesystem::path& path, const std::vector<std::string>& arguments,
       const std::filesystem::path& log_path, FILE* err)
      : program(path),
        log(log_path),
        to_child(context),
        from_child(context),
        child(context, path.string(), arguments, process::process_stdio{to_child, from_child, err},
              NewSession{}) {}

  absl::Status Ended(const std::string& how) const {
    return absl::InternalError(StrCat(program.string(), " ", how, "; see ", log.string()));
  }

  const std::filesystem::path program;
  const std::filesystem::path log;
  asio::io_context context;
  asio::writable_pipe to_child;
  asio::readable_pipe from_child;
  process::process child;
  std::string buffer;
};

LineConversation::LineConversation(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LineConversation::~LineConversation() = default;

absl::StatusOr<std::unique_ptr<LineConversation>> LineConversation::Start(
    const std::filesystem::path& program, const std::vector<std::string>& arguments,
    const std::filesystem::path& log) {
  absl::StatusOr<File> err = OpenLog(log);
  if (!err.ok()) return err.status();
  try {
    return std::unique_ptr<LineConversation>(
        new LineConversation(std::make_unique<Impl>(program, arguments, log, err->get())));
  } catch (const std::exception& error) {
    return CannotStart(program, error);
  }
}

absl::Status LineConversation::Tell(const std::string& line) {
  boost::system::error_code error;
  asio::write(impl_->to_child, asio::buffer(line + "\n"), error);
  return error ? impl_->Ended("takes no more input") : absl::OkStatus();
}

absl::StatusOr<std::string> LineConversation::Ask(const std::string& line) {
  if (absl::Status status = Tell(line); !status.ok()) return status;
  boost::system::error_code error;
  const size_t length =
      asio::read_until(impl_->from_child, asio::dynamic_buffer(impl_->buffer), '\n', error);
  if (error) return impl_->Ended("ended");
  std::string answer = impl_->buffer.substr(0, length - 1);
  impl_->buffer.erase(0, length);
  return answer;
}

absl::Status LineConversation::Finish() {
  impl_->to_child.close();
  const int code = impl_->child.wait();
  return code == 0 ? absl::OkStatus() : impl_->Ended(StrCat("ended with code ", code));
}

}  // namespace kubemu
