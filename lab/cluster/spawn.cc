#include "lab/cluster/spawn.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/asio/write.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cstdio>
#include <fstream>
#include <memory>

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

absl::StatusOr<pid_t> SpawnDetached(const std::filesystem::path& program,
                                    const std::vector<std::string>& arguments,
                                    const std::filesystem::path& log) {
  absl::StatusOr<File> out = OpenLog(log);
  if (!out.ok()) return out.status();
  try {
    asio::io_context context;
    process::process child(context, program.string(), arguments,
                           process::process_stdio{nullptr, out->get(), out->get()}, NewSession{});
    const pid_t pid = child.id();
    child.detach();
    return pid;
  } catch (const std::exception& error) {
    return CannotStart(program, error);
  }
}

absl::StatusOr<std::string> RunWithInput(const std::filesystem::path& program,
                                         const std::vector<std::string>& arguments,
                                         const std::string& input,
                                         const std::filesystem::path& log) {
  absl::StatusOr<File> err = OpenLog(log);
  if (!err.ok()) return err.status();
  try {
    asio::io_context context;
    asio::writable_pipe to_child(context);
    asio::readable_pipe from_child(context);
    process::process child(context, program.string(), arguments,
                           process::process_stdio{to_child, from_child, err->get()}, NewSession{});
    boost::system::error_code error;
    asio::write(to_child, asio::buffer(input), error);
    to_child.close();
    std::string output;
    asio::read(from_child, asio::dynamic_buffer(output), error);
    if (const int code = child.wait(); code != 0) {
      return absl::InternalError(
          StrCat(program.string(), " ended with code ", code, "; see ", log.string()));
    }
    return output;
  } catch (const std::exception& error) {
    return CannotStart(program, error);
  }
}

}  // namespace kubemu
