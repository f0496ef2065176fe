#include "node/engine/net_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "messages/core/strings.h"
#include "node/engine/command_parser.h"

namespace kubemu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr Ipv4 kWeb(10, 96, 3, 7);

std::vector<std::string> WordsOf(const std::string& line) {
  std::vector<std::string> words;
  for (std::string_view word : StrSplit(line, ' ')) words.emplace_back(word);
  return words;
}

// What a command line prints and ends with, if the fetch ends so.
std::string Printed(const std::string& line, FetchResult result) {
  int status = 0;
  const Step step = ParseFetch(WordsOf(line), &status);
  if (status != 0) return StrCat(step.text, " [", status, "]");
  FetchTarget target;
  CommandOutput output = FetchTarget::Parse(step.text, &target) ? FetchOutput(step, target, result)
                                                                : BadUrlOutput(step);
  return StrCat(output.text, " [", output.status, "]");
}
FetchResult Answered(int status, std::string body) {
  return {.status = status, .body = std::move(body), .address = kWeb};
}
FetchResult Failed(std::string error) {
  return {.error = std::move(error), .address = kWeb};
}
const FetchResult kNoName{.error = "could not resolve host: web (Name or service not known)"};

TEST(NetCommandsTest, WgetPrintsAsBusyboxDoes) {
  for (const char* line : {"wget -qO- http://web:8080/", "wget -q -O - http://web:8080/",
                           "wget -T 2 -qO- http://web:8080/", "wget http://web:8080/ -q -O -",
                           "wget --quiet --output-document=- web:8080"}) {
    EXPECT_EQ(Printed(line, Answered(200, "hello\npod: web-1\n")), "hello\npod: web-1 [0]") << line;
  }
  EXPECT_EQ(Printed("wget -O- http://web:8080/", Answered(200, "hello\n")),
            "Connecting to web:8080 (10.96.3.7:8080)\nwriting to stdout\nhello\n"
            "written to stdout [0]");
  EXPECT_EQ(Printed("wget http://web/a/b.html?x", Answered(200, "hello\n")),
            "Connecting to web (10.96.3.7:80)\nsaving to 'b.html'\n'b.html' saved [0]");
  EXPECT_EQ(Printed("wget -q --spider http://web:8080/", Answered(200, "hello\n")), " [0]");
  EXPECT_EQ(Printed("wget -qO- http://web:8080/", kNoName), "wget: bad address 'web:8080' [1]");
  EXPECT_EQ(Printed("wget -qO- http://web:8080/", Failed("connection refused")),
            "wget: can't connect to remote host (10.96.3.7): Connection refused [1]");
  EXPECT_EQ(Printed("wget -qO- http://web:8080/", Answered(404, "")),
            "wget: server returned error: HTTP/1.1 404 Not Found [1]");
  EXPECT_EQ(Printed("wget -q", kNoName), "wget: no URL given [1]");
  EXPECT_EQ(Printed("wget -qO- ssh://web", kNoName), "wget: not an http or ftp url: ssh://web [1]");
}

TEST(NetCommandsTest, CurlPrintsAsCurlDoes) {
  EXPECT_EQ(Printed("curl -s http://web:8080/", Answered(200, "hello\n")), "hello [0]");
  EXPECT_EQ(Printed("curl -s -o /dev/null http://web:8080/", Answered(200, "hello\n")), " [0]");
  EXPECT_EQ(Printed("curl http://web:8080/", kNoName), "curl: (6) Could not resolve host: web [6]");
  EXPECT_EQ(Printed("curl -s http://web:8080/", kNoName), " [6]");
  EXPECT_EQ(Printed("curl -sS http://web:8080/", kNoName),
            "curl: (6) Could not resolve host: web [6]");
  EXPECT_THAT(Printed("curl --max-time 2 http://web:8080/", Failed("connection refused")),
              HasSubstr("curl: (7) Failed to connect to web port 8080"));
  EXPECT_EQ(Printed("curl http://web:8080/", Failed("connection timed out")),
            "curl: (28) Connection timed out [28]");
  EXPECT_EQ(Printed("curl http://web:8080/", Failed("connection reset by peer")),
            "curl: (56) Recv failure: connection reset by peer [56]");
  EXPECT_EQ(Printed("curl http://web:8080/", Answered(500, "no\n")), "no [0]");
  EXPECT_EQ(Printed("curl -f http://web:8080/", Answered(500, "no\n")),
            "curl: (22) The requested URL returned error: 500 [22]");
  EXPECT_EQ(Printed("curl -sf http://web:8080/", Answered(500, "no\n")), " [22]");
  EXPECT_EQ(Printed("curl -s", kNoName), "curl: (2) no URL specified [2]");
}

