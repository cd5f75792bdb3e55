#include <fmt/format.h>

#include "core/staged_output.h"
#include "kfp/component/component.h"

namespace kfp {
namespace {

std::string parameter_rows(const Component& component, Field::Kind kind) {
  std::string rows;
  for (const Field& field : component.fields()) {
    if (field.kind != kind) continue;
    const ParameterSpec& spec = field.parameter_spec;
    const std::string value = spec.required ? "required" : fmt::format("`{}`", field.value().dump());
    rows +=
        kind == Field::Kind::kParameter
            ? fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", field.name, field.type_name(), value,
                          spec.unit, field.allowed(), spec.help)
            : fmt::format("| `{}` | {} | {} | {} |\n", field.name, field.type_name(), spec.unit, spec.help);
  }
  return rows;
}

std::string artifact_rows(const Component& component, Field::Kind kind) {
  std::string rows;
  for (const Field& field : component.fields()) {
    if (field.kind != kind) continue;
    const ArtifactSpec& spec = field.artifact_spec;
    rows += fmt::format("| `{}` | {} | {} | {} |\n", field.name, field.type_name(),
                        kind == Field::Kind::kInput ? (spec.optional ? "optional" : "required")
                        : spec.optional             ? "optional, with its own option"
                        : spec.file.empty()         ? ""
                                                    : fmt::format("`{}`", spec.file),
                        spec.help);
  }
  return rows;
}

void add_table(std::string& page, const char* title, const char* head, const std::string& rows) {
  if (!rows.empty()) page += fmt::format("\n## {}\n\n{}\n{}", title, head, rows);
}

}  // namespace

std::string reference_page(const Component& component) {
  const ComponentInfo& info = component.info();
  std::string page =
      fmt::format("<!-- made by `calopipe docs`; do not edit -->\n# {}\n\n{}\n", info.name, info.summary);
  if (!info.description.empty()) page += "\n" + info.description + "\n";
  add_table(page, "Inputs", "| name | type | | |\n|---|---|---|---|",
            artifact_rows(component, Field::Kind::kInput));
  add_table(page, "Parameters", "| name | type | default | unit | allowed | |\n|---|---|---|---|---|---|",
            parameter_rows(component, Field::Kind::kParameter));
  add_table(page, "Outputs", "| name | type | file under `--out` | |\n|---|---|---|---|",
            artifact_rows(component, Field::Kind::kOutput));
  add_table(page, "Output parameters", "| name | type | unit | |\n|---|---|---|---|",
            parameter_rows(component, Field::Kind::kOutputParameter));
  if (!info.examples.empty()) {
    page += "\n## Examples\n\n```sh\n";
    for (const std::string& example : info.examples) page += example + "\n";
    page += "```\n";
  }
  return page;
}

void write_reference(const Registry& registry, const std::filesystem::path& folder) {
  std::string index =
      "<!-- made by `calopipe docs`; do not edit -->\n# Components\n\n| component | |\n|---|---|\n";
  for (const auto& [name, factory] : registry.all()) {
    const auto component = factory();
    core::write_file(folder / (name + ".md"), reference_page(*component));
    index += fmt::format("| [{0}]({0}.md) | {1} |\n", name, component->info().summary);
  }
  core::write_file(folder / "README.md", index);
}

}  // namespace kfp
