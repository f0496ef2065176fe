#include "master/apiserver/field_validation.h"

#include "messages/api/json.h"
#include "messages/core/strings.h"

namespace kubemu {

std::string JudgeFields(const FieldErrors& fields, FieldValidation mode,
                        std::vector<std::string>* warnings) {
  if (mode == FieldValidation::kIgnore) return "";
  std::vector<std::string> texts;
  for (const std::string& field : fields.unknown)
    texts.push_back(StrCat("unknown field \"", field, "\""));
  for (const std::string& field : fields.duplicate)
    texts.push_back(StrCat("duplicate field \"", field, "\""));
  if (texts.empty()) return "";
  if (mode == FieldValidation::kStrict)
    return StrCat("strict decoding error: ", StrJoin(texts, ", "));
  warnings->insert(warnings->end(), texts.begin(), texts.end());
  return "";
}

}  // namespace kubemu
