#ifndef KUBEMU_MASTER_APISERVER_FIELD_VALIDATION_H_
#define KUBEMU_MASTER_APISERVER_FIELD_VALIDATION_H_

#include <cstdint>
#include <string>
#include <vector>

namespace kubemu {

struct FieldErrors;

// What a request wants done about fields that do not exist or are given twice (?fieldValidation=).
enum class FieldValidation : uint8_t { kIgnore, kWarn, kStrict };

// Does it: adds one text for each field to `warnings`, or returns what a strict request is refused
// with ("strict decoding error: unknown field ..."); "": it is not refused.
std::string JudgeFields(const FieldErrors& fields, FieldValidation mode,
                        std::vector<std::string>* warnings);

}  // namespace kubemu

#endif  // KUBEMU_MASTER_APISERVER_FIELD_VALIDATION_H_
