#ifndef KUBEMU_MASTER_APISERVER_HTTP_MEDIA_TYPE_H_
#define KUBEMU_MASTER_APISERVER_HTTP_MEDIA_TYPE_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kubemu {

// One media type with its parameters: "application/json;as=Table;v=v1;g=meta.k8s.io".
struct MediaType {
  std::string type;  // lower case, "application/json"
  std::map<std::string, std::string> parameters;

  static MediaType Parse(std::string_view text);
  // "" if it is not there.
  std::string_view Parameter(const std::string& name) const;
};

// The form in which an answer is written.
struct AnswerFormat {
  enum class Form { kObject, kTable, kDiscoveryV2, kDiscoveryV2Beta1 };
  Form form = Form::kObject;
  std::string table_version = "v1";  // of meta.k8s.io: "v1" or "v1beta1"
  // Of rows: "None", "Metadata" (PartialObjectMetadata) or "Object".
  std::string include_object = "Metadata";
  bool pretty = false;
};

// The first form of the Accept header, in its order, that the server can write; none of them
// acceptable: false. A request without the header takes anything.
bool Negotiate(std::string_view accept, AnswerFormat* format);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_MEDIA_TYPE_H_
