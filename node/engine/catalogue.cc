#include "node/engine/catalogue.h"

#include <algorithm>
#include <array>

#include "messages/core/strings.h"
#include "node/engine/service_args.h"

namespace kubemu {
namespace {

constexpr int64_t kMB = 1'000'000;

bool TagExists(std::string_view tag) {
  static constexpr std::array<std::string_view, 15> kTags = {
      "latest", "stable",   "alpine", "mainline", "slim",  "perl",  "bookworm", "bullseye",
      "edge",   "unstable", "musl",   "glibc",    "jammy", "noble", "lts"};
  if (tag.empty() || IsDigit(tag[0])) return true;
  if (tag.size() > 1 && tag[0] == 'v' && IsDigit(tag[1])) return true;
  const std::string_view first = tag.substr(0, tag.find('-'));
  return std::find(kTags.begin(), kTags.end(), first) != kTags.end();
}

const std::string* FindEnv(const ContainerIdentity& identity, std::string_view name) {
  for (const auto& [key, value] : identity.env) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string HtmlPage(std::string_view title, const ContainerIdentity& identity) {
  return StrCat("<!DOCTYPE html>\n<html>\n<head><title>", title, "</title></head>\n<body>\n<h1>",
                title, "</h1>\n<p>Answered by pod ", identity.pod, " (namespace ", identity.ns,
                ") on node ", identity.node, ".</p>\n</body>\n</html>\n");
}

// "1.27" of tag "1.27-alpine"; "" of "latest".
std::string Version(const ImageName& name) {
  std::string_view tag = name.tag;
  if (tag.starts_with("v")) tag.remove_prefix(1);
  size_t end = 0;
  while (end < tag.size() && (IsDigit(tag[end]) || tag[end] == '.')) ++end;
  return std::string(tag.substr(0, end));
}

void AddWebServer(const ImageEntry& image, const ImageName& name, const ContainerIdentity& identity,
                  ContainerProgram* program) {
  const bool apache = image.name == "httpd";
  ServerSpec server;
  server.port = image.port;
  const std::string version = Version(name);
  server.server = apache ? "Apache" : "nginx";
  if (!version.empty()) StrAppend(&server.server, "/", version);
  server.content_type = "text/html";
  server.body = HtmlPage(apache ? "It works!" : "Welcome to nginx!", identity);
  server.root_only = true;
  program->servers.push_back(std::move(server));
  // Both images have a STOPSIGNAL that asks for a graceful end (SIGQUIT, SIGWINCH).
  program->drains = true;
}

// "1.0.0" for "1.0": the hello images print three numbers.
std::string LongVersion(const ImageName& name) {
  std::string version = Version(name);
  if (version.empty()) version = "1.0.0";
  while (std::count(version.begin(), version.end(), '.') < 2) version += ".0";
  return version;
}

void AddHello(const ImageEntry& image, const ImageName& name, const ContainerIdentity& identity,
              ContainerProgram* program) {
  ServerSpec server;
  server.port = image.port;
  if (const std::string* port = FindEnv(identity, "PORT")) ParseInteger(*port, &server.port);
  server.body = StrCat("Hello, world!\nVersion: ", LongVersion(name), "\nHostname: ", identity.pod,
                       "\nNode: ", identity.node, "\n");
  program->servers.push_back(std::move(server));
}

// Flags -text and -listen, with one or two dashes, with '=' or a word of their own.
void AddHttpEcho(const ImageEntry& image, const std::vector<std::string>& args,
                 ContainerProgram* program) {
  ServerSpec server;
  server.port = image.port;
  for (size_t i = 0; i < args.size(); ++i) {
    std::string_view flag = args[i];
    while (flag.starts_with("-")) flag.remove_prefix(1);
    const size_t equals = flag.find('=');
    const std::string_view name = flag.substr(0, equals);
    std::string_view value;
    if (equals != std::string_view::npos) {
      value = flag.substr(equals + 1);
    } else if (i + 1 < args.size()) {
      value = args[++i];
    }
    if (name == "text") server.body = StrCat(value, "\n");
    if (name == "listen") ParseListen(value, &server);
  }
  if (server.body.empty()) {
    program->steps = {{.kind = Step::Kind::kEcho, .text = "Missing -text option!"},
                      {.kind = Step::Kind::kExit, .code = 127}};
    return;
  }
  program->servers.push_back(std::move(server));
  program->drains = true;  // it calls http.Server.Shutdown
}

void AddListener(const ImageEntry& image, ContainerProgram* program) {
  ServerSpec server;
  server.port = image.port;
  server.protocol = ServerSpec::Protocol::kEcho;
  program->servers.push_back(std::move(server));
}

// Serves DNS whatever its Corefile says; with kubeadm's ports for health, readiness and metrics.
void AddCoreDns(const ImageEntry& image, const ImageName& name, ContainerProgram* program) {
  constexpr uint16_t kHealthPort = 8080;
  constexpr uint16_t kReadyPort = 8181;
  constexpr uint16_t kMetricsPort = 9153;
  ServerSpec dns;
  dns.port = image.port;
  dns.protocol = ServerSpec::Protocol::kDns;
  program->servers.push_back(std::move(dns));
  for (const uint16_t port : {kHealthPort, kReadyPort, kMetricsPort}) {
    ServerSpec server;
    server.port = port;
    server.body = "OK";
    server.ready_with_dns = port == kReadyPort;
    if (port == kMetricsPort) {
      server.body = StrCat("# HELP coredns_build_info A metric with a constant '1' value.\n",
                           "# TYPE coredns_build_info gauge\ncoredns_build_info{version=\"",
                           Version(name), "\"} 1\n");
    }
    program->servers.push_back(std::move(server));
  }
  program->steps = {
      {.kind = Step::Kind::kEcho,
       .text = StrCat(".:", image.port, "\nCoreDNS-", Version(name), "\nlinux/amd64, kubemu")},
      {.kind = Step::Kind::kServe}};
}

ContainerProgram RunCommand(const ImageEntry& image, std::vector<std::string> argv,
                            const ContainerIdentity& identity) {
  if (argv.empty()) {
    for (const std::string_view word : StrSplit(image.command, ' ')) argv.emplace_back(word);
  }
  return ParseCommand(argv, ShellContext{identity.hostname, identity.env, identity.files});
}

// A replaced entry point that starts the image's own server ("nginx -g 'daemon off;'") changes
// nothing; any other is run as a command.
bool StartsItself(const ImageEntry& image, const std::vector<std::string>& command) {
  if (command.empty()) return true;
  const std::string program = command[0].substr(command[0].rfind('/') + 1);
  const std::string_view own = image.name.substr(image.name.rfind('/') + 1);
  return program == own || program == "docker-entrypoint.sh" || program == "httpd-foreground" ||
         (program.ends_with("-server") && program.starts_with(own));
}

}  // namespace

const std::vector<ImageEntry>& ImageCatalogue() {
  static const std::vector<ImageEntry> images = {
      {"nginx", ImageKind::kWebServer, 72 * kMB, 80, ""},
      {"registry.k8s.io/nginx-slim", ImageKind::kWebServer, 43 * kMB, 80, ""},
      {"nginxinc/nginx-unprivileged", ImageKind::kWebServer, 72 * kMB, 8080, ""},
      {"httpd", ImageKind::kWebServer, 58 * kMB, 80, ""},
      {"kubemu/hello", ImageKind::kHello, 1 * kMB, 8080, ""},
      {"gcr.io/google-samples/hello-app", ImageKind::kHello, 12 * kMB, 8080, ""},
      {"us-docker.pkg.dev/google-samples/containers/gke/hello-app", ImageKind::kHello, 12 * kMB,
       8080, ""},
      {"nginxdemos/hello", ImageKind::kHello, 17 * kMB, 80, ""},
      {"traefik/whoami", ImageKind::kHello, 3 * kMB, 80, ""},
      {"hashicorp/http-echo", ImageKind::kHttpEcho, 3 * kMB, 5678, ""},
      {"kubemu/service", ImageKind::kService, 1 * kMB, 8080, ""},
      {"busybox", ImageKind::kCommand, 2 * kMB, 0, "sh"},
      {"alpine", ImageKind::kCommand, 4 * kMB, 0, "/bin/sh"},
      {"debian", ImageKind::kCommand, 49 * kMB, 0, "bash"},
      {"ubuntu", ImageKind::kCommand, 30 * kMB, 0, "/bin/bash"},
      {"curlimages/curl", ImageKind::kCommand, 9 * kMB, 0, "sh"},
      {"registry.k8s.io/coredns/coredns", ImageKind::kCoreDns, 20 * kMB, 53, ""},
      {"coredns/coredns", ImageKind::kCoreDns, 20 * kMB, 53, ""},
      {"registry.k8s.io/pause", ImageKind::kPause, 320'368, 0, ""},
      {"registry.k8s.io/e2e-test-images/busybox", ImageKind::kCommand, 2 * kMB, 0, "sh"},
      {"redis", ImageKind::kListener, 45 * kMB, 6379, ""},
      {"postgres", ImageKind::kListener, 150 * kMB, 5432, ""},
      {"mysql", ImageKind::kListener, 230 * kMB, 3306, ""},
      {"mongo", ImageKind::kListener, 260 * kMB, 27017, ""},
      {"memcached", ImageKind::kListener, 30 * kMB, 11211, ""},
      {"rabbitmq", ImageKind::kListener, 100 * kMB, 5672, ""},
  };
  return images;
}

absl::StatusOr<const ImageEntry*> FindImage(const ImageName& name) {
  const std::string familiar = name.Familiar();
  for (const ImageEntry& image : ImageCatalogue()) {
    if (image.name == familiar && TagExists(name.tag)) return &image;
  }
  const std::string full = name.Full();
  return absl::NotFoundError(
      StrCat("rpc error: code = NotFound desc = failed to pull and unpack image \"", full,
             "\": failed to resolve reference \"", full, "\": ", full, ": not found"));
}

std::string ImageId(const ImageName& name) {
  if (!name.digest.empty()) return StrCat(name.repository, "@", name.digest);
  return StrCat(name.repository, "@sha256:", HexDigits(name.Full()));
}

ContainerProgram MakeProgram(const ImageEntry& image, const ImageName& name,
                             const std::vector<std::string>& command,
                             const std::vector<std::string>& args,
                             const ContainerIdentity& identity) {
  std::vector<std::string> argv = command;
  if (image.kind == ImageKind::kCommand || !StartsItself(image, command)) {
    argv.insert(argv.end(), args.begin(), args.end());
    return RunCommand(image, std::move(argv), identity);
  }
  ContainerProgram program;
  switch (image.kind) {
    case ImageKind::kWebServer:
      AddWebServer(image, name, identity, &program);
      break;
    case ImageKind::kHello:
      AddHello(image, name, identity, &program);
      break;
    case ImageKind::kHttpEcho:
      AddHttpEcho(image, args, &program);
      break;
    case ImageKind::kService:
      ParseServiceArgs(args, identity.pod, identity.node, &program);
      break;
    case ImageKind::kListener:
      AddListener(image, &program);
      break;
    case ImageKind::kCoreDns:
      AddCoreDns(image, name, &program);
      break;
    case ImageKind::kPause:
    case ImageKind::kCommand:
      break;
  }
  if (program.steps.empty()) program.steps.push_back({.kind = Step::Kind::kServe});
  return program;
}

}  // namespace kubemu
