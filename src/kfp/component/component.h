#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/thread_pool.h"
#include "kfp/component/field.h"
#include "kfp/yaml/yaml.h"

namespace kfp {

/// Name and description of a component.
struct ComponentInfo {
  std::string name;                   ///< name of the subcommand, in kebab-case
  std::string summary;                ///< one line
  std::string description;            ///< paragraphs, Markdown
  std::vector<std::string> examples;  ///< command lines
};

class Component;

/// Receives what happens while a component runs, in the thread that runs it. Must not throw.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  /// Called after all checks.
  /// @param scratch  as in RunContext
  virtual void on_begin(const Component& component, const nlohmann::json& provenance,
                        const std::filesystem::path& scratch) {
    (void)component, (void)provenance, (void)scratch;
  }
  /// Values that the component found in its inputs: a flat object.
  virtual void on_settings(const nlohmann::json& values) { (void)values; }
  /// Numbers of a step of the work, such as an epoch. @param time_s  end of the step, since 1970
  virtual void on_numbers(std::int64_t step, double time_s, const std::map<std::string, double>& numbers) {
    (void)step, (void)time_s, (void)numbers;
  }
  /// @param error  why it failed; null = the outputs are complete
  virtual void on_end(const Component& component, const std::exception* error) {
    (void)component, (void)error;
  }
};

/// Resources that a component may use while it runs.
struct RunContext {
  core::ThreadPool& pool;
  nlohmann::json provenance;  ///< provenance of the outputs of this run; stored with every output
  /// A folder that survives a failed or interrupted attempt of the same task; empty if there is none.
  std::filesystem::path scratch;
  RunObserver* observer = nullptr;  ///< null = nobody watches
  /// Set to false by a component that works together with other processes, one of which writes the outputs.
  bool writes_outputs = true;
};

/// Collects the fields of a component; argument of the component's `describe`.
class Visitor : public core::ParameterVisitor {
 public:
  /// A value that the component computes.
  template <class T>
  void output_parameter(const char* name, T& value, ParameterSpec spec) {
    fields_.push_back({{.name = name, .parameter = &value, .parameter_spec = std::move(spec)},
                       Field::Kind::kOutputParameter});
  }
  void input(const char* name, InputArtifact& artifact, ArtifactSpec spec) {
    fields_.push_back({{.name = name}, Field::Kind::kInput, &artifact, nullptr, std::move(spec)});
  }
  void output(const char* name, OutputArtifact& artifact, ArtifactSpec spec) {
    fields_.push_back({{.name = name}, Field::Kind::kOutput, nullptr, &artifact, std::move(spec)});
  }

  std::vector<Field> take() { return std::move(fields_); }

 private:
  void add(core::ParameterField field) override { fields_.push_back({std::move(field)}); }

  std::vector<Field> fields_;
};

/// One instance of a component, without its C++ type. Everything derived from a declaration (command line,
/// parameter files, reference, pipelines) uses this.
class Component {
 public:
  virtual ~Component() = default;

  const ComponentInfo& info() const { return info_; }
  const std::vector<Field>& fields() const { return fields_; }

  /// @throws core::UsageError if there is no such field; the error names `source` (a file)
  const Field& field(const std::string& name, const std::filesystem::path& source = {}) const;

  /// Values of all parameters, by name.
  nlohmann::json parameters() const;
  /// Sets parameters from an object. @throws core::UsageError (unknown name, wrong type or value)
  void set_parameters(const nlohmann::json& values, const std::filesystem::path& source = {});

  /// Checks across fields: required fields are given, inputs exist.
  /// @throws core::UsageError, core::InputError
  /// @param inputs_are_here false = do not look for the inputs
  void check(bool inputs_are_here = true) const;

  /// Checks, runs with a provenance made of the parameters and the inputs' hashes, and writes output
  /// parameters. Inputs at URLs are replaced by local copies for the run, except for data sets, which are
  /// read where they are.
  /// @param scratch a folder that survives a failed or interrupted attempt of the same task; empty = none
  /// @throws the exceptions of check() and of the component
  void execute(core::ThreadPool& pool, const std::filesystem::path& scratch = {},
               RunObserver* observer = nullptr);

  /// False after a run in which another process wrote the outputs (RunContext::writes_outputs).
  bool writes_outputs() const { return writes_outputs_; }

  /// Outputs (path, metadata) and output parameters, after run().
  nlohmann::json result() const;

  /// Sets the file to which write_output_parameters() writes the value of an output parameter.
  void place_output_parameter(const std::string& name, std::filesystem::path file) {
    output_parameter_files_[name] = std::move(file);
  }
  /// Writes the output parameters that have a file: strings unchanged, everything else as JSON.
  /// @throws core::UnavailableError
  void write_output_parameters() const;

  /// Marks a parameter as given by the user (required parameters must be given).
  void mark_given(const std::string& name) { given_.push_back(name); }
  /// Names of the parameters that were given, in order; a name may occur several times.
  const std::vector<std::string>& given() const { return given_; }

 protected:
  virtual void run(RunContext& context) = 0;

  ComponentInfo info_;
  std::vector<Field> fields_;

 private:
  void execute_locally(core::ThreadPool& pool, const std::filesystem::path& scratch, RunObserver* observer);

  bool writes_outputs_ = true;
  std::vector<std::string> given_;
  std::map<std::string, std::filesystem::path> output_parameter_files_;
};

/// A component struct `T` with its fields visited. `T` has `static ComponentInfo info()`,
/// `void describe(Visitor&)` and `void run(RunContext&)`.
template <class T>
class ComponentOf final : public Component {
 public:
  ComponentOf() {
    info_ = T::info();
    Visitor visitor;
    value.describe(visitor);
    fields_ = visitor.take();
  }
  ComponentOf(const ComponentOf&) = delete;
  ComponentOf& operator=(const ComponentOf&) = delete;

  T value;

 private:
  void run(RunContext& context) override { value.run(context); }
};

/// The components of a program, in the order of their addition.
class Registry {
 public:
  using Factory = std::function<std::unique_ptr<Component>()>;

  template <class T>
  void add() {
    factories_.emplace_back(T::info().name, [] { return std::make_unique<ComponentOf<T>>(); });
  }

  const std::vector<std::pair<std::string, Factory>>& all() const { return factories_; }
  /// @throws core::UsageError listing the names
  std::unique_ptr<Component> create(const std::string& name) const;

 private:
  std::vector<std::pair<std::string, Factory>> factories_;
};

/// The reference page of a component, in Markdown.
std::string reference_page(const Component& component);

/// Writes a page for each component and an index (`README.md`) into a folder.
/// @throws core::UnavailableError
void write_reference(const Registry& registry, const std::filesystem::path& folder);

}  // namespace kfp
