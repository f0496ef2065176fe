#include "node/engine/net_commands.h"

#include <algorithm>
#include <string_view>

#include "messages/core/strings.h"
#include "messages/flow/http_response.h"

namespace kubemu {
namespace {

// Flags that take the next word, or the rest of theirs.
constexpr std::string_view kWgetValues = "OoTUPYt";
constexpr std::string_view kCurlValues = "oHXdmAuwbceFTxK";
constexpr std::string_view kCurlLongValues[] = {
    "--output",     "--header", "--request", "--data",        "--max-time",  "--connect-timeout",
    "--user-agent", "--user",   "--retry",   "--retry-delay", "--write-out", "--resolve"};

Step Complaint(std::string text) {
  return {.kind = Step::Kind::kEcho, .text = std::move(text)};
}

void SetOutput(std::string_view file, Step* step) {
  if (file == "-") {
    step->code &= ~kFetchToFile;
  } else {
    step->code |= kFetchToFile;
  }
}

void ApplyLong(std::string_view word, Step* step) {
  const size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  if (name == "--quiet") step->code |= kFetchQuiet;
  if (name == "--silent") step->code |= kFetchQuiet | kFetchNoErrors;
  if (name == "--show-error") step->code &= ~kFetchNoErrors;
  if (name == "--fail") step->code |= kFetchFailCodes;
  if (name == "--spider") step->code |= kFetchToFile;
  if (name == "--output-document" || name == "--output") SetOutput(value, step);
}

void ApplyShort(char flag, Step* step) {
  const bool curl = (step->code & kFetchCurl) != 0;
  if (!curl && flag == 'q') step->code |= kFetchQuiet;
  if (curl && flag == 's') step->code |= kFetchQuiet | kFetchNoErrors;
  if (curl && flag == 'f') step->code |= kFetchFailCodes;
}

bool TakesLongValue(std::string_view word) {
  return std::find(std::begin(kCurlLongValues), std::end(kCurlLongValues), word) !=
         std::end(kCurlLongValues);
}

// "web:8080" as the URL has it.
std::string HostOf(const FetchTarget& target) {
  std::string_view rest = target.url;
  if (const size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    rest.remove_prefix(scheme + 3);
  }
  return std::string(rest.substr(0, rest.find('/')));
}

// The last part of the path, under which wget saves.
std::string FileOf(const FetchTarget& target) {
  const std::string path = target.path.substr(0, target.path.find('?'));
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.empty() ? "index.html" : name;
}

void AddLine(std::string_view line, std::string* text) {
  if (!text->empty()) *text += '\n';
  text->append(line);
}

std::string WithoutLastNewline(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return std::string(text);
}

CommandOutput WgetError(const Step& step, const FetchTarget& target, const FetchResult& result) {
  CommandOutput output{"", 1};
  const std::string address = result.address.ToString();
  if (result.address.IsNone()) {
    output.text = StrCat("wget: bad address '", HostOf(target), "'");
    return output;
  }
  if ((step.code & kFetchQuiet) == 0) {
    AddLine(StrCat("Connecting to ", HostOf(target), " (", address, ":", target.port, ")"),
            &output.text);
  }
  const auto cannot = [&](std::string_view why) {
    AddLine(StrCat("wget: can't connect to remote host (", address, "): ", why), &output.text);
  };
  if (result.error == "connection refused") {
    cannot("Connection refused");
  } else if (result.error == "no route to host") {
    cannot("No route to host");
  } else if (result.error == "connection timed out") {
    cannot("Connection timed out");
  } else {
    AddLine(StrCat("wget: error getting response: ", result.error), &output.text);
  }
  return output;
}

CommandOutput CurlError(const Step& step, const FetchTarget& target, const FetchResult& result) {
  CommandOutput output;
  std::string text;
  if (result.address.IsNone()) {
    output.status = 6;
    text = StrCat("Could not resolve host: ", target.host);
  } else if (result.error == "connection refused" || result.error == "no route to host") {
    output.status = 7;
    text = StrCat("Failed to connect to ", target.host, " port ", target.port,
                  " after 0 ms: Could not connect to server");
  } else if (result.error == "connection timed out") {
    output.status = 28;
    text = "Connection timed out";
  } else {
    output.status = 56;
    text = StrCat("Recv failure: ", result.error);
  }
  if ((step.code & kFetchNoErrors) == 0) {
    output.text = StrCat("curl: (", output.status, ") ", text);
  }
  return output;
}

CommandOutput WgetAnswer(const Step& step, const FetchTarget& target, const FetchResult& result) {
  CommandOutput output;
  const bool quiet = (step.code & kFetchQuiet) != 0;
  const bool to_file = (step.code & kFetchToFile) != 0;
  if (!quiet) {
    output.text = StrCat("Connecting to ", HostOf(target), " (", result.address.ToString(), ":",
                         target.port, ")");
  }
  if (result.status >= 400) {
    AddLine(StrCat("wget: server returned error: HTTP/1.1 ", result.status, " ",
                   HttpReason(result.status)),
            &output.text);
    output.status = 1;
    return output;
  }
  const std::string file = FileOf(target);
  if (!quiet)
    AddLine(to_file ? StrCat("saving to '", file, "'") : "writing to stdout", &output.text);
  if (!to_file) AddLine(WithoutLastNewline(result.body), &output.text);
  if (!quiet) {
    AddLine(to_file ? StrCat("'", file, "' saved") : "written to stdout", &output.text);
  }
  return output;
}

CommandOutput CurlAnswer(const Step& step, const FetchResult& result) {
  CommandOutput output;
  if ((step.code & kFetchFailCodes) != 0 && result.status >= 400) {
    output.status = 22;
    if ((step.code & kFetchNoErrors) == 0) {
      output.text = StrCat("curl: (22) The requested URL returned error: ", result.status);
    }
    return output;
  }
  if ((step.code & kFetchToFile) == 0) output.text = WithoutLastNewline(result.body);
  return output;
}

uint16_t TypeOf(std::string_view text) {
  const std::string wanted = AsciiLower(text);
  for (const uint16_t type : {dns::kA, dns::kNs, dns::kCname, dns::kSoa, dns::kPtr, dns::kMx,
                              dns::kTxt, dns::kAaaa, dns::kSrv, dns::kAny}) {
    if (AsciiLower(dns::TypeName(type)) == wanted) return type;
  }
  return 0;
}

std::string ReverseName(Ipv4 ip) {
  const uint32_t bits = ip.bits();
  return StrCat(bits & 255, ".", bits >> 8 & 255, ".", bits >> 16 & 255, ".", bits >> 24,
                ".in-addr.arpa");
}

void PrintRecord(const dns::Record& record, std::string* text) {
  switch (record.type) {
    case dns::kA:
      AddLine(StrCat("Name:\t", record.name, "\nAddress: ", record.address.ToString()), text);
      return;
    case dns::kCname:
      return AddLine(StrCat(record.name, "\tcanonical name = ", record.target), text);
    case dns::kNs:
      return AddLine(StrCat(record.name, "\tnameserver = ", record.target), text);
    case dns::kPtr:
      return AddLine(StrCat(record.name, "\tname = ", record.target), text);
    case dns::kTxt:
      return AddLine(StrCat(record.name, "\ttext = \"", StrJoin(record.text, ""), "\""), text);
    case dns::kSrv:
      return AddLine(StrCat(record.name, "\tservice = ", record.srv.priority, " ",
                            record.srv.weight, " ", record.srv.port, " ", record.target),
                     text);
    case dns::kSoa:
      return AddLine(
          StrCat(record.name, "\n\torigin = ", record.soa.mname,
                 "\n\tmail addr = ", record.soa.rname, "\n\tserial = ", record.soa.serial,
                 "\n\trefresh = ", record.soa.refresh, "\n\tretry = ", record.soa.retry,
                 "\n\texpire = ", record.soa.expire, "\n\tminimum = ", record.soa.minimum),
          text);
    default:
      return;
  }
}

}  // namespace

Step ParseFetch(const std::vector<std::string>& words, int* status) {
  const bool curl = words[0].ends_with("curl");
  Step step{.kind = Step::Kind::kFetch, .code = curl ? kFetchCurl : kFetchToFile};
  const std::string_view values = curl ? kCurlValues : kWgetValues;
  *status = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with('-') || word == "-") {
      if (step.text.empty()) step.text = word;
      continue;
    }
    if (word.starts_with("--")) {
      const bool output = word == "--output" || word == "--output-document";
      if (TakesLongValue(word) && i + 1 < words.size()) ++i;
      if (output) SetOutput(words[i], &step);
      ApplyLong(word, &step);
      continue;
    }
    for (size_t at = 1; at < word.size(); ++at) {
      if (values.find(word[at]) == std::string_view::npos) {
        ApplyShort(word[at], &step);
        continue;
      }
      const std::string value =
          at + 1 < word.size() ? word.substr(at + 1) : (i + 1 < words.size() ? words[++i] : "");
      if (word[at] == (curl ? 'o' : 'O')) SetOutput(value, &step);
      break;
    }
    // The order of the two does not matter: -S takes back what -s took.
    if (curl && word.find('S') != std::string::npos) step.code &= ~kFetchNoErrors;
  }
  if (!step.text.empty()) return step;
  *status = curl ? 2 : 1;
  return Complaint(curl ? "curl: (2) no URL specified" : "wget: no URL given");
}

