#ifndef KUBEMU_LB_STATUS_REPORT_H_
#define KUBEMU_LB_STATUS_REPORT_H_

#include <cstdint>
#include <string>

#include "lb/balancer.h"
#include "lb/fronts.h"
#include "lb/health.h"
#include "messages/core/time.h"

namespace kubemu {

// Where the figures come from. Nothing is owned.
struct ReportSource {
  const Balancer& balancer;
  const Fronts& fronts;
  const HealthChecks& health;
  uint64_t strangers;  // connections to addresses of no Service
  Time now;
};

// What `kubemu lb status -o json` prints: the Services by key, each with its nodes by name. Times
// are RFC 3339; durations as in annotations.
std::string StatusJson(const ReportSource& source);

// The same figures for Prometheus, text format 0.0.4, in a fixed order: kubemu_lb_frontend_... per
// Service and kubemu_lb_server_... per node of a Service, after HAProxy's exporter.
std::string MetricsText(const ReportSource& source);

}  // namespace kubemu

#endif  // KUBEMU_LB_STATUS_REPORT_H_
