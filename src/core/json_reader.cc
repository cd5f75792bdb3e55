#include "core/json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace core {
namespace {

std::string shortened(const std::string& text) {
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace

JsonPlace::Step::Step(JsonPlace& place, const std::string& name) : place_(place), size_(place.text_.size()) {
  if (!place.text_.empty()) place.text_ += '.';
  place.text_ += name;
}

JsonPlace::Step::Step(JsonPlace& place, std::size_t index) : place_(place), size_(place.text_.size()) {
  place.text_ += fmt::format("[{}]", index);
}

void JsonPlace::fail(std::string message, std::string hint) const {
  throw InputError({.message = std::move(message), .file = source_, .field = text_, .hint = std::move(hint)});
}

void JsonPlace::wrong_type(const nlohmann::json& value, std::string_view expected) const {
  const std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  fail(fmt::format("cannot be {}: expected {}", shortened(text), expected),
       value.is_number() && expected == "a string" ? "put it in quotes" : "");
}

void JsonPlace::unknown_field(const std::string& name, const std::vector<std::string>& known) const {
  const std::string close = nearest(name, known);
  fail(fmt::format("has an unknown field \"{}\"", shortened(name)),
       close.empty() ? fmt::format("known: {}", fmt::join(known, ", "))
                     : fmt::format("did you mean {}?", close));
}

void read_scalar(ParameterPointer target, const nlohmann::json& value, const JsonPlace& place,
                 const ParameterSpec& spec) {
  const bool is_string = std::holds_alternative<std::string*>(target);
  if (is_string && !value.is_string()) place.wrong_type(value, "a string");
  place.checked([&] { ParameterField{.name = {}, .parameter = target, .parameter_spec = spec}.set(value); });
}

}  // namespace core
