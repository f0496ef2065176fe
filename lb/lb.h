#ifndef KUBEMU_LB_LB_H_
#define KUBEMU_LB_LB_H_

#include "lb/check_client.h"
#include "lb/load_balancer.h"
#include "messages/process.h"
#include "messages/program.h"

namespace kubemu {

// The program kubemu-lb.
class Lb : public Program {
 public:
  explicit Lb(LoadBalancer::Options options) : load_balancer_(options) {}
  void AddTo(Process& process) override {
    process.Add("lb", &load_balancer_);
    process.Alias(kCheckAddress, &load_balancer_);
  }

 private:
  LoadBalancer load_balancer_;
};

}  // namespace kubemu

#endif  // KUBEMU_LB_LB_H_
