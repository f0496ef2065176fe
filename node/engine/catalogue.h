#ifndef KUBEMU_NODE_ENGINE_CATALOGUE_H_
#define KUBEMU_NODE_ENGINE_CATALOGUE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "node/engine/command_parser.h"
#include "node/engine/image_name.h"
#include "node/engine/program.h"

namespace kubemu {

// How a container of an image behaves when its entry point is not replaced.
enum class ImageKind {
  kCommand,    // runs its command: busybox, alpine
  kWebServer,  // an HTML page: nginx, httpd
  kHello,      // a text that names pod, node and version
  kHttpEcho,   // hashicorp/http-echo: -text, -listen
  kService,    // kubemu/service: service_args.h
  kListener,   // a server that does not speak HTTP: redis, postgres
  kCoreDns,    // the cluster's DNS server
  kPause,      // waits
};

// One row of the catalogue: an image that "exists". Static storage.
struct ImageEntry {
  std::string_view name;  // ImageName::Familiar()
  ImageKind kind;
  int64_t bytes;             // compressed size, about as the real one
  uint16_t port;             // what it listens on; 0: nothing
  std::string_view command;  // kCommand: what it runs by itself
};

// All images, for the documentation and `kubemu images`.
const std::vector<ImageEntry>& ImageCatalogue();

// NotFound, with the text of a registry's answer, if there is no such image or no such tag.
// A tag exists if it looks like a version ("1.27", "v2") or is one of those in use ("latest",
// "alpine", "stable" ...).
absl::StatusOr<const ImageEntry*> FindImage(const ImageName& name);

// "docker.io/library/nginx@sha256:<64 digits>".
std::string ImageId(const ImageName& name);

// What a container is told about itself.
struct ContainerIdentity {
  std::string pod;
  std::string ns;
  std::string node;
  std::string hostname;
  std::vector<std::pair<std::string, std::string>> env;
  std::map<std::string, std::string> files;  // that the kubelet and the engine wrote for it
};

// The program of a container of that image.
ContainerProgram MakeProgram(const ImageEntry& image, const ImageName& name,
                             const std::vector<std::string>& command,
                             const std::vector<std::string>& args,
                             const ContainerIdentity& identity);

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_CATALOGUE_H_
