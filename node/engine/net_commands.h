#ifndef KUBEMU_NODE_ENGINE_NET_COMMANDS_H_
#define KUBEMU_NODE_ENGINE_NET_COMMANDS_H_

#include <string>
#include <vector>

#include "messages/dns/dns_message.h"
#include "messages/proto/node.pb.h"
#include "node/engine/program.h"
#include "node/network/http_client.h"
#include "node/network/resolver.h"

// wget and nslookup as in busybox 1.36, curl as in 8.x: what their arguments ask for, and what they
// print. Times, retries, certificates and the like are read past.
namespace kubemu {

// What a command wrote, and its status.
struct CommandOutput {
  std::string text;  // lines, without the last newline; may be ""
  int status = 0;
};

// In Step::code of kFetch.
enum FetchFlag : int {
  kFetchCurl = 1,       // else wget
  kFetchQuiet = 2,      // no progress: wget -q, curl -s
  kFetchNoErrors = 4,   // not even errors: wget -q prints them, curl -s does not without -S
  kFetchToFile = 8,     // the body does not go to stdout
  kFetchFailCodes = 16  // curl -f: a status of 400 or more is an error
};

// The step of a command line that begins with wget or curl; or one that says what is wrong, and
// *status what to end with.
Step ParseFetch(const std::vector<std::string>& words, int* status);
CommandOutput FetchOutput(const Step& step, const FetchTarget& target, const FetchResult& result);
// The URL of a kFetch step is none that is spoken here.
CommandOutput BadUrlOutput(const Step& step);

// nslookup [-type=TYPE] NAME.
Step ParseLookup(const std::vector<std::string>& words, int* status);
// What it asks the name server: of a name without a dot one question for each search domain.
std::vector<dns::Question> LookupQuestions(const Step& step, const bus::DnsConfig& config);
CommandOutput LookupOutput(const bus::DnsConfig& config, const Resolved& result);

}  // namespace kubemu

#endif  // KUBEMU_NODE_ENGINE_NET_COMMANDS_H_
