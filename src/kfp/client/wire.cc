#include "kfp/client/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <type_traits>

#include "core/error.h"
#include "kfp/client/time_text.h"

namespace kfp::client {
namespace {

using nlohmann::json;

// M is a message, const for writing.
template <class M, class Message>
concept Is = std::same_as<std::remove_const_t<M>, Message>;

template <class V, Is<ErrorStatus> M>
void fields(V& v, M& m) {
  v.integer("code", m.code, false);
  v.value("message", m.message);
}
template <class V, Is<Health> M>
void fields(V& v, M& m) {
  v.value("tag_name", m.tag_name);
  v.value("commit_sha", m.commit_sha);
  v.value("multi_user", m.multi_user);
  v.value("pipeline_store", m.pipeline_store);
}
template <class V, Is<Pipeline> M>
void fields(V& v, M& m) {
  v.value("pipeline_id", m.pipeline_id);
  v.value("name", m.name);
  v.value("display_name", m.display_name);
  v.value("description", m.description);
  v.value("namespace", m.namespace_name);
  v.time("created_at", m.created_s);
  v.value("error", m.error);
}
template <class V, Is<PipelineVersion> M>
void fields(V& v, M& m) {
  v.value("pipeline_id", m.pipeline_id);
  v.value("pipeline_version_id", m.pipeline_version_id);
  v.value("name", m.name);
  v.value("display_name", m.display_name);
  v.value("description", m.description);
  v.time("created_at", m.created_s);
  v.object("pipeline_spec", m.pipeline_spec);
  v.value("error", m.error);
}
template <class V, Is<Experiment> M>
void fields(V& v, M& m) {
  v.value("experiment_id", m.experiment_id);
  v.value("display_name", m.display_name);
  v.value("description", m.description);
  v.value("namespace", m.namespace_name);
  v.time("created_at", m.created_s);
  v.time("last_run_created_at", m.last_run_created_s);
  v.value("storage_state", m.storage_state);
}
template <class V, Is<PipelineVersionReference> M>
void fields(V& v, M& m) {
  v.value("pipeline_id", m.pipeline_id);
  v.value("pipeline_version_id", m.pipeline_version_id);
}
template <class V, Is<RuntimeConfig> M>
void fields(V& v, M& m) {
  v.object("parameters", m.parameters);
  v.value("pipeline_root", m.pipeline_root);
}
template <class V, Is<TaskDetail> M>
void fields(V& v, M& m) {
  v.value("task_id", m.task_id);
  v.value("display_name", m.display_name);
  v.value("parent_task_id", m.parent_task_id);
  v.value("pod_name", m.pod_name);
  v.value("state", m.state);
  v.time("create_time", m.created_s);
  v.time("start_time", m.started_s);
  v.time("end_time", m.finished_s);
  v.value("error", m.error);
}
template <class V, Is<RunDetails> M>
void fields(V& v, M& m) {
  v.list("task_details", m.task_details);
}
template <class V, Is<Run> M>
void fields(V& v, M& m) {
  v.value("run_id", m.run_id);
  v.value("display_name", m.display_name);
  v.value("description", m.description);
  v.value("experiment_id", m.experiment_id);
  v.value("pipeline_version_reference", m.pipeline_version_reference);
  v.object("pipeline_spec", m.pipeline_spec);
  v.message("runtime_config", m.runtime_config);
  v.value("service_account", m.service_account);
  v.value("state", m.state);
  v.value("storage_state", m.storage_state);
  v.time("created_at", m.created_s);
  v.time("scheduled_at", m.scheduled_s);
  v.time("finished_at", m.finished_s);
  v.value("error", m.error);
  v.value("run_details", m.run_details);
  v.value("recurring_run_id", m.recurring_run_id);
}
template <class V, Is<CronSchedule> M>
void fields(V& v, M& m) {
  v.value("cron", m.cron);
  v.time("start_time", m.start_s);
  v.time("end_time", m.end_s);
}
template <class V, Is<PeriodicSchedule> M>
void fields(V& v, M& m) {
  v.integer("interval_second", m.interval_s, true);
  v.time("start_time", m.start_s);
  v.time("end_time", m.end_s);
}
template <class V, Is<Trigger> M>
void fields(V& v, M& m) {
  v.value("cron_schedule", m.cron_schedule);
  v.value("periodic_schedule", m.periodic_schedule);
}
template <class V, Is<RecurringRun> M>
void fields(V& v, M& m) {
  v.value("recurring_run_id", m.recurring_run_id);
  v.value("display_name", m.display_name);
  v.value("description", m.description);
  v.value("experiment_id", m.experiment_id);
  v.value("namespace", m.namespace_name);
  v.value("pipeline_version_reference", m.pipeline_version_reference);
  v.object("pipeline_spec", m.pipeline_spec);
  v.message("runtime_config", m.runtime_config);
  v.value("service_account", m.service_account);
  v.integer("max_concurrency", m.max_concurrency, true);
  v.message("trigger", m.trigger);
  v.value("no_catchup", m.no_catchup);
  v.mode("mode", m.mode);
  v.value("status", m.status);
  v.time("created_at", m.created_s);
  v.time("updated_at", m.updated_s);
  v.value("error", m.error);
}

class Reader {
 public:
  Reader(const json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) fail("", "must be an object");
  }

