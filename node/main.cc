#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "messages/api/quantity.h"
#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "messages/dns/dns_name.h"
#include "messages/runtime/command_door.h"
#include "messages/runtime/command_line.h"
#include "messages/runtime/network_spaces.h"
#include "node/fork_server.h"
#include "node/kernel/kernel_dataplane.h"
#include "node/node.h"

// kubemu-node: one emulated node in one process.
namespace kubemu {
namespace {

constexpr std::string_view kServeForks = "--serve-forks";
constexpr size_t kNameMax = 63;  // a name that kubectl, hostnames and file names all take

struct Flags {
  CommonFlags common;
  std::string address = "127.1.0.1";
  std::string endpoint;
  std::string labels;
  std::string pod_cidr = "10.244.0.0/16";
  double pull_delay = 0;  // seconds
  std::string node_port_addresses;
  std::string dataplane = "emulated";
  std::string cluster_dns = KubeletOptions().cluster_dns.ToString();
  KubeletOptions kubelet;
  KubeProxy::Options proxy;
  bool serve_forks = false;
};

std::string CheckName(const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  const bool edges = !name.empty() && name.front() != '-' && name.front() != '.' &&
                     name.back() != '-' && name.back() != '.';
  if (!edges || name.size() > kNameMax || !std::all_of(name.begin(), name.end(), plain)) {
    return StrCat("\"", name, "\" is not a node name: up to ", kNameMax,
                  " lower case letters, digits, '-' and '.', as in node-1");
  }
  if (name == "master" || name == "lb" || name == "lab" || name == "client" || name == "internet") {
    return StrCat("\"", name, "\" is the name of another part of kubemu");
  }
  return "";
}

std::string CheckDomain(const std::string& text) {
  const auto labels = dns::SplitName(text);
  return labels && !labels->empty() ? ""
                                    : StrCat("\"", text, "\" is not a domain, as cluster.local");
}

std::string CheckQuantity(const std::string& text) {
  const absl::StatusOr<Quantity> quantity = Quantity::Parse(text);
  return quantity.ok() && quantity->Sign() > 0
             ? ""
             : StrCat("\"", text, "\" is not a quantity above zero such as 4, 500m or 8Gi");
}

// "zone=a,disk=ssd"; false: not of that form.
bool ParseLabels(const std::string& text, std::map<std::string, std::string>* labels) {
  if (text.empty()) return true;
  for (const std::string_view pair : StrSplit(text, ',')) {
    const size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos) return false;
    (*labels)[std::string(pair.substr(0, equals))] = std::string(pair.substr(equals + 1));
  }
  return true;
}

// kube-proxy's own flags, under their own names.
void AddProxyFlags(CLI::App& app, Flags* flags) {
  app.add_option("--dataplane", flags->dataplane,
                 "emulated, or kernel: real iptables, routes and pod interfaces, in a network "
                 "namespace of the node's own (needs root)")
      ->capture_default_str()
      ->check(CLI::IsMember({"emulated", "kernel"}));
  app.add_flag("--masquerade-all", flags->proxy.masquerade_all,
               "kube-proxy: masquerade all that is sent to a ClusterIP");
  app.add_option("--iptables-localhost-nodeports", flags->proxy.localhost_node_ports,
                 "kube-proxy: serve NodePorts on the loopback network too")
      ->capture_default_str();
  app.add_option("--nodeport-addresses", flags->node_port_addresses,
                 "kube-proxy: networks, \"10.0.0.0/8,127.0.0.0/8\"; NodePorts are served on the "
                 "node's address if one of them holds it; default: on every local address");
}

void AddFlags(CLI::App& app, Flags* flags) {
  ProcessRuntime::Options& runtime = flags->common.runtime;
  runtime.master = "tcp://127.0.0.1:7100";
  runtime.endpoint = "";
  runtime.small_memory = true;
  app.add_option("--name", runtime.process, "name of the node and of this process")
      ->required()
      ->check(CheckName);
  app.add_option("--master", runtime.master, "ZeroMQ endpoint of kubemu-master")
      ->capture_default_str();
  app.add_option("--address", flags->address,
                 "the node's own address: it listens there for NodePorts and other processes")
      ->capture_default_str();
  AddCommonFlags(app, &flags->common);
  app.add_option("--cpu", flags->kubelet.cpu, "capacity: cores")
      ->capture_default_str()
      ->check(CheckQuantity);
  app.add_option("--memory", flags->kubelet.memory, "capacity: memory")
      ->capture_default_str()
      ->check(CheckQuantity);
  app.add_option("--ephemeral-storage", flags->kubelet.ephemeral_storage, "capacity: storage")
      ->capture_default_str()
      ->check(CheckQuantity);
  app.add_option("--pods", flags->kubelet.pods, "capacity: pods")
      ->capture_default_str()
      ->check(CLI::Range(0, 10000));
  app.add_option("--labels", flags->labels, "labels of the Node, \"zone=a,disk=ssd\"");
  app.add_option("--pod-cidr", flags->pod_cidr, "network of all pods, as given to kubemu-master")
      ->capture_default_str();
  app.add_option("--cluster-dns", flags->cluster_dns,
                 "kubelet: the name server of pods, the address of Service kube-dns; \"\": none")
      ->capture_default_str();
  app.add_option("--cluster-domain", flags->kubelet.cluster_domain,
                 "kubelet: the domain of Services, as cluster DNS has it")
      ->capture_default_str()
      ->check(CheckDomain);
  app.add_option("--pull-delay", flags->pull_delay,
                 "seconds until an image that is new on the node is there")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  AddProxyFlags(app, flags);
  app.add_flag(
      std::string(kServeForks), flags->serve_forks,
      "alone: start many nodes, one for each line {\"args\": [...], \"log\": FILE} of stdin");
}

// "" or what is wrong with the flags that depend on each other.
std::string Resolve(Flags* flags, Node::Options* options) {
  const auto address = Ipv4::Parse(flags->address);
  if (!address.ok()) return StrCat("--address: ", std::string(address.status().message()));
  const auto pods = Ipv4Network::Parse(flags->pod_cidr);
  if (!pods.ok()) return StrCat("--pod-cidr: ", std::string(pods.status().message()));
  if (!ParseLabels(flags->labels, &flags->kubelet.labels)) {
    return StrCat("--labels: \"", flags->labels, "\" is not of the form zone=a,disk=ssd");
  }
  if (!flags->cluster_dns.empty()) {
    const auto dns = Ipv4::Parse(flags->cluster_dns);
    if (!dns.ok()) return StrCat("--cluster-dns: ", std::string(dns.status().message()));
    flags->kubelet.cluster_dns = *dns;
  } else {
    flags->kubelet.cluster_dns = Ipv4();
  }
  ProcessRuntime::Options& runtime = flags->common.runtime;
  if (runtime.endpoint.empty()) runtime.endpoint = StrCat("tcp://", flags->address, ":0");
  options->kubelet = flags->kubelet;
  options->kubelet.node = runtime.process;
  options->kubelet.address = *address;
  options->pull_delay = Duration(static_cast<int64_t>(flags->pull_delay * 1e9));
  options->proxy = flags->proxy;
  options->proxy.cluster_cidr = *pods;
  if (flags->node_port_addresses.empty()) return "";
  for (std::string_view text : StrSplit(flags->node_port_addresses, ',')) {
    const auto network = Ipv4Network::Parse(text);
    if (!network.ok()) {
      return StrCat("--nodeport-addresses: ", std::string(network.status().message()));
    }
    options->proxy.node_port_addresses.push_back(*network);
  }
  return "";
}

// "" or what the kernel's data plane lacks here.
std::string PrepareKernel(Flags* flags, Node::Options* options) {
  if (options->kubelet.address.IsLoopback()) {
    return StrCat("--dataplane kernel: --address ", flags->address,
                  " is a loopback address; give that of an interface in the node's own network "
                  "namespace");
  }
  if (!flags->common.runtime.insecure) {
    return "--dataplane kernel: pods get real addresses; --insecure has to allow other than "
           "loopback addresses";
  }
  if (const absl::Status status = CheckOwnNetwork(); !status.ok()) {
    return StrCat("--dataplane kernel: ", std::string(status.message()));
  }
  auto programs = CommandDoor::FindPrograms(KernelDataplane::Programs());
  if (!programs.ok()) {
    return StrCat("--dataplane kernel: ", std::string(programs.status().message()),
                  "; install the packages iproute2, iptables and procps");
  }
  flags->common.runtime.commands = *std::move(programs);
  options->kernel_dataplane = true;
  return "";
}

int RunNode(const std::vector<std::string>& arguments) {
  CLI::App app("One node of a kubemu cluster: kubelet, container engine, kube-proxy, iptables.",
               "kubemu-node");
  app.footer(
      "Examples:\n"
      "  kubemu-node --name node-1 --address 127.1.0.1 --master tcp://127.0.0.1:7100\n"
      "  kubemu-node --name big --cpu 64 --memory 256Gi --labels zone=a,disk=ssd\n"
      "  ip netns exec n1 kubemu-node --name n1 --address 10.77.0.2 --insecure \\\n"
      "    --master tcp://10.77.0.1:7100 --dataplane kernel");
  Flags flags;
  AddFlags(app, &flags);
  std::vector<const char*> argv = {"kubemu-node"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  if (const auto exit_code = ParseCommandLine(app, static_cast<int>(argv.size()), argv.data())) {
    return *exit_code;
  }
  if (flags.serve_forks) return BadFlag(app, "--serve-forks goes with no other flag");
  // All nodes are forks of one command line: this is what tells them apart in ps and top.
  ::prctl(PR_SET_NAME, flags.common.runtime.process.c_str());
  Node::Options options;
  if (const std::string wrong = Resolve(&flags, &options); !wrong.empty()) {
    return BadFlag(app, wrong);
  }
  if (flags.dataplane == "kernel") {
    if (const std::string wrong = PrepareKernel(&flags, &options); !wrong.empty()) {
      return BadFlag(app, wrong);
    }
  }
  return RunProgram(flags.common, [&](const ProcessRuntime::Addresses& addresses) {
    options.kubelet.endpoint = addresses.endpoint;
    return std::unique_ptr<Program>(std::make_unique<Node>(options));
  });
}

int Main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == kServeForks) {
    auto child = ForkServer::Serve();
    if (!child) return kExitOk;
    arguments = *std::move(child);
  }
  return RunNode(arguments);
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
