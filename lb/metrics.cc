#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lb/status_report.h"
#include "messages/core/strings.h"

namespace kubemu {
namespace {

// Nodes of Services that get series of their own; Prometheus takes no more well. The series
// kubemu_lb_process_servers_left_out counts the others.
constexpr size_t kServersMax = 20'000;

constexpr Backend::Mode kModes[] = {Backend::Mode::kUp, Backend::Mode::kSlowStart,
                                    Backend::Mode::kEjected, Backend::Mode::kDraining,
                                    Backend::Mode::kDown};

struct ServerRow {
  std::string labels;
  const Backend::Server* server;
  const Balancer::Service* service;
};

// Writes one family after the other: HELP and TYPE once, then its series.
class MetricsWriter {
 public:
  explicit MetricsWriter(const ReportSource& source) : source_(source) {
    for (const auto& [key, service] : source.balancer.services()) {
      const size_t slash = key.find('/');
      const std::string labels = StrCat("namespace=\"", key.substr(0, slash), "\",service=\"",
                                        key.substr(slash + 1), "\"");
      fronts_.emplace_back(labels, service);
      for (const auto& [name, server] : service->backend.servers()) {
        if (servers_.size() < kServersMax) {
          servers_.push_back({StrCat(labels, ",node=\"", name, "\""), &server, service});
        } else {
          ++left_out_;
        }
      }
    }
  }

  std::string Write() {
    Process();
    Fronts();
    Servers();
    Checks();
    return std::move(out_);
  }

 private:
  void Family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = StrCat("kubemu_lb_", name);
    StrAppend(&out_, "# HELP ", name_, " ", help, "\n# TYPE ", name_, " ", type, "\n");
  }
  void Series(std::string_view labels, uint64_t value) {
    StrAppend(&out_, name_);
    if (!labels.empty()) StrAppend(&out_, "{", labels, "}");
    StrAppend(&out_, " ", value, "\n");
  }
  void PerFront(std::string_view name, std::string_view type, std::string_view help,
                const std::function<uint64_t(const Balancer::Service&)>& value) {
    Family(StrCat("frontend_", name), type, help);
    for (const auto& [labels, service] : fronts_) Series(labels, value(*service));
  }
  void PerServer(std::string_view name, std::string_view type, std::string_view help,
                 const std::function<uint64_t(const ServerRow&)>& value) {
    Family(StrCat("server_", name), type, help);
    for (const ServerRow& row : servers_) Series(row.labels, value(row));
  }

  void Process() {
    Family("process_current_connections", "gauge", "Connections that run now.");
    Series("", source_.balancer.connections());
    Family("process_connections_total", "counter", "Connections that were given a node.");
    Series("", source_.balancer.total());
    Family("process_unknown_address_total", "counter", "Connections to addresses of no Service.");
    Series("", source_.strangers);
    Family("process_servers_left_out", "gauge", "Nodes of Services without series, for the limit.");
    Series("", left_out_);
  }

  void Fronts() {
    using Service = Balancer::Service;
    Family("frontend_info", "gauge", "1; address and policy of the Service.");
    for (const auto& [labels, service] : fronts_) {
      const auto address = source_.fronts.AddressOf(service->key);
      Series(StrCat(labels, ",address=\"", address ? address->ToString() : "", "\",policy=\"",
                    PolicyName(service->settings.policy), "\""),
             1);
    }
    PerFront("current_sessions", "gauge", "Connections that run now.",
             [](const Service& service) { return service.counters.now; });
    PerFront("limit_sessions", "gauge", "Most connections at a time.",
             [](const Service& service) { return service.settings.connections_max; });
    PerFront("sessions_total", "counter", "Connections that were given a node.",
             [](const Service& service) { return service.counters.total; });
    PerFront("bytes_in_total", "counter", "Bytes from clients.",
             [](const Service& service) { return service.counters.bytes_in; });
    PerFront("bytes_out_total", "counter", "Bytes to clients.",
             [](const Service& service) { return service.counters.bytes_out; });
    Family("frontend_refused_total", "counter", "Connections that were refused, by cause.");
    for (const auto& [labels, service] : fronts_) {
      const Balancer::Refusals& refused = service->refused;
      Series(StrCat(labels, ",cause=\"connect\""), refused.connect);
      Series(StrCat(labels, ",cause=\"limit\""), refused.limit);
      Series(StrCat(labels, ",cause=\"no-node\""), refused.no_node);
      Series(StrCat(labels, ",cause=\"source-range\""), refused.source_range);
    }
    Family("frontend_reset_total", "counter", "Connections that were reset, by cause.");
    for (const auto& [labels, service] : fronts_) {
      Series(StrCat(labels, ",cause=\"drain\""), service->reset.drain);
      Series(StrCat(labels, ",cause=\"idle\""), service->reset.idle);
      Series(StrCat(labels, ",cause=\"node-lost\""), service->reset.node_lost);
    }
  }

  void Servers() {
    Family("server_status", "gauge", "1 for the state that the node has for the Service, else 0.");
    for (const ServerRow& row : servers_) {
      const Backend::Mode now =
          row.service->backend.ModeOf(*row.server, row.service->settings, source_.now);
      for (const Backend::Mode mode : kModes) {
        Series(StrCat(row.labels, ",state=\"", ModeName(mode), "\""), mode == now ? 1 : 0);
      }
    }
    PerServer("weight", "gauge", "The node's weight, for policy weighted.",
              [](const ServerRow& row) { return row.server->weight; });
    PerServer("share_percent", "gauge", "The part of its share that slow start gives the node.",
              [this](const ServerRow& row) {
                return Backend::SharePercent(*row.server, row.service->settings, source_.now);
              });
    PerServer("current_sessions", "gauge", "Connections that run now.",
              [](const ServerRow& row) { return row.server->counters.now; });
    PerServer("sessions_total", "counter", "Connections that were given to the node.",
              [](const ServerRow& row) { return row.server->counters.total; });
    PerServer("bytes_in_total", "counter", "Bytes from clients to the node.",
              [](const ServerRow& row) { return row.server->counters.bytes_in; });
    PerServer("bytes_out_total", "counter", "Bytes from the node to clients.",
              [](const ServerRow& row) { return row.server->counters.bytes_out; });
    PerServer("connection_errors_total", "counter", "Connections that the node did not take.",
              [](const ServerRow& row) { return row.server->failures; });
    PerServer("ejections_total", "counter", "How often the node was ejected.",
              [](const ServerRow& row) { return row.server->ejections; });
  }

  void Checks() {
    const auto per_check = [this](std::string_view name, std::string_view type,
                                  std::string_view help, auto value) {
      Family(name, type, help);
      for (const auto& [target, state] : source_.health.targets()) {
        Series(StrCat("node=\"", target.node, "\",port=\"", target.port, "\""), value(state));
      }
    };
    per_check("check_status", "gauge", "1 if the node passes the health checks of this port.",
              [](const HealthChecks::State& state) { return state.up ? 1 : 0; });
    per_check("checks_total", "counter", "Health checks that ended.",
              [](const HealthChecks::State& state) { return state.checks; });
    per_check("check_failures_total", "counter", "Health checks that failed.",
              [](const HealthChecks::State& state) { return state.failures; });
  }

  const ReportSource& source_;
  std::vector<std::pair<std::string, const Balancer::Service*>> fronts_;
  std::vector<ServerRow> servers_;
  uint64_t left_out_ = 0;
  std::string name_;
  std::string out_;
};

}  // namespace

std::string MetricsText(const ReportSource& source) {
  return MetricsWriter(source).Write();
}

}  // namespace kubemu
