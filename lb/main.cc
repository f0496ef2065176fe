#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "lb/lb.h"
#include "messages/core/ip.h"
#include "messages/runtime/command_line.h"

// kubemu-lb: the load balancer outside the cluster.
int main(int argc, char** argv) {
  using namespace kubemu;
  CLI::App app(
      "The load balancer of a kubemu cluster: an address for each Service of type "
      "LoadBalancer,\nconnections spread over the nodes.",
      "kubemu-lb");
  app.footer(
      "Examples:\n"
      "  kubemu-lb --master tcp://127.0.0.1:7100\n"
      "  kubemu-lb --master tcp://127.0.0.1:7100 --addresses 127.2.1.0/24 --data /tmp/lb\n"
      "  kubemu-lb --metrics 127.0.0.1:8405    # curl http://127.0.0.1:8405/metrics");
  CommonFlags flags;
  flags.runtime.process = "lb";
  flags.runtime.http_handler = "lb";
  flags.runtime.master = "tcp://127.0.0.1:7100";
  std::string addresses = "127.2.0.0/24";
  AddCommonFlags(app, &flags);
  app.add_option("--master", flags.runtime.master, "ZeroMQ endpoint of kubemu-master")
      ->capture_default_str();
  app.add_option("--addresses", addresses, "network to take the Services' addresses from")
      ->capture_default_str();
  app.add_option("--metrics", flags.runtime.http_listen,
                 "address for Prometheus: HTTP, path /metrics (default: none)");
  if (const auto exit_code = ParseCommandLine(app, argc, argv)) return *exit_code;

  LoadBalancer::Options options;
  const auto pool = Ipv4Network::Parse(addresses);
  if (!pool.ok()) return BadFlag(app, "--addresses: " + std::string(pool.status().message()));
  options.addresses = *pool;
  return RunProgram(flags, [&](const ProcessRuntime::Addresses&) {
    return std::unique_ptr<Program>(std::make_unique<Lb>(options));
  });
}
