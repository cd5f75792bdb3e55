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

// Smaller than those of pipelines, so that aliases that nearly explode do not take all the time.
constexpr kfp::YamlLimits kLimits = {.max_bytes = 1 << 20, .max_depth = 100, .max_nodes = 20'000};

template <class Body>
bool accepted(const Body& body) {
  try {
    body();
    return true;
  } catch (const core::Error& error) {
    require(*error.what() != 0, "an error without a message", "");
    return false;
  }
}

// Reads what we wrote, which must be possible.
template <class Read>
auto read_back(const std::string& written, const Read& read) {
  try {
    return read(written);
  } catch (const core::Error& error) {
    require(false, error.what(), written);
    std::abort();
  }
}

void yaml(const std::string& text) {
  for (const json& value : kfp::parse_yaml(text, {}, kLimits)) {
    std::string written;
    try {
      written = kfp::to_yaml(value);
    } catch (const core::InputError&) {
      continue;  // a number that is not finite
    }
    const std::vector<json> again = read_back(written, [](const std::string& whole) {
      return kfp::parse_yaml(whole, {}, {.max_bytes = 1 << 30, .max_depth = 100});  // aliases are written out
    });
    require(again.size() == 1 && again[0].dump() == value.dump(), "another value", written);
    require(kfp::to_yaml(again[0]) == written, "another text", written);
  }
}

void pipeline(const std::string& text) {
  const kfp::ir::Pipeline read = kfp::ir::parse_pipeline(text);
  kfp::ir::validate(read);
  require(!kfp::ir::show(read).empty(), "nothing to show", "");
  const std::string written = kfp::ir::to_yaml(read);
  if (written.size() > 32 << 20) return;  // aliases are written out
  const kfp::ir::Pipeline again =
      read_back(written, [](const std::string& whole) { return kfp::ir::parse_pipeline(whole); });
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
  if (accepted([&] { yaml(text); })) accepted([&] { pipeline(text); });
  accepted([&] { condition(text); });
  accepted([&] { selector(text); });
  return 0;
}
