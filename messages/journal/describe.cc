#include "messages/journal/describe.h"

#include "messages/api/kinds.h"
#include "messages/core/ip.h"
#include "messages/core/strings.h"
#include "messages/dns/dns_message.h"
#include "messages/proto/api.pb.h"
#include "messages/proto/control.pb.h"
#include "messages/proto/flow.pb.h"
#include "messages/proto/http.pb.h"
#include "messages/proto/node.pb.h"
#include "messages/proto/store.pb.h"

namespace kubemu {
namespace {

constexpr uint32_t kDnsPort = 53;

std::string_view Plural(uint32_t kind_id) {
  const Kind* kind = KindById(static_cast<int>(kind_id));
  return kind == nullptr ? std::string_view("?") : kind->plural;
}

std::string Place(const std::string& ns, const std::string& name) {
  if (ns.empty() && name.empty()) return "";
  return StrCat(" ", ObjectKey(ns, name));
}

std::string Endpoint(uint32_t ip, uint32_t port) {
  return StrCat(Ipv4(ip).ToString(), ":", port);
}

std::string DescribeCall(const bus::ApiRequest& call, const Message& message) {
  std::string text = StrCat(bus::Verb_Name(call.verb()), " ", Plural(call.kind()));
  if (!call.subresource().empty()) StrAppend(&text, "/", call.subresource());
  if (call.name().empty() && !message.objects.empty()) {
    StrAppend(&text, " ", message.objects[0].key());
  } else {
    StrAppend(&text, Place(call.namespace_(), call.name()));
  }
  if (!call.field_selector().empty()) StrAppend(&text, " ", call.field_selector());
  return text;
}

std::string DescribeWatch(const bus::WatchRequest& watch) {
  std::string text = StrCat("WATCH ", Plural(watch.kind()));
  if (!watch.namespace_().empty()) StrAppend(&text, " ", watch.namespace_());
  if (!watch.field_selector().empty()) StrAppend(&text, " ", watch.field_selector());
  return StrCat(text, " from ", watch.revision());
}

std::string DescribeTxn(const bus::StoreTxn& txn) {
  std::string text;
  for (const bus::StoreTxn::Operation& operation : txn.operations()) {
    StrAppend(&text, text.empty() ? "" : ", ", operation.remove() ? "DELETE " : "PUT ",
              operation.key());
  }
  return text;
}

void DescribeApi(const Message& message, bus::JournalRecord* record) {
  switch (message.kind) {
    case bus::API_REQUEST:
      record->set_what(DescribeCall(message.As<bus::ApiRequest>(), message));
      break;
    case bus::API_RESPONSE: {
      const auto& response = message.As<bus::ApiResponse>();
      std::string text = StrCat(response.code());
      if (!response.reason().empty()) StrAppend(&text, " ", response.reason());
      if (message.objects.size() == 1) {
        StrAppend(&text, " ", message.objects[0].kind().plural, " ", message.objects[0].key());
      }
      record->set_what(std::move(text));
      break;
    }
    case bus::WATCH_REQUEST:
      record->set_what(DescribeWatch(message.As<bus::WatchRequest>()));
      break;
    case bus::WATCH_EVENT: {
      const auto& event = message.As<bus::WatchEvent>();
      std::string text(bus::WatchEvent::Type_Name(event.type()));
      for (const Object& object : message.objects) {
        StrAppend(&text, " ", object.kind().plural, " ", object.key());
      }
      record->set_what(std::move(text));
      record->set_revision(event.revision());
      break;
    }
    default:
      break;
  }
}

void DescribeStore(const Message& message, bus::JournalRecord* record) {
  if (message.kind == bus::STORE_TXN) {
    record->set_what(DescribeTxn(message.As<bus::StoreTxn>()));
  } else if (message.kind == bus::STORE_TXN_RESULT) {
    const auto& result = message.As<bus::StoreTxnResult>();
    record->set_what(result.succeeded() ? "committed" : "compare failed");
    record->set_revision(result.revision());
  } else if (message.kind == bus::STORE_EVENT) {
    const auto& event = message.As<bus::StoreEvent>();
    record->set_what(StrCat(bus::StoreEvent::Type_Name(event.type()), " ", event.key()));
    record->set_revision(event.revision());
  }
}

void DescribeHttp(const Message& message, bus::JournalRecord* record) {
  if (message.kind == bus::HTTP_REQUEST) {
    const auto& request = message.As<bus::HttpRequest>();
    record->set_what(StrCat(request.method(), " ", request.target()));
    record->set_bytes(static_cast<uint32_t>(request.body().size()));
  } else if (message.kind == bus::HTTP_RESPONSE) {
    const auto& response = message.As<bus::HttpResponse>();
    if (response.status() != 0) record->set_what(StrCat(response.status()));
    record->set_bytes(static_cast<uint32_t>(response.body().size()));
  }
}

void DescribeFlow(const Message& message, bus::JournalRecord* record) {
  switch (message.kind) {
    case bus::FLOW_OPEN: {
      const auto& open = message.As<bus::FlowOpen>();
      record->set_flow(open.flow());
      record->set_what(StrCat(Endpoint(open.source_ip(), open.source_port()), " -> ",
                              Endpoint(open.destination_ip(), open.destination_port())));
      break;
    }
    case bus::FLOW_DATA: {
      const auto& data = message.As<bus::FlowData>();
      record->set_flow(data.flow());
      record->set_bytes(static_cast<uint32_t>(data.data().size()));
      if (data.fin()) record->set_what("FIN");
      break;
    }
    case bus::FLOW_CREDIT:
      record->set_flow(message.As<bus::FlowCredit>().flow());
      break;
    case bus::FLOW_CLOSE: {
      const auto& close = message.As<bus::FlowClose>();
      record->set_flow(close.flow());
      record->set_what(bus::FlowClose::Reason_Name(close.reason()));
      break;
    }
    case bus::DATAGRAM: {
      const auto& datagram = message.As<bus::Datagram>();
      std::string text = StrCat(Endpoint(datagram.source_ip(), datagram.source_port()), " -> ",
                                Endpoint(datagram.destination_ip(), datagram.destination_port()));
      if (datagram.source_port() == kDnsPort || datagram.destination_port() == kDnsPort) {
        const std::string dns = dns::Summary(datagram.data());
        if (!dns.empty()) StrAppend(&text, " DNS ", dns);
      }
      record->set_what(std::move(text));
      record->set_bytes(static_cast<uint32_t>(datagram.data().size()));
      break;
    }
    default:
      break;
  }
}

void DescribeControl(const Message& message, bus::JournalRecord* record) {
  if (message.kind == bus::LINK_UP) {
    record->set_what(message.As<bus::LinkUp>().process());
  } else if (message.kind == bus::LINK_DOWN) {
    const auto& down = message.As<bus::LinkDown>();
    record->set_what(StrCat(down.process(), ": ", down.reason()));
  } else if (message.kind == bus::LISTEN) {
    const auto& listen = message.As<bus::Listen>();
    record->set_what(
        StrCat(listen.protocol() == bus::UDP ? "UDP " : "", Endpoint(listen.ip(), listen.port())));
  } else if (message.kind == bus::OPEN_NETWORK) {
    record->set_what(message.As<bus::OpenNetwork>().name());
  } else if (message.kind == bus::CLOSE_NETWORK) {
    record->set_what(message.As<bus::CloseNetwork>().name());
  } else if (message.kind == bus::RUN_COMMAND) {
    const auto& command = message.As<bus::RunCommand>();
    std::string text;
    for (const std::string& word : command.words()) StrAppend(&text, text.empty() ? "" : " ", word);
    record->set_what(std::move(text));
    record->set_bytes(static_cast<uint32_t>(command.input().size()));
  } else if (message.kind == bus::COMMAND_DONE) {
    const auto& done = message.As<bus::CommandDone>();
    record->set_what(done.error().empty() ? "done" : done.error());
    record->set_bytes(static_cast<uint32_t>(done.output().size()));
  } else if (message.kind == bus::INSPECT_REQUEST) {
    record->set_what(message.As<bus::InspectRequest>().question());
  } else if (message.kind == bus::INSPECT_RESPONSE) {
    const auto& response = message.As<bus::InspectResponse>();
    record->set_what(response.error());
    record->set_bytes(static_cast<uint32_t>(response.text().size()));
  } else if (message.kind == bus::ENGINE_CONTROL) {
    record->set_what(message.As<bus::EngineControl>().down() ? "down" : "up");
  } else if (message.kind == bus::IPTABLES_RESTORE) {
    const auto& restore = message.As<bus::IptablesRestore>();
    record->set_what(restore.full() ? "all chains" : "changed chains");
    record->set_revision(restore.revision());
    record->set_bytes(static_cast<uint32_t>(restore.rules().size()));
  } else if (message.kind == bus::IPTABLES_RESTORED) {
    const auto& restored = message.As<bus::IptablesRestored>();
    record->set_what(restored.error().empty() ? "applied" : restored.error());
    record->set_revision(restored.revision());
  }
}

template <class T>
std::string ContainerText(const T& body) {
  return StrCat(body.container(), " (attempt ", body.attempt(), ")");
}

void DescribeProbe(const Message& message, bus::JournalRecord* record) {
  if (message.kind == bus::PROBE_REQUEST) {
    const auto& probe = message.As<bus::ProbeRequest>();
    std::string text = probe.container() + ":";
    for (const std::string& word : probe.command()) StrAppend(&text, " ", word.substr(0, 80));
    record->set_what(std::move(text));
  } else {
    const auto& result = message.As<bus::ProbeResult>();
    record->set_what(result.success() ? "success" : result.message());
  }
}

std::string DescribeEngineEvent(const bus::EngineEvent& event) {
  std::string text(bus::EngineEvent::Type_Name(event.type()));
  if (!event.container().empty()) StrAppend(&text, " ", event.container());
  if (event.ip() != 0) StrAppend(&text, " ", Ipv4(event.ip()).ToString());
  if (event.type() == bus::EngineEvent::CONTAINER_EXITED) {
    StrAppend(&text, " exit code ", event.exit_code());
  }
  if (!event.message().empty()) StrAppend(&text, ": ", event.message());
  return text;
}

void DescribeNode(const Message& message, bus::JournalRecord* record) {
  switch (message.kind) {
    case bus::RUN_POD_SANDBOX: {
      const auto& run = message.As<bus::RunPodSandbox>();
      return record->set_what(ObjectKey(run.namespace_(), run.name()));
    }
    case bus::PULL_IMAGE:
      return record->set_what(message.As<bus::PullImage>().image());
    case bus::START_CONTAINER: {
      const auto& start = message.As<bus::StartContainer>();
      return record->set_what(StrCat(ContainerText(start), " ", start.image()));
    }
    case bus::STOP_CONTAINER:
      return record->set_what(ContainerText(message.As<bus::StopContainer>()));
    case bus::REMOVE_CONTAINER:
      return record->set_what(ContainerText(message.As<bus::RemoveContainer>()));
    case bus::ENGINE_EVENT:
      return record->set_what(DescribeEngineEvent(message.As<bus::EngineEvent>()));
    case bus::POD_NETWORK_UPDATE: {
      const auto& update = message.As<bus::PodNetworkUpdate>();
      return record->set_what(StrCat(Ipv4(update.ip()).ToString(),
                                     update.removed() ? " no longer " : " is ", update.address()));
    }
    case bus::PROBE_REQUEST:
    case bus::PROBE_RESULT:
      return DescribeProbe(message, record);
    default:
      return;
  }
}

}  // namespace

void Describe(const Message& message, bus::JournalRecord* record) {
  if (!message.objects.empty() && message.objects.size() == 1) {
    record->set_revision(message.objects[0].revision());
  }
  if (message.kind <= bus::WATCH_CANCEL) return DescribeApi(message, record);
  if (message.kind <= bus::STORE_COMPACT) return DescribeStore(message, record);
  if (message.kind <= bus::HTTP_CANCEL) return DescribeHttp(message, record);
  if (message.kind <= bus::DATAGRAM) return DescribeFlow(message, record);
  DescribeControl(message, record);
  DescribeNode(message, record);
}

}  // namespace kubemu