bus::DnsConfig ConfigWithSearch() {
  bus::DnsConfig config;
  config.add_nameservers(Ipv4(10, 96, 0, 10).bits());
  config.add_searches("default.svc.cluster.local");
  config.add_searches("cluster.local");
  return config;
}

std::vector<std::string> Asked(const std::string& line) {
  int status = 0;
  const Step step = ParseLookup(WordsOf(line), &status);
  if (status != 0) return {step.text};
  std::vector<std::string> texts;
  for (const dns::Question& question : LookupQuestions(step, ConfigWithSearch())) {
    texts.push_back(StrCat(dns::TypeName(question.type), " ", question.name));
  }
  return texts;
}

TEST(NetCommandsTest, NslookupAsksAsBusyboxDoes) {
  EXPECT_THAT(Asked("nslookup web"),
              ElementsAre("A web.default.svc.cluster.local", "A web.cluster.local",
                          "AAAA web.default.svc.cluster.local", "AAAA web.cluster.local"));
  EXPECT_THAT(Asked("nslookup web.default"), ElementsAre("A web.default", "AAAA web.default"));
  EXPECT_THAT(Asked("nslookup -type=srv _http._tcp.web.default.svc.cluster.local"),
              ElementsAre("SRV _http._tcp.web.default.svc.cluster.local"));
  EXPECT_THAT(Asked("nslookup 10.96.3.7"), ElementsAre("PTR 7.3.96.10.in-addr.arpa"));
  EXPECT_THAT(Asked("nslookup -type=bogus web"),
              ElementsAre("nslookup: invalid query type \"bogus\""));
  EXPECT_THAT(Asked("nslookup"), ElementsAre("nslookup: no name given"));
}

TEST(NetCommandsTest, NslookupPrintsAsBusyboxDoes) {
  Resolved result;
  dns::Message found;
  found.header.authoritative = true;
  dns::Record address{.name = "web.default.svc.cluster.local", .type = dns::kA};
  address.address = kWeb;
  found.answers = {address};
  dns::Message missing;
  missing.header.authoritative = true;
  missing.header.rcode = dns::kNxDomain;
  dns::Message empty;
  empty.header.authoritative = true;
  result.replies = {{{"web.default.svc.cluster.local", dns::kA}, found},
                    {{"web.cluster.local", dns::kA}, missing},
                    {{"web.default.svc.cluster.local", dns::kAaaa}, empty}};
  const CommandOutput output = LookupOutput(ConfigWithSearch(), result);
  EXPECT_EQ(output.text,
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n"
            "Name:\tweb.default.svc.cluster.local\nAddress: 10.96.3.7\n\n"
            "** server can't find web.cluster.local: NXDOMAIN\n\n");
  EXPECT_EQ(output.status, 1);
  for (auto& [question, reply] : result.replies) reply.reset();
  EXPECT_EQ(LookupOutput(ConfigWithSearch(), result).text,
            ";; connection timed out; no servers could be reached\n");
}

TEST(NetCommandsTest, FilesOfThePodAreRead) {
  ShellContext context;
  context.hostname = "db-0";
  context.files = {{"/etc/hosts", "127.0.0.1\tlocalhost\n10.244.1.5\tdb-0.db.svc\tdb-0\n"},
                   {"/etc/hostname", "db-0\n"}};
  const auto first = [&](const std::vector<std::string>& argv) {
    const ContainerProgram program = ParseCommand(argv, context);
    EXPECT_THAT(program.steps, SizeIs(1));
    return program.steps[0].text;
  };
  EXPECT_EQ(first({"cat", "/etc/hosts"}), "127.0.0.1\tlocalhost\n10.244.1.5\tdb-0.db.svc\tdb-0");
  EXPECT_EQ(first({"cat", "/etc/hostname", "/etc/hosts"}),
            "db-0\n127.0.0.1\tlocalhost\n10.244.1.5\tdb-0.db.svc\tdb-0");
  EXPECT_EQ(first({"cat", "/tmp/x"}), "");
  EXPECT_EQ(first({"hostname"}), "db-0");
  EXPECT_EQ(first({"hostname", "-f"}), "db-0.db.svc");
  EXPECT_EQ(first({"hostname", "-i"}), "10.244.1.5");
}

// The parser calls itself for each: without a limit the node would run out of stack.
TEST(CommandParserTest, LoopsInLoopsHaveALimit) {
  std::string script;
  for (int i = 0; i < 150'000; ++i) script += "while ";
  const ContainerProgram program = ParseCommand({"sh", "-c", script}, ShellContext());
  ASSERT_GE(program.steps.size(), 2u);
  EXPECT_THAT(program.steps[0].text, HasSubstr("more than 100 loops in each other"));
  EXPECT_EQ(program.steps[1].kind, Step::Kind::kExit);
  EXPECT_EQ(program.steps[1].code, 2);
}

}  // namespace
}  // namespace kubemu