CommandOutput FetchOutput(const Step& step, const FetchTarget& target, const FetchResult& result) {
  const bool curl = (step.code & kFetchCurl) != 0;
  if (result.status == 0) {
    return curl ? CurlError(step, target, result) : WgetError(step, target, result);
  }
  return curl ? CurlAnswer(step, result) : WgetAnswer(step, target, result);
}

CommandOutput BadUrlOutput(const Step& step) {
  if ((step.code & kFetchCurl) == 0) {
    return {StrCat("wget: not an http or ftp url: ", step.text), 1};
  }
  if ((step.code & kFetchNoErrors) != 0) return {"", 3};
  return {StrCat("curl: (3) URL rejected: ", step.text), 3};
}

Step ParseLookup(const std::vector<std::string>& words, int* status) {
  Step step{.kind = Step::Kind::kLookup};
  *status = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with('-')) {
      if (step.text.empty()) step.text = word;
      continue;
    }
    const size_t equals = word.find('=');
    if (equals == std::string::npos) continue;
    step.code = TypeOf(std::string_view(word).substr(equals + 1));
    if (step.code != 0) continue;
    *status = 1;
    return Complaint(StrCat("nslookup: invalid query type \"", word.substr(equals + 1), "\""));
  }
  if (!step.text.empty() && dns::SplitName(step.text)) return step;
  *status = 1;
  return Complaint(step.text.empty() ? "nslookup: no name given"
                                     : StrCat("nslookup: '", step.text, "' is no name"));
}

