#pragma once

#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>

#include "core/json_reader.h"
#include "kfp/ir/types.h"

namespace kfp::ir {

/// proto3 JSON for core::read_json(): fields in camelCase or snake_case, integers and doubles also as
/// strings, enumerations by name or number.
struct ProtoJson {
  static const nlohmann::json* find(const nlohmann::json& object, const char* name);
  static std::string described(const std::string& name);

  // null is the same as absent, but of google.protobuf.Value.
  template <class T>
  static constexpr bool takes_null = std::is_same_v<T, std::optional<Value>>;
  template <class T>
  static constexpr bool reads =
      (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) || std::is_enum_v<T> ||
      std::is_same_v<T, Duration> || std::is_same_v<T, Value> || std::is_same_v<T, JsonObject>;

  static void read(std::int32_t& target, const nlohmann::json& value, core::JsonPlace& place);
  static void read(std::int64_t& target, const nlohmann::json& value, core::JsonPlace& place);
  static void read(double& target, const nlohmann::json& value, core::JsonPlace& place);
  static void read(Duration& target, const nlohmann::json& value, core::JsonPlace& place);
  static void read(Value& target, const nlohmann::json& value, core::JsonPlace& place);
  static void read(JsonObject& target, const nlohmann::json& value, core::JsonPlace& place);
  template <class T>
  requires std::is_enum_v<T>
  static void read(T& target, const nlohmann::json& value, core::JsonPlace& place) {
    const auto names = enum_names(T{});
    target = static_cast<T>(index_of_name({names.begin(), names.end()}, value, place));
  }

 private:
  static int index_of_name(const std::vector<std::string>& names, const nlohmann::json& value,
                           core::JsonPlace& place);
};

/// @throws core::InputError naming the file and the place in it
template <class T>
T from_proto_json(const nlohmann::json& value, const std::filesystem::path& source) {
  core::JsonPlace place(source);
  T target;
  core::read_json<ProtoJson>(target, value, place);
  return target;
}

}  // namespace kfp::ir
