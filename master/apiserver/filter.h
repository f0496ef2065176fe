#ifndef KUBEMU_MASTER_APISERVER_FILTER_H_
#define KUBEMU_MASTER_APISERVER_FILTER_H_

#include <optional>
#include <string>

#include "master/apiserver/call.h"
#include "master/apiserver/event_log.h"
#include "messages/api/selector.h"

namespace kubemu {

// Which objects of one kind a list or a watch is about: a namespace (or all), a label selector and
// a field selector.
class Filter {
 public:
  // 400 with upstream's text if a selector does not parse or names a field that the kind does not
  // have.
  static OrStatus<Filter> Make(const ApiCall& call);

  bool Matches(const Object& object) const;
  const std::string& ns() const { return ns_; }
  // Neither a label nor a field selector.
  bool HasSelectors() const {
    return node_name_ || !labels_.IsEverything() || !fields_.IsEverything();
  }
  // For pods: the one node whose pods match, or nullptr.
  const std::string* node_name() const { return node_name_ ? &*node_name_ : nullptr; }
  // The one name that matches, or nullptr.
  const std::string* name() const { return fields_.RequiredValue("metadata.name"); }

  // How the change looks to somebody who sees only what matches.
  struct Seen {
    enum Type { kNothing, kAdded, kModified, kDeleted };
    Type type = kNothing;
    Object object;  // of kDeleted: the last state that matched
  };
  Seen See(const CacheEvent& event) const;

 private:
  std::string ns_;
  LabelSelector labels_;
  FieldSelector fields_;
  std::optional<std::string> node_name_;
};

// The node of a pod, "" if it has none or is no pod.
const std::string& NodeNameOf(const Object& object);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_FILTER_H_
