#include "tests/cluster/cluster.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <boost/process/v2/environment.hpp>
// Boost 1.81 forgets this one in header-only use.
#include <boost/process/v2/impl/environment.ipp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "lab/observe/journal_files.h"

namespace kubemu {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace process = boost::process::v2;
using Clock = std::chrono::steady_clock;

std::vector<std::string> Split(const std::string& words) {
  std::istringstream in(words);
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::istringstream folders(getenv("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  }
  return name;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!extra.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : extra) result.push_back(name + "=" + value);
  return result;
}

}  // namespace

CommandResult RunProgram(const std::vector<std::string>& command,
                         const std::map<std::string, std::string>& environment,
                         const std::string& input) {
  CommandResult result;
  std::unique_ptr<FILE, int (*)(FILE*)> err(std::tmpfile(), &std::fclose);
  try {
    asio::io_context context;
    asio::writable_pipe to_child(context);
    asio::readable_pipe from_child(context);
    process::process child(context, FindProgram(command[0]),
                           std::vector<std::string>(command.begin() + 1, command.end()),
                           process::process_stdio{to_child, from_child, err.get()},
                           process::process_environment(Environment(environment)));
    boost::system::error_code error;
    asio::write(to_child, asio::buffer(input), error);
    to_child.close();
    asio::read(from_child, asio::dynamic_buffer(result.out), error);
    result.code = child.wait();
  } catch (const std::exception& error) {
    result.code = -1;
    result.err = error.what();
    return result;
  }
  std::rewind(err.get());
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, err.get())) > 0;) {
    result.err.append(buffer, n);
  }
  return result;
}

struct Background::Child {
  asio::io_context context;
  std::unique_ptr<process::process> process;
};

Background::Background(const std::vector<std::string>& command, const fs::path& log)
    : child_(std::make_unique<Child>()) {
  std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(log.c_str(), "we"), &std::fclose);
  child_->process = std::make_unique<process::process>(
      child_->context, FindProgram(command[0]),
      std::vector<std::string>(command.begin() + 1, command.end()),
      process::process_stdio{nullptr, out.get(), out.get()});
}

Background::~Background() {
  boost::system::error_code error;
  child_->process->request_exit(error);
  child_->process->wait(error);
}

bool Eventually(const std::function<bool()>& done, int seconds) {
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  while (!done()) {
    if (Clock::now() >= end) return false;
    poll(nullptr, 0, 20);
  }
  return true;
}

Cluster::Cluster(std::vector<std::string> up_flags) {
  std::string name = (fs::temp_directory_path() / "kubemu-test-XXXXXX").string();
  home_ = mkdtemp(name.data());
  std::string words = "up -o json";
  for (const std::string& flag : up_flags) words += " " + flag;
  up_ = Kubemu(words);
  EXPECT_EQ(up_.code, 0) << up_.err;
}

Cluster::~Cluster() {
  const CommandResult down = Kubemu("down");
  EXPECT_EQ(down.code, 0) << down.err;
  if (testing::Test::HasFailure()) {
    std::printf("the cluster's folder is kept: %s\n", home_.c_str());
  } else {
    fs::remove_all(home_);
  }
}

CommandResult Cluster::Kubemu(const std::string& words) {
  std::vector<std::string> command = Split(words);
  command.insert(command.begin(), KUBEMU_PROGRAM_DIR "/kubemu");
  return RunProgram(command, {{"KUBEMU_HOME", home_.string()}, {"KUBEMU_CLUSTER", "default"}});
}

CommandResult Cluster::Kubectl(const std::string& words, const std::string& input) {
  std::vector<std::string> command = Split(words);
  // Another version of kubectl than the one on the PATH may be tried by hand.
  const char* kubectl = getenv("KUBEMU_TEST_KUBECTL");
  command.insert(command.begin(), kubectl != nullptr ? kubectl : "kubectl");
  return RunProgram(command,
                    {{"KUBECONFIG", (home_ / "default" / "kubeconfig").string()},
                     {"KUBECACHEDIR", (home_ / "cache").string()},
                     {"HOME", home_.string()}},
                    input);
}

void Cluster::Apply(const std::string& manifest) {
  const CommandResult result = Kubectl("apply -f -", manifest);
  ASSERT_EQ(result.code, 0) << result.err << manifest;
}

std::string Cluster::Get(const std::string& words, const std::string& jsonpath) {
  return Kubectl("get " + words + " -o jsonpath=" + jsonpath).out;
}

std::string Cluster::Curl(const std::string& url, const std::vector<std::string>& flags) {
  std::vector<std::string> command = {"curl", "-sS", "--max-time", "5"};
  command.insert(command.end(), flags.begin(), flags.end());
  command.push_back(url);
  const CommandResult result = RunProgram(command);
  return result.code == 0 ? result.out : "";
}

bool Cluster::RolledOut(const std::string& deployment) {
  return Kubectl("rollout status deployment/" + deployment + " --timeout=30s").code == 0;
}

std::string Cluster::LoadBalancerIp(const std::string& service) {
  std::string ip;
  Eventually([&] {
    ip = Get("service " + service, "{.status.loadBalancer.ingress[0].ip}");
    return !ip.empty();
  });
  return ip;
}

std::string Cluster::NodeIp(int n) {
  return Get("node node-" + std::to_string(n), "{.status.addresses[0].address}");
}

boost::json::value Cluster::Status() {
  const CommandResult status = Kubemu("status -o json");
  EXPECT_EQ(status.code, 0) << status.err;
  return boost::json::parse(status.out);
}

void Cluster::Signal(const std::string& name, int signal) {
  const boost::json::value status = Status();
  for (const boost::json::value& entry : status.at("processes").as_array()) {
    if (entry.at("name").as_string() == name) {
      ASSERT_EQ(kill(static_cast<pid_t>(entry.at("pid").as_int64()), signal), 0);
      return;
    }
  }
  FAIL() << "no process " << name;
}

std::string Cluster::State(const std::string& name) {
  const boost::json::value status = Status();
  for (const boost::json::value& entry : status.at("processes").as_array()) {
    if (entry.at("name").as_string() == name) return entry.at("state").as_string().c_str();
  }
  return "";
}

namespace {

bool Matches(const SeenMessage& message, const Hop& hop) {
  MessageFilter filter;
  filter.from = hop.from;
  filter.to = hop.to;
  filter.kind = hop.kind;
  filter.text = hop.what;
  filter.background = true;
  return message.lost.empty() && filter.Matches(message);
}

}  // namespace

bool Cluster::Saw(const std::vector<Hop>& hops) {
  MessageLog log;
  JournalFiles(home_ / "default" / "journal").Read(&log).IgnoreError();
  size_t found = 0;
  for (const SeenMessage* message : log.Ordered()) {
    if (found < hops.size() && Matches(*message, hops[found])) ++found;
  }
  return found == hops.size();
}

bool Cluster::EventuallySaw(const std::vector<Hop>& hops, int seconds) {
  return Eventually([&] { return Saw(hops); }, seconds);
}

int Cluster::Count(const Hop& hop) {
  MessageLog log;
  JournalFiles(home_ / "default" / "journal").Read(&log).IgnoreError();
  int count = 0;
  for (const SeenMessage* message : log.Ordered()) count += Matches(*message, hop);
  return count;
}

}  // namespace kubemu
