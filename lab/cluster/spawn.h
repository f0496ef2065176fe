#ifndef KUBEMU_LAB_CLUSTER_SPAWN_H_
#define KUBEMU_LAB_CLUSTER_SPAWN_H_

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kubemu {

// The folder of the running program: the other programs stand beside it.
std::filesystem::path ProgramFolder();

// Starts a program that outlives us: a session of its own, standard input from /dev/null, standard
// output and error appended to `log`. Returns its pid.
absl::StatusOr<pid_t> SpawnDetached(const std::filesystem::path& program,
                                    const std::vector<std::string>& arguments,
                                    const std::filesystem::path& log);

// The same, with `input` on standard input; waits for the program to end and returns what it wrote
// to standard output. Internal, with its standard error's end, if it exits with another code than
// 0.
absl::StatusOr<std::string> RunWithInput(const std::filesystem::path& program,
                                         const std::vector<std::string>& arguments,
                                         const std::string& input,
                                         const std::filesystem::path& log);

}  // namespace kubemu

#endif  // KUBEMU_LAB_CLUSTER_SPAWN_H_
