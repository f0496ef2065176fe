#ifndef KUBEMU_TESTS_MASTER_STORE_STORE_HARNESS_H_
#define KUBEMU_TESTS_MASTER_STORE_STORE_HARNESS_H_

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "master/store/memory_storage.h"
#include "master/store/sqlite_storage.h"
#include "master/store/store.h"
#include "messages/api/labels.h"
#include "messages/core/strings.h"
#include "messages/message.h"
#include "messages/proto/k8s/core_config.pb.h"
#include "messages/proto/store.pb.h"

namespace kubemu {

// A directory of its own for one test, removed at its end.
class TestDirectory {
 public:
  TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "kubemu-store-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline Object ConfigMap(const std::string& name, const std::string& value, Trace trace = {}) {
  k8s::core::v1::ConfigMap map;
  map.mutable_metadata()->set_namespace_("default");
  map.mutable_metadata()->set_name(name);
  auto* entry = map.add_data();
  entry->set_key("value");
  entry->set_value(value);
  return Object::From(std::move(map), trace);
}

inline std::string ValueOf(const Object& object) {
  return object.As<k8s::core::v1::ConfigMap>().data(0).value();
}

inline bus::StoreTxn Put(const std::string& key) {
  bus::StoreTxn txn;
  txn.add_operations()->set_key(key);
  return txn;
}

inline bus::StoreTxn Remove(const std::string& key) {
  bus::StoreTxn txn = Put(key);
  txn.mutable_operations(0)->set_remove(true);
  return txn;
}

inline bus::StoreTxn IfAt(uint64_t mod_revision, bus::StoreTxn txn) {
  bus::StoreTxn::Compare* compare = txn.add_compares();
  compare->set_key(txn.operations(0).key());
  compare->set_mod_revision(mod_revision);
  return txn;
}

// One store on a disk that outlives it, stepped by hand.
class StoreHarness {
 public:
  using OpenStorage = std::function<std::unique_ptr<Storage>()>;

  explicit StoreHarness(OpenStorage open)
      : open_(std::move(open)), store_(std::make_unique<Store>(open_())) {}

  Store& store() { return *store_; }

  // Ends the store as a crash does, and starts it again.
  void Crash() {
    store_.reset();
    store_ = std::make_unique<Store>(open_());
  }

  // Everything that the store sent for one message, in order.
  template <class T>
  std::vector<Message> Send(T body, std::vector<Object> objects = {},
                            const std::string& from = "master/apiserver", uint64_t id = 0,
                            Trace trace = {}) {
    Message message;
    message.id = id;
    message.trace = trace;
    message.from = from;
    message.to = "master/store";
    message.kind = MessageKindOf<T>();
    message.body = std::make_shared<const T>(std::move(body));
    message.objects = std::move(objects);
    Outbox outbox("master/store", message.Context());
    Env env{Time{}, WallTime{}, random_, outbox};
    store_->Receive(message, env);
    return std::move(outbox.messages());
  }

  // Sends a transaction whose result is the last message that comes back.
  bus::StoreTxnResult Txn(bus::StoreTxn txn, std::vector<Object> objects = {}) {
    return Send(std::move(txn), std::move(objects)).back().As<bus::StoreTxnResult>();
  }
  bus::StoreTxnResult PutValue(const std::string& key, const std::string& value) {
    return Txn(Put(key), {ConfigMap(key, value)});
  }

  std::vector<Message> Watch(uint64_t revision, const std::string& from = "master/apiserver") {
    bus::StoreWatch watch;
    watch.set_revision(revision);
    return Send(std::move(watch), {}, from);
  }
  void Compact(uint64_t revision) {
    bus::StoreCompact compact;
    compact.set_revision(revision);
    Send(std::move(compact));
  }

  // "PUT a=1@2" for each event, "SYNCED@5", "COMPACTED@3".
  static std::vector<std::string> Describe(const std::vector<Message>& messages) {
    std::vector<std::string> lines;
    for (const Message& message : messages) {
      if (message.kind != bus::STORE_EVENT) {
        lines.push_back("result");
        continue;
      }
      const auto& event = message.As<bus::StoreEvent>();
      std::string line = bus::StoreEvent::Type_Name(event.type());
      if (!message.objects.empty()) {
        StrAppend(&line, " ", event.key(), "=", ValueOf(message.objects[0]));
      }
      lines.push_back(StrCat(line, "@", event.revision()));
    }
    return lines;
  }

 private:
  OpenStorage open_;
  Random random_{1};
  std::unique_ptr<Store> store_;
};

}  // namespace kubemu

#endif  // KUBEMU_TESTS_MASTER_STORE_STORE_HARNESS_H_
