#ifndef KUBEMU_MASTER_CONTROLLERS_SERVICE_MEMBERS_H_
#define KUBEMU_MASTER_CONTROLLERS_SERVICE_MEMBERS_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "messages/api/informer.h"

namespace kubemu {

// Which pods each service with a selector selects, kept up to date change by change: a change of a
// pod costs one match per service of its namespace, not one per pod.
class ServiceMembers {
 public:
  // Both return the services ("namespace/name") whose endpoints may have changed, in order.
  std::vector<std::string> PodChanged(const Informer::Change& change);
  // `pods` is where the service's members are looked for when its selector is new.
  std::vector<std::string> ServiceChanged(const Informer::Change& change, const Informer& pods);

  // The pods that the service selects, by key; empty for a service without a selector.
  const std::map<std::string, Object>& Of(const std::string& service) const;

 private:
  struct Service {
    Object object;
    std::map<std::string, Object> pods;
  };
  std::map<std::string, std::map<std::string, Service>> by_namespace_;  // then by key
};

// True if a service has a selector and selects pods with these labels.
bool Selects(const Object& service, const Object& pod);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_CONTROLLERS_SERVICE_MEMBERS_H_