  void value(const char* name, std::string& target) const {
    if (const json* found = find(name)) {
      if (!found->is_string()) fail(name, "must be a string");
      target = found->get<std::string>();
    }
  }
  void value(const char* name, bool& target) const {
    if (const json* found = find(name)) {
      if (!found->is_boolean()) fail(name, "must be true or false");
      target = found->get<bool>();
    }
  }
  void value(const char* name, RunState& target) const { target = parse_run_state(word(name)); }
  void value(const char* name, StorageState& target) const {
    const std::string text = word(name);
    target = text == "AVAILABLE"  ? StorageState::kAvailable
             : text == "ARCHIVED" ? StorageState::kArchived
                                  : StorageState::kUnspecified;
  }
  void value(const char* name, RecurringState& target) const {
    const std::string text = word(name);
    target = text == "ENABLED"    ? RecurringState::kEnabled
             : text == "DISABLED" ? RecurringState::kDisabled
                                  : RecurringState::kUnspecified;
  }
  void mode(const char* name, RecurringState& target) const {
    const std::string text = word(name);
    target = text == "ENABLE"    ? RecurringState::kEnabled
             : text == "DISABLE" ? RecurringState::kDisabled
                                 : RecurringState::kUnspecified;
  }
  template <class M>
  void value(const char* name, std::optional<M>& target) const {
    if (find(name) != nullptr) message(name, target.emplace());
  }
  template <class M>
  void message(const char* name, M& target) const {
    if (const json* found = find(name)) {
      const Reader inside(*found, at(name));
      fields(inside, target);
    }
  }
  template <class M>
  void list(const char* name, std::vector<M>& target) const {
    const json* found = find(name);
    if (found == nullptr) return;
    if (!found->is_array()) fail(name, "must be a list");
    target.reserve(found->size());
    for (const json& item : *found) {
      const Reader inside(item, fmt::format("{}[{}]", at(name), target.size()));
      fields(inside, target.emplace_back());
    }
  }
  void object(const char* name, json& target) const {
    if (const json* found = find(name)) {
      if (!found->is_object()) fail(name, "must be an object");
      target = *found;
    }
  }
  void integer(const char* name, std::int64_t& target, bool /*as_text*/) const {
    const json* found = find(name);
    if (found == nullptr) return;
    if (found->is_number_integer()) {
      target = found->get<std::int64_t>();
      return;
    }
    const std::string text = found->is_string() ? found->get<std::string>() : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), target);
    if (text.empty() || error != std::errc() || end != text.data() + text.size())
      fail(name, "must be an integer");
  }
  void time(const char* name, double& target) const {
    const json* found = find(name);
    if (found == nullptr) return;
    const auto seconds = found->is_string() ? parse_time(found->get<std::string>()) : std::nullopt;
    if (!seconds) fail(name, "must be a time");
    // Events that have not happened yet have the year 1 or 1970.
    target = std::max(0.0, *seconds);
  }

 private:
  const json* find(const char* name) const {
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  std::string word(const char* name) const {
    std::string text;
    value(name, text);
    return text;
  }
  std::string at(const char* name) const { return place_.empty() ? name : place_ + '.' + name; }
  [[noreturn]] void fail(const char* name, const char* message) const {
    throw core::InputError({.message = std::string(message) + " in the server's answer",
                            .field = *name == '\0' ? place_ : at(name),
                            .hint = "is this the API v2beta1 of Kubeflow Pipelines?"});
  }

  const json& object_;
  std::string place_;
};

