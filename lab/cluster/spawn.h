#ifndef KUBEMU_LAB_CLUSTER_SPAWN_H_
#define KUBEMU_LAB_CLUSTER_SPAWN_H_

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kubemu {

// The folder of the running program: the other programs stand beside it.
std::filesystem::path ProgramFolder();

// Starts a kubemu program: a session of its own, standard output and error appended to `log`. Until
// Release it ends when we do, even if we are killed: its standard input is a pipe that it watches
// (flag --exit-with-parent 0, which is added to `arguments`). Released, it outlives us.
class Spawned {
 public:
  static absl::StatusOr<Spawned> Start(const std::filesystem::path& program,
                                       std::vector<std::string> arguments,
                                       const std::filesystem::path& log);
  Spawned(Spawned&&) noexcept;
  ~Spawned();

  pid_t pid() const { return pid_; }
  void Release();

 private:
  Spawned(pid_t pid, int pipe) : pid_(pid), pipe_(pipe) {}
  pid_t pid_;
  int pipe_;  // the other end; -1: released
};

// A program that answers each line of its standard input with a line of its standard output.
class LineConversation {
 public:
  // Standard error is appended to `log`.
  static absl::StatusOr<std::unique_ptr<LineConversation>> Start(
      const std::filesystem::path& program, const std::vector<std::string>& arguments,
      const std::filesystem::path& log);
  ~LineConversation();
  LineConversation(const LineConversation&) = delete;
  LineConversation& operator=(const LineConversation&) = delete;

  // Writes a line and returns the answer. Internal if the program has ended.
  absl::StatusOr<std::string> Ask(const std::string& line);
  // Writes a line that gets no answer. Internal if the program has ended.
  absl::Status Tell(const std::string& line);
  // Closes its standard input and waits for its end. Internal if it exits with another code than 0.
  absl::Status Finish();

 private:
  struct Impl;
  explicit LineConversation(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kubemu

#endif  // KUBEMU_LAB_CLUSTER_SPAWN_H_
