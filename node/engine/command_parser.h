#ifndef KUBEMU_NODE_ENGINE_COMMAND_PARSER_H_
#define KUBEMU_NODE_ENGINE_COMMAND_PARSER_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "node/engine/program.h"

namespace kubemu {

// What commands know about the container they run in.
struct ShellContext {
  std::string hostname;
  std::vector<std::pair<std::string, std::string>> env;
  std::map<std::string, std::string> files;  // that `cat` finds, "/etc/hosts"
};

// The program of a command line as busybox would run it: sleep, echo, printf, true, false, exit,
// wget, curl, nslookup, cat, ls, env, hostname [-f|-i], date, tail -f, `sh -c SCRIPT`. A script's
// commands stand between ; & && || and line ends, in `while true; do ... done`, with '...', "...",
// $VAR and
// ${VAR}; redirections are read past. A command that is not known ends like one that is missing:
// as the container's own command it cannot be started, in a script its status is 127.
ContainerProgram ParseCommand(const std::vector<std::string>& argv, const ShellContext& context);

// "5", "1.5", "2m", "1h", "500ms"; false if it is none of these.
bool ParseSleep(std::string_view text, Duration* duration);

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_COMMAND_PARSER_H_
