#include "kfp/component/component.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "core/hash.h"
#include "core/provenance.h"
#include "core/remote.h"
#include "core/remote_copies.h"
#include "core/staged_output.h"

namespace kfp {

using nlohmann::json;

const Field& Component::field(const std::string& name, const std::filesystem::path& source) const {
  std::vector<std::string> known;
  for (const Field& field : fields_) {
    if (field.name == name) return field;
    known.push_back(field.name);
  }
  const std::string near = nearest(name, known);
  throw core::UsageError(
      {.message = fmt::format("{} has no such field{}", info_.name,
                              near.empty() ? "" : fmt::format(", did you mean \"{}\"?", near)),
       .file = source,
       .field = name,
       .hint = fmt::format("calopipe {} --help lists the fields", info_.name)});
}

json Component::parameters() const {
  json values = json::object();
  for (const Field& field : fields_)
    if (field.is_parameter()) values[field.name] = field.value();
  return values;
}

void Component::set_parameters(const json& values, const std::filesystem::path& source) {
  if (!values.is_object() && !values.is_null())
    throw core::UsageError({.message = "parameters must be a mapping from names to values", .file = source});
  for (const auto& [name, value] : values.items()) {
    const Field& target = field(name, source);
    if (!target.is_parameter())
      throw core::UsageError({.message = "is not a parameter but an artifact",
                              .file = source,
                              .field = name,
                              .hint = "give its path as the option --" + target.option_name()});
    try {
      target.set(value);
    } catch (const core::UsageError& error) {
      core::ErrorDetails details = error.details();
      details.file = source;
      throw core::UsageError(details);
    }
    mark_given(name);
  }
}

void Component::check(bool inputs_are_here) const {
  for (const Field& field : fields_) {
    switch (field.kind) {
      case Field::Kind::kParameter:
        if (field.parameter_spec.required &&
            std::find(given_.begin(), given_.end(), field.name) == given_.end())
          throw core::UsageError(
              {.message = "is required",
               .field = field.name,
               .hint = fmt::format("give --{} ({})", field.option_name(), field.type_name())});
        break;
      case Field::Kind::kInput:
        if (!*field.input) {
          if (field.artifact_spec.optional) break;
          throw core::UsageError(
              {.message = "is required",
               .field = field.name,
               .hint = fmt::format("give --{} PATH ({})", field.option_name(), field.type_name())});
        }
        if (!inputs_are_here || core::is_url(field.input->path)) break;  // execute() asks the server
        if (std::filesystem::exists(field.input->path)) break;
        if (field.artifact_spec.find)
          field.input->path = field.artifact_spec.find(field.input->path);
        else
          throw core::InputError(
              {.message = "does not exist", .file = field.input->path, .field = field.name});
        break;
      case Field::Kind::kOutput:
        if (field.output->path.empty() && !field.artifact_spec.optional)
          throw core::UsageError({.message = "needs a path",
                                  .field = field.name,
                                  .hint = fmt::format("give --out PATH or --{} PATH", field.option_name())});
        break;
      case Field::Kind::kOutputParameter:
        break;
    }
  }
}

void Component::execute(core::ThreadPool& pool, const std::filesystem::path& scratch, RunObserver* observer) {
  check();
  core::RemoteCopies copies;
  for (const Field& field : fields_)
    if (field.kind == Field::Kind::kInput && field.artifact_spec.type != ArtifactType::kDataset)
      field.input->path = copies.local(field.input->path);
  try {
    execute_locally(pool, scratch, observer);
  } catch (const core::Error& error) {
    throw copies.with_urls(error);
  }
}

void Component::execute_locally(core::ThreadPool& pool, const std::filesystem::path& scratch,
                                RunObserver* observer) {
  core::Provenance provenance{.component = info_.name};
  for (const Field& field : fields_) {
    if (field.is_parameter() && !field.parameter_spec.operational)
      provenance.parameters[field.name] = field.value();
    if (field.kind == Field::Kind::kInput && *field.input)
      provenance.inputs[field.name] = core::sha256_of_path(field.input->path);
  }
  if (provenance.parameters.contains("seed"))
    provenance.seed = provenance.parameters["seed"].get<std::uint64_t>();
  RunContext context{
      .pool = pool, .provenance = provenance.to_json(), .scratch = scratch, .observer = observer};
  if (observer != nullptr) observer->on_begin(*this, context.provenance, scratch);
  try {
    run(context);
    writes_outputs_ = context.writes_outputs;
    if (writes_outputs_) write_output_parameters();
  } catch (const std::exception& error) {
    if (observer != nullptr) observer->on_end(*this, &error);
    throw;
  }
  if (observer != nullptr) observer->on_end(*this, nullptr);
}

json Component::result() const {
  json outputs = json::object();
  json values = json::object();
  for (const Field& field : fields_) {
    if (field.kind == Field::Kind::kOutput && !field.output->path.empty())
      outputs[field.name] = {{"type", field.type_name()},
                             {"path", field.output->path.string()},
                             {"metadata", field.output->metadata}};
    if (field.kind == Field::Kind::kOutputParameter) values[field.name] = field.value();
  }
  return {{"component", info_.name}, {"outputs", outputs}, {"parameters", values}};
}

void Component::write_output_parameters() const {
  for (const auto& [name, file] : output_parameter_files_) {
    const json value = field(name).value();
    core::write_file(file, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

std::unique_ptr<Component> Registry::create(const std::string& name) const {
  std::vector<std::string> known;
  for (const auto& [component, factory] : factories_) {
    if (component == name) return factory();
    known.push_back(component);
  }
  throw core::UsageError({.message = "is not a component",
                          .field = name,
                          .hint = fmt::format("components: {}", fmt::join(known, ", "))});
}

}  // namespace kfp
