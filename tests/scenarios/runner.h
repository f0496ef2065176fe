#ifndef KUBEMU_TESTS_SCENARIOS_RUNNER_H_
#define KUBEMU_TESTS_SCENARIOS_RUNNER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lab/simulator/sim_cluster.h"

namespace kubemu {

// One command of a scenario with what belongs to it.
struct ScenarioCommand {
  std::string line;                         // as written
  std::vector<std::string> words;           // of the line, without key=value
  std::map<std::string, std::string> keys;  // its key=value words
  std::vector<std::string> below;           // indented lines, or those up to EOF after "<<EOF"
};

std::vector<ScenarioCommand> ParseScenario(const std::string& script);

// Runs a scenario in the simulator and writes down what is to be seen. The commands:
//   start nodes=N [cpu=C] [seed=S] [dns=1]   a cluster; returns when its nodes (and, with dns, its
//                                    coredns pods) are Ready
//   run 5s | 200ms                   time passes
//   apply <<EOF ... EOF              a manifest
//   scale DEPLOYMENT N               or: delete-pod app=A (the first of them)
//   wait app=A pods=N                until so many pods of the app are Ready, and 2 s more
//   wait node=N ready=True|False|Unknown
//   kill | restart | pause | resume PROCESS, engine down|up NODE, cut | mend PROCESS PROCESS
//   curl IP:PORT [times=N] [path=/]  the answers, each different one once
//   get RESOURCE                     the server's table, without ages
//   show TARGET POINTER...           single values of an object, "/status/phase"
//   mark                             `messages` begins here
//   messages                         those that match any of the filters in the lines below:
//                                    from= to= kind= text= (all given must match; + is a space),
//                                    background=1, first=1 (only the first one)
//   trace last-apply                 what the last apply caused, as a tree
// Generated names are written as web-<1>, web-<2> in the order in which they appear.
class ScenarioRunner {
 public:
  // The transcript: each command after "> ", below it what it showed.
  std::string Run(const std::string& script);

 private:
  using Lines = std::vector<std::string>;

  void RunCommand(const ScenarioCommand& command, Lines* out);
  bool RunVerb(const ScenarioCommand& command);
  void Start(const ScenarioCommand& command, Lines* out);
  void Apply(const ScenarioCommand& command, Lines* out);
  void Scale(const ScenarioCommand& command, Lines* out);
  void DeletePod(const ScenarioCommand& command, Lines* out);
  void Wait(const ScenarioCommand& command, Lines* out);
  void Curl(const ScenarioCommand& command, Lines* out);
  void Get(const ScenarioCommand& command, Lines* out);
  void Show(const ScenarioCommand& command, Lines* out);
  void Messages(const ScenarioCommand& command, Lines* out);
  void Trace(const ScenarioCommand& command, Lines* out);

  std::unique_ptr<SimCluster> cluster_;
  WallTime mark_{};
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_SCENARIOS_RUNNER_H_
