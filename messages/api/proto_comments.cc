#include "messages/api/proto_comments.h"

#include <google/protobuf/descriptor.pb.h>

#include "messages/core/check.h"
#include "messages/core/strings.h"

namespace kubemu {

// Made by the build: messages/proto/k8s/CMakeLists.txt.
extern const unsigned char kK8sDescriptorSet[];
extern const unsigned int kK8sDescriptorSetSize;

namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

// Field numbers in descriptor.proto, of which a location's path is made.
constexpr int kMessageType = FileDescriptorProto::kMessageTypeFieldNumber;
constexpr int kField = DescriptorProto::kFieldFieldNumber;

std::string OneLine(const std::string& comment) {
  std::string line;
  for (const std::string_view part : StrSplit(comment, '\n')) {
    const std::string_view words = StripSpaces(part);
    if (words.empty()) continue;
    if (!line.empty()) line += ' ';
    line += words;
  }
  return line;
}

// The full name of what a path leads to; "" if it is neither a message nor a field of one.
template <class Path>
std::string NameAt(const FileDescriptorProto& file, const Path& path) {
  if (path.size() != 2 && path.size() != 4) return "";
  if (path.Get(0) != kMessageType || path.Get(1) >= file.message_type_size()) return "";
  const DescriptorProto& type = file.message_type(path.Get(1));
  const std::string name = StrCat(file.package(), ".", type.name());
  if (path.size() == 2) return name;
  if (path.Get(2) != kField || path.Get(3) >= type.field_size()) return "";
  return StrCat(name, ".", type.field(path.Get(3)).name());
}

}  // namespace

ProtoComments::ProtoComments() {
  FileDescriptorSet files;
  KUBEMU_CHECK(files.ParseFromArray(kK8sDescriptorSet, static_cast<int>(kK8sDescriptorSetSize)));
  for (const FileDescriptorProto& file : files.file()) {
    for (const auto& location : file.source_code_info().location()) {
      if (!location.has_leading_comments()) continue;
      const std::string name = NameAt(file, location.path());
      if (!name.empty()) comments_[name] = OneLine(location.leading_comments());
    }
  }
}

const std::string& ProtoComments::Of(const std::string& full_name) const {
  static const std::string kNone;
  const auto found = comments_.find(full_name);
  return found == comments_.end() ? kNone : found->second;
}

}  // namespace kubemu
