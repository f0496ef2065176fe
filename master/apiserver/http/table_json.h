#ifndef KUBEMU_MASTER_APISERVER_HTTP_TABLE_JSON_H_
#define KUBEMU_MASTER_APISERVER_HTTP_TABLE_JSON_H_

#include <string>

#include "master/apiserver/call.h"
#include "master/apiserver/http/media_type.h"
#include "messages/core/time.h"

namespace kubemu {

// The ListMeta of an answer: {"resourceVersion":"7","continue":"...","remainingItemCount":3}.
void AppendListMeta(const ApiAnswer& answer, std::string* out);

// The answer's objects as a meta.k8s.io Table: the columns of the kind, one row for each object.
void AppendTable(const ApiAnswer& answer, const Kind& kind, const AnswerFormat& format,
                 WallTime now, std::string* out);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_HTTP_TABLE_JSON_H_
