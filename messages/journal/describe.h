#ifndef KUBEMU_MESSAGES_JOURNAL_DESCRIBE_H_
#define KUBEMU_MESSAGES_JOURNAL_DESCRIBE_H_

#include "messages/message.h"
#include "messages/proto/journal.pb.h"

namespace kubemu {

// Fills in what a reader of the journal wants to know of the body: `what` (one line, such as
// "MODIFIED pods default/web-1" or "10.96.0.10:80 -> 10.244.1.2:80"), `bytes`, `revision`, `flow`.
// The contents of objects (Secrets among them) never get into a journal. Runs for every message:
// flow data makes no text, but for "FIN" at its end.
void Describe(const Message& message, bus::JournalRecord* record);

}  // namespace kubemu

#endif  // KUBEMU_MESSAGES_JOURNAL_DESCRIBE_H_
