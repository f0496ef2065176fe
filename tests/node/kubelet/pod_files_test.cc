#include "node/kubelet/pod_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "messages/core/strings.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class PodFilesTest : public testing::Test {
 protected:
  PodFilesTest() {
    options_.node = "node-1";
    options_.address = Ipv4(127, 1, 0, 1);
    pod_.mutable_metadata()->set_name("web-1");
    pod_.mutable_metadata()->set_namespace_("shop");
    pod_.mutable_spec()->set_dns_policy("ClusterFirst");
  }
  bus::DnsConfig Config() { return MakePodDns(pod_, options_).config; }

  KubeletOptions options_;
  k8s::core::v1::Pod pod_;
};

TEST_F(PodFilesTest, ClusterFirstAsksClusterDnsAndSearchesTheNamespace) {
  const bus::DnsConfig config = Config();
  EXPECT_THAT(config.nameservers(), ElementsAre(Ipv4(10, 96, 0, 10).bits()));
  EXPECT_THAT(config.searches(),
              ElementsAre("shop.svc.cluster.local", "svc.cluster.local", "cluster.local"));
  EXPECT_THAT(config.options(), ElementsAre("ndots:5"));
}

TEST_F(PodFilesTest, ThePolicyDecides) {
  pod_.mutable_spec()->set_dns_policy("Default");
  EXPECT_THAT(Config().nameservers(), IsEmpty());
  pod_.mutable_spec()->set_dns_policy("ClusterFirst");
  pod_.mutable_spec()->set_host_network(true);
  EXPECT_THAT(Config().nameservers(), IsEmpty());
  pod_.mutable_spec()->set_dns_policy("ClusterFirstWithHostNet");
  EXPECT_THAT(Config().nameservers(), SizeIs(1));
  pod_.mutable_spec()->set_dns_policy("None");
  EXPECT_THAT(Config().searches(), IsEmpty());
}

TEST_F(PodFilesTest, DnsConfigIsMergedIn) {
  auto* extra = pod_.mutable_spec()->mutable_dns_config();
  extra->add_nameservers("1.2.3.4");
  extra->add_nameservers("10.96.0.10");
  extra->add_searches("example.com");
  extra->add_searches("cluster.local");
  auto* ndots = extra->add_options();
  ndots->set_name("ndots");
  ndots->set_value("2");
  extra->add_options()->set_name("debug");
  const bus::DnsConfig config = Config();
  EXPECT_THAT(config.nameservers(),
              ElementsAre(Ipv4(10, 96, 0, 10).bits(), Ipv4(1, 2, 3, 4).bits()));
  EXPECT_THAT(config.searches(), ElementsAre("shop.svc.cluster.local", "svc.cluster.local",
                                             "cluster.local", "example.com"));
  EXPECT_THAT(config.options(), ElementsAre("ndots:2", "debug"));

  pod_.mutable_spec()->set_dns_policy("None");
  EXPECT_THAT(Config().searches(), ElementsAre("example.com", "cluster.local"));
  EXPECT_THAT(Config().options(), ElementsAre("ndots:2", "debug"));
}

TEST_F(PodFilesTest, GlibcsLimitsAreKept) {
  for (int i = 0; i < 5; ++i) {
    pod_.mutable_spec()->mutable_dns_config()->add_nameservers(StrCat("1.2.3.", i));
  }
  for (int i = 0; i < 40; ++i) {
    pod_.mutable_spec()->mutable_dns_config()->add_searches(StrCat("d", i, ".example.com"));
  }
  const PodDns dns = MakePodDns(pod_, options_);
  ASSERT_THAT(dns.over_limit, SizeIs(2));
  EXPECT_EQ(dns.over_limit[0],
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied "
            "nameserver line is: 10.96.0.10 1.2.3.0 1.2.3.1");
  EXPECT_THAT(dns.over_limit[1], testing::StartsWith("Search Line limits were exceeded"));
  EXPECT_THAT(dns.config.nameservers(), SizeIs(kNameserversMax));
  EXPECT_THAT(dns.config.searches(), SizeIs(kSearchesMax));
  EXPECT_THAT(MakePodDns(k8s::core::v1::Pod(), options_).over_limit, IsEmpty());
}

TEST_F(PodFilesTest, WithoutClusterDnsThePolicyIsDefaultAndSaysSo) {
  options_.cluster_dns = Ipv4();
  const PodDns dns = MakePodDns(pod_, options_);
  EXPECT_TRUE(dns.missing_cluster_dns);
  EXPECT_THAT(dns.config.searches(), IsEmpty());
  pod_.mutable_spec()->set_dns_policy("Default");
  EXPECT_FALSE(MakePodDns(pod_, options_).missing_cluster_dns);
}

TEST_F(PodFilesTest, HostsAreTheKubelets) {
  EXPECT_EQ(MakePodHosts(pod_, Ipv4(10, 244, 1, 5), options_),
            "# Kubernetes-managed hosts file.\n"
            "127.0.0.1\tlocalhost\n"
            "::1\tlocalhost ip6-localhost ip6-loopback\n"
            "fe00::0\tip6-localnet\n"
            "fe00::0\tip6-mcastprefix\n"
            "fe00::1\tip6-allnodes\n"
            "fe00::2\tip6-allrouters\n"
            "10.244.1.5\tweb-1\n");
  pod_.mutable_spec()->set_hostname("db-0");
  pod_.mutable_spec()->set_subdomain("db");
  auto* alias = pod_.mutable_spec()->add_host_aliases();
  alias->set_ip("10.1.2.3");
  alias->add_hostnames("foo.remote");
  alias->add_hostnames("bar.remote");
  EXPECT_THAT(MakePodHosts(pod_, Ipv4(10, 244, 1, 5), options_),
              testing::EndsWith("10.244.1.5\tdb-0.db.shop.svc.cluster.local\tdb-0\n"
                                "\n# Entries added by HostAliases.\n"
                                "10.1.2.3\tfoo.remote\tbar.remote\n"));
  pod_.mutable_spec()->set_host_network(true);
  EXPECT_THAT(MakePodHosts(pod_, Ipv4(127, 1, 0, 1), options_),
              testing::StartsWith("# Kubernetes-managed hosts file (host network).\n"));
}

TEST_F(PodFilesTest, TheHostnameIsShort) {
  EXPECT_EQ(MakePodHostname(pod_, options_), "web-1");
  pod_.mutable_metadata()->set_name(std::string(62, 'a') + "-b");
  EXPECT_EQ(MakePodHostname(pod_, options_), std::string(62, 'a'));
  pod_.mutable_spec()->set_hostname("db-0");
  pod_.mutable_spec()->set_subdomain("db");
  EXPECT_EQ(MakePodHostname(pod_, options_), "db-0");
  pod_.mutable_spec()->set_set_hostname_as_fqdn(true);
  EXPECT_EQ(MakePodHostname(pod_, options_), "db-0.db.shop.svc.cluster.local");
  pod_.mutable_spec()->set_host_network(true);
  EXPECT_EQ(MakePodHostname(pod_, options_), "node-1");
}

}  // namespace
}  // namespace kubemu
