#include "master/store/store.h"

#include <algorithm>
#include <utility>

#include "google/protobuf/message.h"
#include "messages/api/kinds.h"
#include "messages/core/check.h"
#include "messages/core/strings.h"
#include "messages/proto/k8s/meta.pb.h"

namespace kubemu {
namespace {

// Nobody else talks to the store: a node that tries it is not heard.
constexpr std::string_view kClient = "master/apiserver";

Object WithRevision(const Object& object, uint64_t revision, Trace trace) {
  if (object.revision() == revision) return object;
  std::unique_ptr<google::protobuf::Message> copy(object.message().New());
  copy->CopyFrom(object.message());
  MutableMetaOf(copy.get())->set_resource_version(StrCat(revision));
  return Object::Of(std::move(copy), trace);
}

void SendMark(const std::string& watcher, bus::StoreEvent::Type type, uint64_t revision,
              uint64_t compacted, Env& env) {
  bus::StoreEvent event;
  event.set_type(type);
  event.set_revision(revision);
  event.set_compacted_revision(compacted);
  env.outbox.Send(watcher, std::move(event));
}

}  // namespace

Store::Store(std::unique_ptr<Storage> storage) : storage_(std::move(storage)) {
  KUBEMU_CHECK(storage_ != nullptr);
  status_ = Load();
}

absl::Status Store::Load() {
  const absl::StatusOr<uint64_t> compacted =
      storage_->Load([this](StoreRow row) { return LoadRow(std::move(row)); });
  if (!compacted.ok()) return compacted.status();
  compacted_ = *compacted;
  revision_ = std::max(revision_, compacted_);
  while (!history_.empty() && history_.front().revision <= compacted_) history_.pop_front();
  uint64_t expected = std::max<uint64_t>(compacted_, 1);
  for (const Event& event : history_) {
    if (event.revision > expected + 1) {
      return absl::DataLossError(StrCat("the store is damaged: nothing is left of revision ",
                                        expected + 1, ", but of revision ", event.revision));
    }
    expected = event.revision;
  }
  return absl::OkStatus();
}

absl::Status Store::LoadRow(StoreRow row) {
  revision_ = RevisionOf(row.row);
  Remember(std::move(row));
  return absl::OkStatus();
}

absl::Status Store::Commit() {
  if (status_.ok()) status_ = storage_->Commit();
  return status_;
}

void Store::Receive(const Message& message, Env& env) {
  if (message.from != kClient) return;
  switch (message.kind) {
    case bus::STORE_TXN:
      if (!IsDouble(message)) Transact(message, env);
      break;
    case bus::STORE_WATCH:
      Watch(message, env);
      break;
    case bus::STORE_COMPACT:
      Compact(message.As<bus::StoreCompact>().revision());
      break;
    default:
      break;
  }
}

// Messages made by hand have no id and are never taken for doubles.
bool Store::IsDouble(const Message& message) {
  if (message.id == 0) return false;
  if (!recent_.insert(message.id).second) return true;
  recent_order_.push_back(message.id);
  if (recent_order_.size() > kRecentMax) {
    recent_.erase(recent_order_.front());
    recent_order_.pop_front();
  }
  return false;
}

void Store::Transact(const Message& message, Env& env) {
  const auto& txn = message.As<bus::StoreTxn>();
  bus::StoreTxnResult result;
  result.set_request(txn.request());
  absl::Status status = status_;
  if (status.ok()) status = Check(txn, message);
  if (status.ok() && std::all_of(txn.compares().begin(), txn.compares().end(),
                                 [this](const auto& compare) { return Holds(compare); })) {
    const absl::StatusOr<size_t> changed = Apply(txn, message, env);
    result.set_succeeded(changed.ok());
    status = changed.status();
  }
  if (!status.ok()) result.set_error(std::string(status.message()));
  result.set_revision(revision_);
  env.outbox.Send(message.from, std::move(result));
  if (history_.size() > kHistoryMax) Compact(history_[history_.size() / 2].revision);
}

absl::Status Store::Check(const bus::StoreTxn& txn, const Message& message) const {
  if (static_cast<size_t>(txn.operations_size()) >= kStoreOperationsMax) {
    return absl::InvalidArgumentError(StrCat("a transaction holds at most ",
                                             kStoreOperationsMax - 1, " operations, not ",
                                             txn.operations_size()));
  }
  std::set<std::string_view> keys;
  for (const auto& operation : txn.operations()) {
    if (operation.key().empty()) return absl::InvalidArgumentError("an operation has no key");
    if (!keys.insert(operation.key()).second) {
      return absl::InvalidArgumentError(
          StrCat("key ", operation.key(), " is written twice in one transaction"));
    }
    if (operation.remove()) continue;
    if (operation.object() >= message.objects.size() || !message.objects[operation.object()]) {
      return absl::InvalidArgumentError(StrCat("the put of ", operation.key(), " names attachment ",
                                               operation.object(), ", which is not there"));
    }
  }
  if (entries_.size() + keys.size() > kKeysMax) {
    return absl::ResourceExhaustedError(StrCat("the store is full: it holds ", entries_.size(),
                                               " of at most ", kKeysMax, " objects; delete some"));
  }
  return absl::OkStatus();
}

bool Store::Holds(const bus::StoreTxn::Compare& compare) const {
  const auto it = entries_.find(compare.key());
  const uint64_t current = it == entries_.end() ? 0 : RevisionOf(it->second.row);
  return current == compare.mod_revision();
}

absl::StatusOr<size_t> Store::Apply(const bus::StoreTxn& txn, const Message& message, Env& env) {
  const uint64_t revision = revision_ + 1;
  std::vector<StoreRow> rows;
  for (const auto& operation : txn.operations()) {
    const auto it = entries_.find(operation.key());
    if (operation.remove() && it == entries_.end()) continue;
    rows.push_back(RowFor(operation, it == entries_.end() ? nullptr : &it->second, revision,
                          rows.size(), message));
  }
  if (rows.empty()) return rows.size();
  const absl::Status writable = storage_->Writable();
  if (!writable.ok()) return writable;
  for (const StoreRow& row : rows) {
    // A failure here is for good: Commit reports it at the end of this turn.
    const absl::Status status = storage_->Append(row);
    if (!status.ok()) return status_ = status;
  }
  revision_ = revision;
  for (StoreRow& row : rows) {
    Remember(std::move(row));
    for (const std::string& watcher : watchers_) SendEvent(watcher, history_.back(), env);
  }
  return rows.size();
}

StoreRow Store::RowFor(const bus::StoreTxn::Operation& operation, const Entry* before,
                       uint64_t revision, size_t position, const Message& message) const {
  StoreRow row;
  row.row = RowOf(revision, position);
  row.supersedes = before == nullptr ? 0 : before->row;
  row.key = operation.key();
  row.create_revision = before == nullptr ? revision : before->create_revision;
  row.removed = operation.remove();
  if (row.removed) {
    row.object = WithRevision(before->object, revision, message.trace);
  } else {
    const Object& object = message.objects[operation.object()];
    row.object = WithRevision(object, revision, object.trace());
  }
  return row;
}

// Takes a row over into the keys and the history.
void Store::Remember(StoreRow row) {
  Event event{row.key, row.object, RevisionOf(row.row), row.create_revision, row.removed};
  if (row.removed) {
    entries_.erase(row.key);
  } else {
    entries_[std::move(row.key)] = Entry{std::move(row.object), row.row, row.create_revision};
  }
  history_.push_back(std::move(event));
}

void Store::Watch(const Message& message, Env& env) {
  const uint64_t after = message.As<bus::StoreWatch>().revision();
  const bool is_known = watchers_.contains(message.from);
  if (!is_known && watchers_.size() >= kWatchersMax) return;
  watchers_.insert(message.from);
  if (after == 0) return SendAll(message.from, env);
  if (after < compacted_ || after > revision_) {
    watchers_.erase(message.from);
    return SendMark(message.from, bus::StoreEvent::COMPACTED, revision_, compacted_, env);
  }
  const auto first =
      std::partition_point(history_.begin(), history_.end(),
                           [after](const Event& event) { return event.revision <= after; });
  for (auto it = first; it != history_.end(); ++it) SendEvent(message.from, *it, env);
}

void Store::SendAll(const std::string& watcher, Env& env) const {
  for (const auto& [key, entry] : entries_) {
    SendEvent(watcher,
              Event{key, entry.object, RevisionOf(entry.row), entry.create_revision, false}, env);
  }
  SendMark(watcher, bus::StoreEvent::SYNCED, revision_, compacted_, env);
}

void Store::SendEvent(const std::string& watcher, const Event& event, Env& env) const {
  bus::StoreEvent message;
  message.set_type(event.removed ? bus::StoreEvent::DELETE : bus::StoreEvent::PUT);
  message.set_key(event.key);
  message.set_revision(event.revision);
  message.set_create_revision(event.create_revision);
  env.outbox.Send(watcher, std::move(message), {event.object});
}

void Store::Compact(uint64_t revision) {
  if (!status_.ok() || revision <= compacted_ || revision > revision_) return;
  status_ = storage_->Compact(revision);
  if (!status_.ok()) return;
  compacted_ = revision;
  while (!history_.empty() && history_.front().revision <= revision) history_.pop_front();
}

}  // namespace kubemu
