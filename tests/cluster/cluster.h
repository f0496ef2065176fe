#ifndef KUBEMU_TESTS_CLUSTER_CLUSTER_H_
#define KUBEMU_TESTS_CLUSTER_CLUSTER_H_

#include <boost/json/value.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lab/observe/message_log.h"

namespace kubemu {

// What a command printed and how it ended.
struct CommandResult {
  int code = 0;
  std::string out;
  std::string err;
};

// Runs a program (found on the PATH if it has no '/') and waits for it.
CommandResult RunProgram(const std::vector<std::string>& command,
                         const std::map<std::string, std::string>& environment = {},
                         const std::string& input = "");

// A program that runs in the background until the end of the scope (SIGTERM, then it is waited
// for). Its output goes to `log`.
class Background {
 public:
  Background(const std::vector<std::string>& command, const std::filesystem::path& log);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

 private:
  struct Child;
  std::unique_ptr<Child> child_;
};

// Calls `done` every few milliseconds until it is true or the time is up. Returns whether it was.
bool Eventually(const std::function<bool()>& done, int seconds = 20);

// A description of a message in the journal; empty parts match everything.
struct Hop {
  std::string from;
  std::string to;
  std::string kind;
  std::string what;  // a part of SeenMessage::what
};

// A real cluster for one test: real programs, a home folder of its own, ended with all its
// processes by the destructor. If a test failed, its folder is kept and its name printed.
class Cluster {
 public:
  explicit Cluster(std::vector<std::string> up_flags = {});
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Each in the environment of this cluster. `words` is split at spaces; quotes do not matter.
  CommandResult Kubemu(const std::string& words);
  CommandResult Kubectl(const std::string& words, const std::string& input = "");
  // kubectl apply -f - with this manifest; fails the test if kubectl does.
  void Apply(const std::string& manifest);
  // kubectl get <words> -o jsonpath=<path>.
  std::string Get(const std::string& words, const std::string& jsonpath);
  // curl with a short time limit: the body, or "" if curl failed.
  std::string Curl(const std::string& url, const std::vector<std::string>& flags = {});
  // Waits until a Deployment has all its replicas available.
  bool RolledOut(const std::string& deployment);

  // The address of a Service's load balancer, "127.2.0.1", once it is there.
  std::string LoadBalancerIp(const std::string& service);
  // Address of node number `n`.
  std::string NodeIp(int n);
  // Signals one of the cluster's processes ("master", "node-2", "lb").
  void Signal(const std::string& process, int signal);
  std::string State(const std::string& process);

  // True if the journal has these messages, one after the other (others may stand between).
  bool Saw(const std::vector<Hop>& hops);
  // Waits for it: journals are written a moment after the fact.
  bool EventuallySaw(const std::vector<Hop>& hops, int seconds = 5);
  // How many messages match.
  int Count(const Hop& hop);

  const std::filesystem::path& home() const { return home_; }
  const CommandResult& up() const { return up_; }

 private:
  boost::json::value Status();

  std::filesystem::path home_;
  CommandResult up_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_CLUSTER_CLUSTER_H_
