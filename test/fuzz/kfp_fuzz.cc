#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "kfp/ir/condition.h"
#include "kfp/ir/document.h"
#include "kfp/ir/show.h"
#include "kfp/ir/validate.h"
#include "kfp/yaml/yaml.h"

// Any bytes are refused with a core::Error, or are a value that is read back the same after it was written.
namespace {

using nlohmann::json;

void require(bool holds, const char* what, const std::string& written) {
  if (holds) return;
  fmt::print(stderr, "kfp_fuzz: {}; written was:\n{}\n", what, written);
  std::abort();
}

template <class Body>
void refused_or(const Body& body) {
  try {
    body();
  } catch (const core::Error& error) {
    require(*error.what() != 0, "an error without a message", "");
  }
}

void yaml(const std::string& text) {
  for (const json& value : kfp::parse_yaml(text)) {
    std::string written;
    try {
      written = kfp::to_yaml(value);
    } catch (const core::InputError&) {
      continue;  // a number that is not finite
    }
    // Depth and size are those of what was read, without anchors.
    const std::vector<json> again = kfp::parse_yaml(written, {}, {.max_bytes = 1 << 30});
    require(again.size() == 1 && again[0].dump() == value.dump(), "another value", written);
    require(kfp::to_yaml(again[0]) == written, "another text", written);
  }
}

void pipeline(const std::string& text) {
  const kfp::ir::Pipeline read = kfp::ir::parse_pipeline(text);
  kfp::ir::validate(read);
  require(!kfp::ir::show(read).empty(), "nothing to show", "");
  const std::string written = kfp::ir::to_yaml(read);
  const kfp::ir::Pipeline again = kfp::ir::parse_pipeline(written);
  require(kfp::ir::to_json(again.spec) == kfp::ir::to_json(read.spec), "another pipeline", written);
  require(again.platform.has_value() == read.platform.has_value(), "platform lost", written);
  if (read.platform)
    require(kfp::ir::to_json(*again.platform) == kfp::ir::to_json(*read.platform), "other settings", written);
  require(kfp::ir::to_yaml(again) == written, "another text", written);
}

void condition(const std::string& text) {
  const kfp::ir::Condition read = kfp::ir::parse_condition(text);
  kfp::ir::inputs_of_condition(read);
  kfp::ir::evaluate_condition(read, {{"a", "heads"}, {"b", 5.0}, {"c", true}, {"d", nullptr}, {"e", "7"}});
}

void selector(const std::string& text) {
  const kfp::ir::Selector read = kfp::ir::parse_selector(text);
  kfp::ir::select(read, json{{"A", {{"B", {1, "x"}}}}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  refused_or([&] { yaml(text); });
  refused_or([&] { pipeline(text); });
  refused_or([&] { condition(text); });
  refused_or([&] { selector(text); });
  return 0;
}
