#include "node/kubelet/pod_files.h"

#include <algorithm>
#include <vector>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

using k8s::core::v1::Pod;

constexpr size_t kHostnameMax = 63;

// "db.default.svc.cluster.local" for subdomain db; "" without one.
std::string SubdomainOf(const Pod& pod, const KubeletOptions& options) {
  if (pod.spec().subdomain().empty()) return "";
  return StrCat(pod.spec().subdomain(), ".", pod.metadata().namespace_(), ".svc.",
                options.cluster_domain);
}

std::string ShortHostname(const Pod& pod) {
  std::string name = pod.spec().hostname().empty() ? pod.metadata().name() : pod.spec().hostname();
  if (name.size() <= kHostnameMax) return name;
  name.resize(kHostnameMax);
  while (name.ends_with('-') || name.ends_with('.')) name.pop_back();
  return name;
}

template <class List, class T>
void AddOnce(const T& value, List* list) {
  if (std::find(list->begin(), list->end(), value) == list->end()) list->Add(T(value));
}

void AddServer(const std::string& text, bus::DnsConfig* config) {
  const absl::StatusOr<Ipv4> ip = Ipv4::Parse(text);
  if (ip.ok()) AddOnce(ip->bits(), config->mutable_nameservers());
}

// "ndots:2" replaces "ndots:5", "debug" is added.
void MergeOption(const std::string& name, const std::string& value, bus::DnsConfig* config) {
  const std::string text = value.empty() ? name : StrCat(name, ":", value);
  for (std::string& option : *config->mutable_options()) {
    if (option.substr(0, option.find(':')) != name) continue;
    option = text;
    return;
  }
  config->add_options(text);
}

size_t SearchCharacters(const bus::DnsConfig& config) {
  size_t count = 0;
  for (const std::string& search : config.searches()) count += search.size() + 1;
  return count == 0 ? 0 : count - 1;
}

void KeepLimits(PodDns* dns) {
  bus::DnsConfig& config = dns->config;
  std::vector<std::string> applied;
  if (config.nameservers_size() > kNameserversMax) {
    config.mutable_nameservers()->Truncate(kNameserversMax);
    for (uint32_t ip : config.nameservers()) applied.push_back(Ipv4(ip).ToString());
    dns->over_limit.push_back(
        StrCat("Nameserver limits were exceeded, some nameservers have been omitted, the applied "
               "nameserver line is: ",
               StrJoin(applied, " ")));
  }
  const int searches = config.searches_size();
  while (config.searches_size() > kSearchesMax || SearchCharacters(config) > kSearchCharactersMax) {
    config.mutable_searches()->RemoveLast();
  }
  if (config.searches_size() == searches) return;
  applied.assign(config.searches().begin(), config.searches().end());
  dns->over_limit.push_back(
      StrCat("Search Line limits were exceeded, some search paths have been omitted, the applied "
             "search line is: ",
             StrJoin(applied, " ")));
}

}  // namespace

PodDns MakePodDns(const Pod& pod, const KubeletOptions& options) {
  PodDns dns;
  const std::string& policy = pod.spec().dns_policy();
  const bool cluster = policy == "ClusterFirstWithHostNet" ||
                       ((policy == "ClusterFirst" || policy.empty()) && !pod.spec().host_network());
  dns.missing_cluster_dns = cluster && options.cluster_dns.IsNone();
  if (cluster && !dns.missing_cluster_dns) {
    dns.config.add_nameservers(options.cluster_dns.bits());
    dns.config.add_searches(StrCat(pod.metadata().namespace_(), ".svc.", options.cluster_domain));
    dns.config.add_searches(StrCat("svc.", options.cluster_domain));
    dns.config.add_searches(options.cluster_domain);
    dns.config.add_options("ndots:5");
  }
  for (const std::string& server : pod.spec().dns_config().nameservers()) {
    AddServer(server, &dns.config);
  }
  for (const std::string& search : pod.spec().dns_config().searches()) {
    AddOnce(search, dns.config.mutable_searches());
  }
  for (const auto& option : pod.spec().dns_config().options()) {
    MergeOption(option.name(), option.value(), &dns.config);
  }
  KeepLimits(&dns);
  return dns;
}

std::string MakePodHostname(const Pod& pod, const KubeletOptions& options) {
  if (pod.spec().host_network()) return options.node;
  const std::string name = ShortHostname(pod);
  const std::string domain = SubdomainOf(pod, options);
  if (!pod.spec().set_hostname_as_fqdn() || domain.empty()) return name;
  return StrCat(name, ".", domain);
}

std::string MakePodHosts(const Pod& pod, Ipv4 pod_ip, const KubeletOptions& options) {
  std::string text;
  if (pod.spec().host_network()) {
    // The node's own file, of which an emulated node has none but this.
    text = StrCat("# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n",
                  options.address.ToString(), "\t", options.node, "\n");
  } else {
    text =
        "# Kubernetes-managed hosts file.\n"
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n";
    const std::string name = ShortHostname(pod);
    const std::string domain = SubdomainOf(pod, options);
    StrAppend(&text, pod_ip.ToString(), "\t");
    if (!domain.empty()) StrAppend(&text, name, ".", domain, "\t");
    StrAppend(&text, name, "\n");
  }
  if (pod.spec().host_aliases().empty()) return text;
  text += "\n# Entries added by HostAliases.\n";
  for (const auto& alias : pod.spec().host_aliases()) {
    const std::vector<std::string> names(alias.hostnames().begin(), alias.hostnames().end());
    StrAppend(&text, alias.ip(), "\t", StrJoin(names, "\t"), "\n");
  }
  return text;
}

}  // namespace kubemu
