#ifndef KUBEMU_MESSAGES_API_PROTO_COMMENTS_H_
#define KUBEMU_MESSAGES_API_PROTO_COMMENTS_H_

#include <map>
#include <string>

namespace kubemu {

// The comments above the messages and fields of messages/proto/k8s, as one line each. They are in
// no generated code: the build keeps a descriptor set with them beside it.
class ProtoComments {
 public:
  ProtoComments();

  // By full name ("k8s.core.v1.Pod", "k8s.core.v1.PodSpec.node_name"); "" if there is none.
  const std::string& Of(const std::string& full_name) const;

 private:
  std::map<std::string, std::string> comments_;
};

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_API_PROTO_COMMENTS_H_