std::vector<dns::Question> LookupQuestions(const Step& step, const bus::DnsConfig& config) {
  const auto type = static_cast<uint16_t>(step.code);
  const absl::StatusOr<Ipv4> ip = Ipv4::Parse(step.text);
  if (ip.ok() && (type == 0 || type == dns::kPtr)) {
    return {{ReverseName(*ip), dns::kPtr, dns::kClassIn}};
  }
  std::vector<std::string> names;
  if (step.text.find('.') == std::string::npos && type != dns::kPtr) {
    for (const std::string& search : config.searches()) {
      names.push_back(StrCat(step.text, ".", search));
    }
  }
  if (names.empty()) {
    names.push_back(step.text.ends_with('.') ? step.text.substr(0, step.text.size() - 1)
                                             : step.text);
  }
  std::vector<dns::Question> questions;
  const std::vector<uint16_t> types =
      type == 0 ? std::vector<uint16_t>{dns::kA, dns::kAaaa} : std::vector<uint16_t>{type};
  for (const uint16_t one : types) {
    for (const std::string& name : names) questions.push_back({name, one, dns::kClassIn});
  }
  return questions;
}

CommandOutput LookupOutput(const bus::DnsConfig& config, const Resolved& result) {
  const bool any = std::any_of(result.replies.begin(), result.replies.end(),
                               [](const auto& reply) { return reply.second.has_value(); });
  if (!any || config.nameservers().empty()) {
    return {";; connection timed out; no servers could be reached\n", 1};
  }
  CommandOutput output;
  const std::string server = Ipv4(config.nameservers(0)).ToString();
  output.text = StrCat("Server:\t\t", server, "\nAddress:\t", server, ":53\n");
  for (const auto& [question, reply] : result.replies) {
    if (!reply) continue;
    if (reply->header.rcode != dns::kNoError) {
      AddLine(
          StrCat("** server can't find ", question.name, ": ", dns::RcodeName(reply->header.rcode)),
          &output.text);
      output.status = 1;
    } else {
      if (!reply->header.authoritative) AddLine("Non-authoritative answer:", &output.text);
      for (const dns::Record& record : reply->answers) PrintRecord(record, &output.text);
    }
    AddLine("", &output.text);
  }
  return output;
}

}  // namespace kubemu
