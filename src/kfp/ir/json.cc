#include <cmath>
#include <type_traits>

#include "kfp/ir/detail/proto_json.h"
#include "kfp/ir/document.h"

namespace kfp::ir {
namespace {

using nlohmann::json;

template <class T>
json written(const T& value);

class ObjectWriter {
 public:
  template <class T>
  void operator()(const char* name, const T& member) {
    if constexpr (core::detail::is_optional<T>) {
      if (member) object_[name] = written(*member);
    } else {
      if (!member.empty()) object_[name] = written(member);
    }
  }
  template <class T>
  void alternative(const char*, const char* name, const std::optional<T>& member) {
    (*this)(name, member);
  }
  void rest(const std::map<std::string, JsonObject>& others) {
    for (const auto& [name, value] : others) object_[name] = value.value;
  }
  json take() { return std::move(object_); }

 private:
  json object_ = json::object();
};

template <class T>
json written(const T& value) {
  if constexpr (std::is_same_v<T, std::int64_t>) {
    return std::to_string(value);
  } else if constexpr (std::is_same_v<T, double>) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return value;
  } else if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T> ||
                       std::is_same_v<T, Value>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return to_string(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    return value.text;
  } else if constexpr (std::is_same_v<T, JsonObject>) {
    return value.value;
  } else if constexpr (core::detail::is_vector<T>) {
    json list = json::array();
    for (const auto& element : value) list.push_back(written(element));
    return list;
  } else if constexpr (core::detail::is_map<T>) {
    json object = json::object();
    for (const auto& [name, element] : value) object[name] = written(element);
    return object;
  } else {
    ObjectWriter writer;
    // describe() also serves readers and is not const; the writer changes nothing.
    const_cast<T&>(value).describe(writer);
    return writer.take();
  }
}

template <class T>
json schema_of();

class SchemaWriter {
 public:
  template <class T>
  void operator()(const char* name, T&) {
    fields_[name] = schema_of<T>();
  }
  template <class T>
  void alternative(const char* group, const char* name, std::optional<T>&) {
    fields_[name] = schema_of<T>();
    fields_[name]["oneof"] = group;
  }
  void rest(std::map<std::string, JsonObject>&) { fields_["*"] = schema_of<JsonObject>(); }
  json take() { return std::move(fields_); }

 private:
  json fields_ = json::object();
};

template <class T>
json schema_of() {
  if constexpr (core::detail::is_optional<T>) {
    return schema_of<typename T::value_type>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return {{"type", "string"}};
  } else if constexpr (std::is_same_v<T, bool>) {
    return {{"type", "bool"}};
  } else if constexpr (std::is_integral_v<T>) {
    return {{"type", sizeof(T) == 8 ? "int64" : "int32"}};
  } else if constexpr (std::is_same_v<T, double>) {
    return {{"type", "double"}};
  } else if constexpr (std::is_enum_v<T>) {
    json names = json::array();
    for (const char* name : enum_names(T{})) names.push_back(name);
    return {{"type", "enum"}, {"names", names}};
  } else if constexpr (std::is_same_v<T, Duration>) {
    return {{"type", "duration"}};
  } else if constexpr (std::is_same_v<T, Value>) {
    return {{"type", "value"}};
  } else if constexpr (std::is_same_v<T, JsonObject>) {
    return {{"type", "struct"}};
  } else if constexpr (core::detail::is_vector<T>) {
    json element = schema_of<typename T::value_type>();
    element["repeated"] = true;
    return element;
  } else if constexpr (core::detail::is_map<T>) {
    json element = schema_of<typename T::mapped_type>();
    element["map"] = true;
    return element;
  } else {
    T value;
    SchemaWriter writer;
    value.describe(writer);
    return {{"type", "message"}, {"fields", writer.take()}};
  }
}

}  // namespace

PipelineSpec pipeline_spec_from_json(const json& value, const std::filesystem::path& source) {
  return from_proto_json<PipelineSpec>(value, source);
}

PlatformSpec platform_spec_from_json(const json& value, const std::filesystem::path& source) {
  return from_proto_json<PlatformSpec>(value, source);
}

void check_kubernetes_executor(const json& value, core::JsonPlace& place) {
  KubernetesExecutorConfig config;
  core::read_json<ProtoJson>(config, value, place);
}

void check_kubernetes_pipeline(const json& value, core::JsonPlace& place) {
  PipelineConfig config;
  core::read_json<ProtoJson>(config, value, place);
}

json to_json(const PipelineSpec& spec) {
  return written(spec);
}

json to_json(const PlatformSpec& spec) {
  return written(spec);
}

json schema() {
  return {{"PipelineSpec", schema_of<PipelineSpec>()}, {"PlatformSpec", schema_of<PlatformSpec>()}};
}

}  // namespace kfp::ir