class Writer {
 public:
  void value(const char* name, const std::string& text) {
    if (!text.empty()) written_[name] = text;
  }
  void value(const char* name, bool flag) {
    if (flag) written_[name] = true;
  }
  void value(const char* name, RunState state) { value(name, to_string(state)); }
  void value(const char* name, StorageState state) { value(name, to_string(state)); }
  void value(const char* name, RecurringState state) { value(name, to_string(state)); }
  void mode(const char* name, RecurringState state) {
    if (state != RecurringState::kUnspecified)
      written_[name] = state == RecurringState::kEnabled ? "ENABLE" : "DISABLE";
  }
  template <class M>
  void value(const char* name, const std::optional<M>& message_or_none) {
    if (message_or_none) written_[name] = write_fields(*message_or_none);
  }
  template <class M>
  void message(const char* name, const M& inside) {
    if (json fields_of_it = write_fields(inside); !fields_of_it.empty())
      written_[name] = std::move(fields_of_it);
  }
  template <class M>
  void list(const char* name, const std::vector<M>& messages) {
    for (const M& inside : messages) written_[name].push_back(write_fields(inside));
  }
  void object(const char* name, const json& inside) {
    if (!inside.empty()) written_[name] = inside;
  }
  void integer(const char* name, std::int64_t number, bool as_text) {
    if (number != 0) written_[name] = as_text ? json(std::to_string(number)) : json(number);
  }
  void time(const char* name, double seconds) {
    if (seconds != 0) written_[name] = time_text(seconds);
  }

  template <class M>
  static json write_fields(const M& message) {
    Writer writer;
    fields(writer, message);
    return std::move(writer.written_);
  }

 private:
  json written_ = json::object();
};

}  // namespace

#define KFP_CLIENT_MESSAGE(T)                                        \
  template <>                                                        \
  T read<T>(const json& value, const std::string& place) {           \
    T message;                                                       \
    const Reader reader(value, place);                               \
    fields(reader, message);                                         \
    return message;                                                  \
  }                                                                  \
  template <>                                                        \
  json write<T>(const T& message) {                                  \
    return Writer::write_fields(message);                            \
  }                                                                  \
  template <>                                                        \
  Page<T> read_page<T>(const json& value, const std::string& name) { \
    Page<T> page;                                                    \
    const Reader reader(value, "");                                  \
    reader.list(name.c_str(), page.items);                           \
    reader.value("next_page_token", page.next_page_token);           \
    reader.integer("total_size", page.total_size, false);            \
    return page;                                                     \
  }
KFP_CLIENT_MESSAGE(Health)
KFP_CLIENT_MESSAGE(Pipeline)
KFP_CLIENT_MESSAGE(PipelineVersion)
KFP_CLIENT_MESSAGE(Experiment)
KFP_CLIENT_MESSAGE(Run)
KFP_CLIENT_MESSAGE(RecurringRun)
#undef KFP_CLIENT_MESSAGE

}  // namespace kfp::client
