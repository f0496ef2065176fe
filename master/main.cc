#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "master/master.h"
#include "master/store/memory_storage.h"
#include "master/store/sqlite_storage.h"
#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "messages/runtime/command_line.h"

// kubemu-master: the control plane of a cluster in one process.
namespace kubemu {
namespace {

struct Flags {
  CommonFlags common;
  std::string service_cidr = "10.96.0.0/12";
  std::string pod_cidr = "10.244.0.0/16";
  double grace = 40;  // seconds
  bool cluster_dns = false;
};

absl::StatusOr<std::unique_ptr<Storage>> OpenStorage(const std::string& data) {
  if (data.empty()) {
    spdlog::warn("no --data: the cluster is forgotten when this process ends");
    return std::make_unique<MemoryStorage>(std::make_shared<MemoryDisk>());
  }
  std::error_code error;
  std::filesystem::create_directories(data, error);
  if (error) {
    return absl::UnavailableError(StrCat("cannot make ", data, ": ", error.message()));
  }
  return SqliteStorage::Open(data + "/store.db");
}

absl::StatusOr<std::unique_ptr<Program>> MakeMaster(Master::Options options,
                                                    const std::string& data,
                                                    const ProcessRuntime::Addresses& addresses) {
  const auto http = SocketAddress::Parse(addresses.http);
  if (!http.ok()) return http.status();
  options.apiserver.ip = http->ip.ToString();
  options.apiserver.port = http->port;
  auto storage = OpenStorage(data);
  if (!storage.ok()) return storage.status();
  auto master = std::make_unique<Master>(std::move(options), *std::move(storage));
  if (!master->store_status().ok()) return master->store_status();
  return master;
}

void AddFlags(CLI::App& app, Flags* flags) {
  ProcessRuntime::Options& runtime = flags->common.runtime;
  runtime.process = "master";
  runtime.endpoint = "tcp://127.0.0.1:7100";
  runtime.http_listen = "127.0.0.1:6443";
  AddCommonFlags(app, &flags->common);
  app.add_option("--listen", runtime.http_listen,
                 "address of the Kubernetes API (HTTP), for kubectl; port 0: any")
      ->capture_default_str();
  app.add_option("--service-cidr", flags->service_cidr,
                 "network of the Services' cluster addresses")
      ->capture_default_str();
  app.add_option("--pod-cidr", flags->pod_cidr, "network of the pods; each node gets a part of it")
      ->capture_default_str();
  app.add_option("--node-monitor-grace-period", flags->grace,
                 "seconds without a sign of life until a node counts as not ready; --time-scale "
                 "divides them")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 3600.0));
}

void AddDnsFlag(CLI::App& app, Flags* flags) {
  app.add_flag("--cluster-dns,!--no-cluster-dns", flags->cluster_dns,
               "make Deployment coredns and Service kube-dns (the tenth address of --service-cidr) "
               "in namespace kube-system, where they are not there");
}

int Main(int argc, char** argv) {
  CLI::App app("The control plane of a kubemu cluster: API server, store, scheduler, controllers.",
               "kubemu-master");
  app.footer(
      "Examples:\n"
      "  kubemu-master --data /tmp/cluster\n"
      "  kubemu-master --listen 127.0.0.1:0 --endpoint tcp://127.0.0.1:0 --time-scale 10\n"
      "  kubectl --server http://127.0.0.1:6443 get nodes");
  Flags flags;
  AddFlags(app, &flags);
  AddDnsFlag(app, &flags);
  if (const auto exit_code = ParseCommandLine(app, argc, argv)) return *exit_code;

  Master::Options options;
  const auto services = Ipv4Network::Parse(flags.service_cidr);
  if (!services.ok())
    return BadFlag(app, StrCat("--service-cidr: ", std::string(services.status().message())));
  options.apiserver.addresses.cluster_ips = *services;
  if (flags.cluster_dns && services->size() <= ServiceAddresses::kDnsIndex + 1) {
    return BadFlag(app, StrCat("--service-cidr: ", flags.service_cidr,
                               " has no tenth address for --cluster-dns"));
  }
  options.apiserver.cluster_dns = flags.cluster_dns;
  const auto pods = Ipv4Network::Parse(flags.pod_cidr);
  if (!pods.ok()) return BadFlag(app, StrCat("--pod-cidr: ", std::string(pods.status().message())));
  if (pods->prefix() > options.node_ipam.node_prefix) {
    return BadFlag(app, StrCat("--pod-cidr: ", flags.pod_cidr, " has no room for a node's /",
                               options.node_ipam.node_prefix));
  }
  options.node_ipam.cluster_cidr = *pods;
  options.node_lifecycle.monitor_grace = Duration(static_cast<int64_t>(flags.grace * 1e9));
  return RunProgram(flags.common, [&](const ProcessRuntime::Addresses& addresses) {
    return MakeMaster(options, flags.common.data, addresses);
  });
}

}  // namespace
}  // namespace kubemu

int main(int argc, char** argv) {
  return kubemu::Main(argc, argv);
}
