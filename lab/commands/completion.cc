#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "lab/commands/commands.h"

namespace kubemu {
namespace {

// The flags of a command and of the commands below it, and the names of these.
std::string Options(const CLI::App& app) {
  std::string words;
  for (const CLI::App* below :
       app.get_parent() == nullptr ? std::vector<const CLI::App*>() : app.get_subcommands({})) {
    words += " " + below->get_name() + Options(*below);
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
  }
  return words;
}

// Written from the commands themselves, so it knows every one of them and its flags.
void PrintBash(const CLI::App& app) {
  std::string commands;
  std::cout << "_kubemu() {\n  local word=${COMP_WORDS[COMP_CWORD]} command= i\n"
            << "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
            << "    [[ ${COMP_WORDS[i]} != -* ]] && command=${COMP_WORDS[i]} && break\n  done\n"
            << "  local words\n  case $command in\n";
  for (const CLI::App* command : app.get_subcommands({})) {
    commands += " " + command->get_name();
    std::cout << "    " << command->get_name() << ") words=\"" << Options(*command) << Options(app)
              << "\" ;;\n";
  }
  std::cout << "    *) words=\"" << commands << Options(app) << "\" ;;\n  esac\n"
            << "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
            << "complete -F _kubemu kubemu\n";
}

void PrintZsh(const CLI::App& app) {
  std::cout << "autoload -U +X bashcompinit && bashcompinit\n";
  PrintBash(app);
}

}  // namespace

void AddCompletionCommand(CLI::App& app, CommandContext&) {
  auto shell = std::make_shared<std::string>("bash");
  CLI::App* command = app.add_subcommand("completion", "print completions for a shell");
  command->add_option("shell", *shell, "bash or zsh")->check(CLI::IsMember({"bash", "zsh"}));
  command->footer("Example:\n  source <(kubemu completion bash)");
  command->callback([shell, &app] { *shell == "zsh" ? PrintZsh(app) : PrintBash(app); });
}

}  // namespace kubemu
