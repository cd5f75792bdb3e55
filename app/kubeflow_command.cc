#include "app/kubeflow_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "app/desktop.h"
#include "app/output.h"
#include "app/remote_logs.h"
#include "core/error.h"
#include "core/staged_output.h"
#include "kfp/client/metadata.h"
#include "kfp/client/oidc.h"
#include "kfp/client/outputs.h"
#include "kfp/client/submit.h"
#include "kfp/client/wire.h"
#include "kfp/ir/document.h"
#include "kfp/local/text_table.h"
#include "kfp/yaml/yaml.h"

namespace app {
namespace {

namespace client = kfp::client;
using kfp::local::TextTable;
using nlohmann::json;
using Align = TextTable::Align;

void print(const TextTable& table, const char* none) {
  if (table.empty())
    fmt::print("{}\n", none);
  else
    fmt::print("{}", table.to_text(terminal_width()));
}

template <class T>
json to_json(const std::vector<T>& items) {
  json list = json::array();
  for (const T& item : items) list.push_back(client::write(item));
  return list;
}

std::string time_of(double seconds) {
  return kfp::local::local_time_text(seconds);
}

std::string took(double begin_s, double end_s) {
  return begin_s > 0 && end_s > 0 ? kfp::local::duration_text(end_s - begin_s) : "-";
}

// Prints "key: value" lines; fields without a value are left out.
void print_fields(const std::vector<std::pair<const char*, std::string>>& fields) {
  for (const auto& [name, value] : fields)
    if (!value.empty() && value != "-") fmt::print("{}: {}\n", name, shown(value));
}

std::string source_of(const std::optional<client::PipelineVersionReference>& reference) {
  return reference
             ? fmt::format("pipeline {}, version {}", reference->pipeline_id, reference->pipeline_version_id)
             : "its own spec";
}

std::string schedule_of(const client::Trigger& trigger) {
  if (trigger.cron_schedule) return trigger.cron_schedule->cron;
  if (trigger.periodic_schedule)
    return fmt::format("every {}",
                       kfp::local::duration_text(static_cast<double>(trigger.periodic_schedule->interval_s)));
  return "";
}

void print_parameters(const json& parameters) {
  if (parameters.empty()) return;
  fmt::print("parameters:\n");
  TextTable table({{""}, {"", Align::kLeft, true}});
  for (const auto& [name, value] : parameters.items())
    table.add({name, value.is_string() ? value.get<std::string>() : value.dump()});
  fmt::print("{}", table.to_text(terminal_width(), 2));
}

void print_run(const client::Run& run) {
  print_fields({{"run", run.run_id},
                {"name", run.display_name},
                {"state", client::to_string(run.state)},
                {"storage", client::to_string(run.storage_state)},
                {"error", run.error ? run.error->message : ""},
                {"description", run.description},
                {"experiment", run.experiment_id},
                {"source", source_of(run.pipeline_version_reference)},
                {"recurring run", run.recurring_run_id},
                {"created", time_of(run.created_s)},
                {"finished", time_of(run.finished_s)},
                {"took", took(run.created_s, run.finished_s)},
                {"pipeline root", run.runtime_config.pipeline_root}});
  print_parameters(run.runtime_config.parameters);
  if (!run.run_details || run.run_details->task_details.empty()) return;
  fmt::print("tasks:\n");
  TextTable table({{"TASK"}, {"STATE"}, {"STARTED"}, {"TOOK", Align::kRight}, {"ERROR", Align::kLeft, true}});
  for (const client::TaskDetail& task : run.run_details->task_details)
    table.add({task.display_name, client::to_string(task.state), time_of(task.started_s),
               took(task.started_s, task.finished_s), task.error ? task.error->message : ""});
  fmt::print("{}", table.to_text(terminal_width(), 2));
}

std::string compiled_text(const std::string& file, std::string& name) {
  // Finds mistakes before the upload, with their places.
  const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(file);
  if (name.empty() && pipeline.spec.pipeline_info) name = pipeline.spec.pipeline_info->name.value_or("");
  return core::read_file(file);
}

}  // namespace

KubeflowCommand::KubeflowCommand(CLI::App& app, Attach attach)
    : attach_(std::move(attach)),
      subcommand_(app.add_subcommand(
          "kubeflow", "Manages pipelines, experiments and runs on a server of Kubeflow Pipelines")) {
  subcommand_->require_subcommand(1);
  subcommand_->footer(
      "A context names the server: --context, else $CALOPIPE_CONTEXT, $KF_PIPELINES_ENDPOINT, the current "
      "context.\n"
      "Arguments are ids or names.\n"
      "Examples:\n  calopipe kubeflow context set cern --server https://ml.example.org/pipeline "
      "--cookie-file cookies.txt\n"
      "  calopipe kubeflow health\n  calopipe kubeflow run list --state FAILED\n"
      "  calopipe run --on cern --config my.yaml");
  leaf(subcommand_, "health", "Checks the server and prints its properties",
       "calopipe kubeflow health --context cern", [this] {
         const client::Context chosen = context();
         const client::Health health = connect().health();
         if (json_) {
           json result = client::write(health);
           result["server"] = chosen.server;
           result["context"] = chosen.name;
           print(result);
           return;
         }
         print_fields({{"server", chosen.server},
                       {"context", chosen.name},
                       {"version", health.tag_name},
                       {"commit", health.commit_sha},
                       {"users", health.multi_user ? "several" : "one"},
                       {"pipelines in", health.pipeline_store}});
       });
  add_login();
  add_contexts();
  add_pipelines();
  add_versions();
  add_experiments();
  add_runs();
  add_recurring_runs();
  subcommand_->group("Tools");  // last, because subcommands inherit it
}

void KubeflowCommand::log_in() {
  const client::Context chosen = context();
  if (chosen.login.kind != client::Login::Kind::kOidc)
    throw core::UsageError(
        {.message = fmt::format("logs in with {}, and needs no command for it",
                                chosen.login.kind == client::Login::Kind::kNone ? "nothing" : "a file"),
         .field = chosen.name,
         .hint = "calopipe kubeflow context set NAME --server URL --oidc-issuer URL --oidc-client-id ID"});
  const auto show = [&](const std::string& address, const std::string& code) {
    if (code.empty())
      fmt::print(stderr, "Open this address in a browser:\n\n  {}\n\n", address);
    else
      fmt::print(stderr, "Open this address in a browser, and enter the code {}:\n\n  {}\n\n", code, address);
    if (!device_ && !no_browser_ && has_display()) open_on_desktop(address);
  };
  const client::OidcIdentity identity =
      client::oidc_log_in(chosen.login.oidc, client::http_options(chosen), {.device = device_, .show = show});
  if (json_)
    print(json{{"context", chosen.name},
               {"who", identity.who},
               {"expires_s", identity.expires_s},
               {"renewable", identity.renewable}});
  else
    print_fields(
        {{"logged in", identity.who},
         {"context", chosen.name},
         {"until", identity.renewable ? "renewed automatically" : time_of(double(identity.expires_s))}});
}

void KubeflowCommand::add_login() {
  CLI::App* login = leaf(
      subcommand_, "login", "Logs in with OIDC: in a browser, or with a code on another device",
      "calopipe kubeflow login\n  calopipe kubeflow login --context cern --device", [this] { log_in(); });
  login->add_flag("--device", device_, "Show a code that is entered on another device");
  login->add_flag("--no-browser", no_browser_, "Print the address, without opening a browser");
  leaf(subcommand_, "logout", "Deletes the tokens of an OIDC login",
       "calopipe kubeflow logout --context cern", [this] {
         const client::Context chosen = context();
         const bool was_there =
             chosen.login.kind == client::Login::Kind::kOidc && client::oidc_log_out(chosen.login.oidc);
         done(was_there ? "logged out" : "not logged in", chosen.name);
       });
}

CLI::App* KubeflowCommand::group(const char* name, const char* what) {
  CLI::App* command = subcommand_->add_subcommand(name, what);
  command->require_subcommand(1);
  return command;
}

CLI::App* KubeflowCommand::leaf(CLI::App* parent, const char* name, const char* what, const char* examples,
                                std::function<void()> work) {
  CLI::App* command = parent->add_subcommand(name, what);
  std::string footer = "Examples:";
  footer += std::string("\n  ") + examples;
  command->footer(footer);
  command->add_flag("--json", json_, "Print the result as JSON");
  if (parent->get_name() != "context") {
    command->add_option("--context", context_, "Context, which names the server and the login")
        ->type_name("NAME");
    command->add_option("--namespace", namespace_, "Namespace, instead of the context's")->type_name("NAME");
  }
  leaves_.push_back({command, std::move(work)});
  return command;
}

void KubeflowCommand::add_list_options(CLI::App& command) {
  command.add_option("--limit", limit_, "Largest number of results")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("--all", all_, "List all results");
  command.add_option("--sort-by", sort_by_, "Field and direction, as in \"created_at desc\"")
      ->default_str("created_at desc");
  command.add_option("--name", contains_, "Only results with this string in their name");
}

void KubeflowCommand::add_run_options(CLI::App& command) {
  command.add_option("--pipeline", pipeline_, "Pipeline, by id or name");
  command.add_option("--version", version_, "Version of the pipeline, by id or name [default: the newest]");
  command.add_option("--file", file_, "Compiled pipeline to send with the run, instead of --pipeline")
      ->type_name("FILE");
  command.add_option("--name", name_, "Name of the new run or recurring run")->required();
  command.add_option("--description", description_, "Description");
  command.add_option("--experiment", experiment_,
                     "Experiment, by name; created if missing [default: the context's]");
  command
      .add_option("--parameter,-p", parameters_, "Parameter, name=value; the value is JSON, or else a string")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--parameters", parameter_file_, "YAML file with parameters by name")->type_name("FILE");
  command.add_option("--pipeline-root", pipeline_root_, "Address for artifacts, as s3://bucket/folder");
  command.add_option("--service-account", service_account_, "Kubernetes service account of the pods");
}

void KubeflowCommand::add_delete_option(CLI::App& command) {
  command.add_flag("--yes,-y", yes_, "Do not ask");
}

int KubeflowCommand::run() {
  for (const Leaf& command : leaves_)
    if (command.app->parsed()) command.work();
  return exit_code_;
}

client::Context KubeflowCommand::context() const {
  client::Context chosen = client::choose_context(context_, client::contexts_file());
  if (!namespace_.empty()) chosen.namespace_name = namespace_;
  return chosen;
}

client::Client KubeflowCommand::connect() const {
  const client::Context chosen = context();
  return client::Client(client::http_options(chosen), chosen.namespace_name);
}

client::ListOptions KubeflowCommand::list_options() const {
  client::ListOptions options{.sort_by = sort_by_.empty() ? "created_at desc" : sort_by_};
  if (!all_) options.page_size = static_cast<int>(std::min<std::size_t>(limit_, 200));
  if (all_) options.page_size = 200;
  if (!contains_.empty())
    options.filter.push_back({.operation = "IS_SUBSTRING", .key = "display_name", .value = contains_});
  return options;
}

json KubeflowCommand::parameters() const {
  json values = parameter_file_.empty() ? json::object() : kfp::read_yaml(parameter_file_);
  if (values.is_null()) values = json::object();
  if (!values.is_object())
    throw core::InputError(
        {.message = "must be a mapping from parameters to values", .file = parameter_file_});
  for (const std::string& setting : parameters_) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0)
      throw core::UsageError(
          {.message = fmt::format("\"{}\" must have the form name=value", setting), .field = "parameter"});
    const std::string text = setting.substr(equals + 1);
    const json value = json::parse(text, nullptr, false);
    values[setting.substr(0, equals)] = value.is_discarded() ? json(text) : value;
  }
  return values;
}

template <class R>
void KubeflowCommand::set_source(client::Client& client, R& run) const {
  if (file_.empty() == pipeline_.empty())
    throw core::UsageError(
        {.message = "a run needs either a pipeline or a file", .hint = "--pipeline NAME, or --file FILE"});
  if (!file_.empty()) {
    if (!version_.empty()) throw core::UsageError({.message = "requires --pipeline", .field = "--version"});
    const kfp::ir::Pipeline pipeline = kfp::ir::read_pipeline(file_);
    run.pipeline_spec = kfp::ir::to_json(pipeline.spec);
    if (pipeline.platform)
      run.pipeline_spec = {{"pipeline_spec", std::move(run.pipeline_spec)},
                           {"platform_spec", kfp::ir::to_json(*pipeline.platform)}};
    return;
  }
  client::PipelineVersionReference reference;
  reference.pipeline_id = client::find_pipeline(client, pipeline_).pipeline_id;
  if (!version_.empty()) {
    reference.pipeline_version_id =
        client::find_version(client, reference.pipeline_id, version_).pipeline_version_id;
  } else {
    const auto newest =
        client.list_versions(reference.pipeline_id, {.sort_by = "created_at desc", .page_size = 1}).items;
    if (newest.empty())
      throw core::UsageError(
          {.message = "has no version", .field = pipeline_, .hint = "calopipe kubeflow version create"});
    reference.pipeline_version_id = newest.front().pipeline_version_id;
  }
  run.pipeline_version_reference = reference;
}

std::string KubeflowCommand::experiment_id(client::Client& client) const {
  const std::string name = experiment_.empty() ? context().experiment : experiment_;
  if (name.empty()) return "";
  return client::is_id(name) ? name : client::ensure_experiment(client, name).experiment_id;
}

void KubeflowCommand::confirm(const std::string& what) const {
  confirm_deletion(what, yes_);
}

void KubeflowCommand::done(const std::string& what, const std::string& id) const {
  if (json_)
    print({{what, id}});
  else
    fmt::print("{}: {}\n", what, id);
}

void KubeflowCommand::add_contexts() {
  CLI::App* contexts = group("context", "Contexts: addresses of servers and their login");
  leaf(contexts, "list", "Lists the contexts; * is the current one", "calopipe kubeflow context list",
       [this] {
         const auto file = client::contexts_file();
         const std::string current = client::current_context(file);
         json list = json::array();
         TextTable table({{""}, {"NAME"}, {"SERVER"}, {"NAMESPACE"}, {"EXPERIMENT"}, {"LOGIN"}});
         for (const auto& [name, one] : client::read_contexts(file)) {
           const char* login = client::to_string(one.login.kind);
           table.add(
               {name == current ? "*" : "", name, one.server, one.namespace_name, one.experiment, login});
           list.push_back({{"name", name},
                           {"current", name == current},
                           {"server", one.server},
                           {"namespace", one.namespace_name},
                           {"experiment", one.experiment},
                           {"login", login}});
         }
         if (json_)
           print(list);
         else
           print(table, "no contexts: calopipe kubeflow context set NAME --server https://…/pipeline");
       });
  CLI::App* use =
      leaf(contexts, "use", "Selects the current context", "calopipe kubeflow context use cern", [this] {
        client::use_context(client::contexts_file(), id_);
        done("current", id_);
      });
  use->add_option("context-name", id_, "Context")->required()->type_name("NAME");
  CLI::App* set =
      leaf(contexts, "set", "Writes a context (comments in the file are lost)",
           "calopipe kubeflow context set cern --server https://ml.example.org/pipeline --namespace jdoe "
           "--cookie-file cookies.txt\n  calopipe kubeflow context set local --server http://localhost:8888",
           [this] {
             const auto absolute = [](const std::string& file) {
               return file.empty() ? std::filesystem::path() : std::filesystem::absolute(file);
             };
             client::Context context{.name = id_,
                                     .server = server_,
                                     .namespace_name = namespace_,
                                     .experiment = experiment_,
                                     .ca_file = absolute(ca_file_),
                                     .s3_endpoint = s3_endpoint_};
             if (!token_file_.empty())
               context.login = {client::Login::Kind::kToken, absolute(token_file_)};
             else if (!cookie_file_.empty())
               context.login = {client::Login::Kind::kCookies, absolute(cookie_file_)};
             else if (!oidc_issuer_.empty())
               context.login = {.kind = client::Login::Kind::kOidc,
                                .oidc = {.issuer = oidc_issuer_,
                                         .client_id = oidc_client_,
                                         .client_secret_file = absolute(oidc_secret_file_)}};
             if (!oidc_redirect_.empty()) context.login.oidc.redirect_uri = oidc_redirect_;
             context.says_login = context.login.kind != client::Login::Kind::kNone;
             client::set_context(client::contexts_file(), context);
             done("context", id_);
           });
  set->add_option("context-name", id_, "Context")->required()->type_name("NAME");
  set->add_option("--server", server_, "Address of the API, up to /apis")->required()->type_name("URL");
  set->add_option("--namespace", namespace_, "Namespace, on servers with several users");
  set->add_option("--experiment", experiment_, "Experiment of new runs, by name");
  CLI::Option* token =
      set->add_option("--token-file", token_file_, "File with a bearer token")->type_name("FILE");
  CLI::Option* cookies = set->add_option("--cookie-file", cookie_file_,
                                         "File with cookies: a Netscape jar, or name=value; name=value")
                             ->type_name("FILE")
                             ->excludes(token);
  CLI::Option* client_id =
      set->add_option("--oidc-client-id", oidc_client_, "Name of the client at the provider")
          ->type_name("ID");
  CLI::Option* issuer =
      set->add_option("--oidc-issuer", oidc_issuer_, "Provider of OIDC logins (calopipe kubeflow login)")
          ->type_name("URL")
          ->needs(client_id)
          ->excludes(token)
          ->excludes(cookies);
  client_id->needs(issuer);
  set->add_option("--oidc-client-secret-file", oidc_secret_file_,
                  "File with the client's secret, if it has one")
      ->type_name("FILE")
      ->needs(issuer);
  set->add_option(
         "--oidc-redirect-uri", oidc_redirect_,
         "Address on this machine that the provider knows [default: http://127.0.0.1/callback, any port]")
      ->type_name("URL")
      ->needs(issuer);
  set->add_option("--ca-file", ca_file_, "Certificates to trust (PEM)")->type_name("FILE");
  set->add_option("--s3-endpoint", s3_endpoint_,
                  "Address of the store of artifacts, read with the credentials of the AWS tools")
      ->type_name("URL");
}

void KubeflowCommand::add_pipelines() {
  CLI::App* pipelines = group("pipeline", "Pipelines on the server");
  CLI::App* list =
      leaf(pipelines, "list", "Lists the pipelines", "calopipe kubeflow pipeline list --name train", [this] {
        client::Client client = connect();
        const auto found =
            client::all_pages([&](const client::ListOptions& page) { return client.list_pipelines(page); },
                              list_options(), all_ ? SIZE_MAX : limit_);
        if (json_) return print(to_json(found));
        TextTable table({{"NAME"}, {"CREATED"}, {"ID"}, {"DESCRIPTION", Align::kLeft, true}});
        for (const auto& one : found)
          table.add({one.display_name, time_of(one.created_s), one.pipeline_id, one.description});
        print(table, "no pipelines");
      });
  add_list_options(*list);
  CLI::App* get =
      leaf(pipelines, "get", "Prints a pipeline", "calopipe kubeflow pipeline get training", [this] {
        client::Client client = connect();
        const client::Pipeline one = client::find_pipeline(client, id_);
        if (json_) return print(client::write(one));
        print_fields({{"pipeline", one.pipeline_id},
                      {"name", one.display_name},
                      {"namespace", one.namespace_name},
                      {"created", time_of(one.created_s)},
                      {"description", one.description},
                      {"error", one.error ? one.error->message : ""}});
      });
  get->add_option("pipeline", id_, "Pipeline, by id or name")->required();
  CLI::App* create =
      leaf(pipelines, "create", "Uploads a compiled pipeline, with a first version of the same name",
           "calopipe kubeflow pipeline create training.yaml", [this] {
             const std::string text = compiled_text(file_, name_);
             const client::Pipeline one = connect().upload_pipeline(
                 text, {.name = name_, .display_name = name_, .description = description_});
             if (json_) return print(client::write(one));
             done("pipeline", one.pipeline_id);
           });
  create->add_option("file", file_, "Compiled pipeline (YAML)")->required()->type_name("FILE");
  create->add_option("--name", name_, "Name [default: the name in the file]");
  create->add_option("--description", description_, "Description");
  CLI::App* remove =
      leaf(pipelines, "delete", "Deletes a pipeline",
           "calopipe kubeflow pipeline delete training --versions --yes", [this] {
             client::Client client = connect();
             const client::Pipeline one = client::find_pipeline(client, id_);
             confirm(fmt::format("pipeline {} ({})", shown(one.display_name), one.pipeline_id));
             client.delete_pipeline(one.pipeline_id, cascade_);
             done("deleted", one.pipeline_id);
           });
  remove->add_option("pipeline", id_, "Pipeline, by id or name")->required();
  remove->add_flag("--versions", cascade_, "Delete its versions, too");
  add_delete_option(*remove);
}

void KubeflowCommand::add_versions() {
  CLI::App* versions = group("version", "Versions of pipelines on the server");
  const auto pipeline_argument = [this](CLI::App* command) {
    command->add_option("pipeline", pipeline_, "Pipeline, by id or name")->required();
  };
  CLI::App* list = leaf(
      versions, "list", "Lists the versions of a pipeline", "calopipe kubeflow version list training",
      [this] {
        client::Client client = connect();
        const std::string pipeline = client::find_pipeline(client, pipeline_).pipeline_id;
        const auto found = client::all_pages(
            [&](const client::ListOptions& page) { return client.list_versions(pipeline, page); },
            list_options(), all_ ? SIZE_MAX : limit_);
        if (json_) return print(to_json(found));
        TextTable table({{"NAME"}, {"CREATED"}, {"ID"}, {"DESCRIPTION", Align::kLeft, true}});
        for (const auto& one : found)
          table.add({one.display_name, time_of(one.created_s), one.pipeline_version_id, one.description});
        print(table, "no versions");
      });
  pipeline_argument(list);
  add_list_options(*list);
  CLI::App* get = leaf(versions, "get", "Prints a version; its pipeline with --json",
                       "calopipe kubeflow version get training training-3fa9c2d1e5b7 --json", [this] {
                         client::Client client = connect();
                         const std::string pipeline = client::find_pipeline(client, pipeline_).pipeline_id;
                         const client::PipelineVersion one = client::find_version(client, pipeline, id_);
                         if (json_) return print(client::write(one));
                         print_fields({{"version", one.pipeline_version_id},
                                       {"name", one.display_name},
                                       {"pipeline", one.pipeline_id},
                                       {"created", time_of(one.created_s)},
                                       {"description", one.description},
                                       {"error", one.error ? one.error->message : ""}});
                       });
  CLI::App* create = leaf(versions, "create", "Uploads a compiled pipeline as a new version",
                          "calopipe kubeflow version create training training.yaml --name second", [this] {
                            std::string from_file;
                            const std::string text = compiled_text(file_, from_file);
                            client::Client client = connect();
                            const client::PipelineVersion one = client.upload_version(
                                text, {.pipeline_id = client::find_pipeline(client, pipeline_).pipeline_id,
                                       .name = name_,
                                       .display_name = name_,
                                       .description = description_});
                            if (json_) return print(client::write(one));
                            done("version", one.pipeline_version_id);
                          });
  CLI::App* remove =
      leaf(versions, "delete", "Deletes a version", "calopipe kubeflow version delete training second --yes",
           [this] {
             client::Client client = connect();
             const std::string pipeline = client::find_pipeline(client, pipeline_).pipeline_id;
             const client::PipelineVersion one = client::find_version(client, pipeline, id_);
             confirm(fmt::format("version {} ({})", shown(one.display_name), one.pipeline_version_id));
             client.delete_version(pipeline, one.pipeline_version_id);
             done("deleted", one.pipeline_version_id);
           });
  for (CLI::App* command : {get, remove}) {
    pipeline_argument(command);
    command->add_option("version", id_, "Version, by id or name")->required();
  }
  pipeline_argument(create);
  create->add_option("file", file_, "Compiled pipeline (YAML)")->required()->type_name("FILE");
  create->add_option("--name", name_, "Name of the version")->required();
  create->add_option("--description", description_, "Description");
  add_delete_option(*remove);
}

void KubeflowCommand::add_experiments() {
  CLI::App* experiments = group("experiment", "Experiments: folders of runs");
  CLI::App* list =
      leaf(experiments, "list", "Lists the experiments", "calopipe kubeflow experiment list", [this] {
        client::Client client = connect();
        client::ListOptions options = list_options();
        if (!with_archived_)
          options.filter.push_back({.operation = "NOT_EQUALS", .key = "storage_state", .value = "ARCHIVED"});
        const auto found =
            client::all_pages([&](const client::ListOptions& page) { return client.list_experiments(page); },
                              options, all_ ? SIZE_MAX : limit_);
        if (json_) return print(to_json(found));
        TextTable table({{"NAME"}, {"STORAGE"}, {"CREATED"}, {"ID"}, {"DESCRIPTION", Align::kLeft, true}});
        for (const auto& one : found)
          table.add({one.display_name, client::to_string(one.storage_state), time_of(one.created_s),
                     one.experiment_id, one.description});
        print(table, "no experiments");
      });
  add_list_options(*list);
  list->add_flag("--archived", with_archived_, "Include archived ones");
  CLI::App* create = leaf(experiments, "create", "Creates an experiment",
                          "calopipe kubeflow experiment create calorimeters", [this] {
                            const client::Experiment one = connect().create_experiment(
                                {.display_name = name_, .description = description_});
                            if (json_) return print(client::write(one));
                            done("experiment", one.experiment_id);
                          });
  create->add_option("name", name_, "Name")->required();
  create->add_option("--description", description_, "Description");
  CLI::App* get = leaf(experiments, "get", "Prints an experiment",
                       "calopipe kubeflow experiment get calorimeters", [this] {
                         client::Client client = connect();
                         const client::Experiment one = client::find_experiment(client, id_);
                         if (json_) return print(client::write(one));
                         print_fields({{"experiment", one.experiment_id},
                                       {"name", one.display_name},
                                       {"namespace", one.namespace_name},
                                       {"storage", client::to_string(one.storage_state)},
                                       {"created", time_of(one.created_s)},
                                       {"last run", time_of(one.last_run_created_s)},
                                       {"description", one.description}});
                       });
  const auto change = [&](const char* name, const char* what, const char* word,
                          void (client::Client::*call)(const std::string&)) {
    return leaf(experiments, name, what,
                fmt::format("calopipe kubeflow experiment {} calorimeters", name).c_str(),
                [this, word, call] {
                  client::Client client = connect();
                  const std::string id = client::find_experiment(client, id_).experiment_id;
                  (client.*call)(id);
                  done(word, id);
                });
  };
  CLI::App* archive = change("archive", "Archives an experiment and its runs", "archived",
                             &client::Client::archive_experiment);
  CLI::App* unarchive = change("unarchive", "Restores an experiment from the archive", "unarchived",
                               &client::Client::unarchive_experiment);
  CLI::App* remove =
      leaf(experiments, "delete", "Deletes an experiment; its runs are kept",
           "calopipe kubeflow experiment delete calorimeters --yes", [this] {
             client::Client client = connect();
             const client::Experiment one = client::find_experiment(client, id_);
             confirm(fmt::format("experiment {} ({})", shown(one.display_name), one.experiment_id));
             client.delete_experiment(one.experiment_id);
             done("deleted", one.experiment_id);
           });
  add_delete_option(*remove);
  for (CLI::App* command : {get, archive, unarchive, remove})
    command->add_option("experiment", id_, "Experiment, by id or name")->required();
}

void KubeflowCommand::add_runs() {
  CLI::App* runs = group("run", "Runs on the server");
  CLI::App* list = leaf(
      runs, "list", "Lists the runs, newest first",
      "calopipe kubeflow run list --state FAILED --limit 5\n  calopipe kubeflow run list --json", [this] {
        client::Client client = connect();
        client::ListOptions options = list_options();
        if (!state_.empty()) options.filter.push_back({.key = "state", .value = state_});
        if (!with_archived_)
          options.filter.push_back({.operation = "NOT_EQUALS", .key = "storage_state", .value = "ARCHIVED"});
        if (!experiment_.empty())
          options.experiment_id = client::find_experiment(client, experiment_).experiment_id;
        const auto found =
            client::all_pages([&](const client::ListOptions& page) { return client.list_runs(page); },
                              options, all_ ? SIZE_MAX : limit_);
        if (json_) return print(to_json(found));
        TextTable table(
            {{"NAME", Align::kLeft, true}, {"STATE"}, {"CREATED"}, {"TOOK", Align::kRight}, {"ID"}});
        for (const client::Run& one : found)
          table.add({one.display_name, client::to_string(one.state), time_of(one.created_s),
                     took(one.created_s, one.finished_s), one.run_id});
        print(table, "no runs");
      });
  add_list_options(*list);
  list->add_option("--state", state_, "Only runs in this state")
      ->transform(CLI::IsMember(
          {"PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED", "CANCELING", "CANCELED", "PAUSED"},
          CLI::ignore_case))
      ->type_name("STATE");
  list->add_option("--experiment", experiment_, "Only runs of this experiment, by id or name");
  list->add_flag("--archived", with_archived_, "Include archived ones");

  CLI::App* get =
      leaf(runs, "get", "Prints a run: parameters, tasks, errors", "calopipe kubeflow run get ID", [this] {
        client::Client client = connect();
        const client::Run one = client::find_run(client, id_);
        if (json_) return print(client::write(one));
        print_run(one);
      });
  CLI::App* create =
      leaf(runs, "create", "Starts a run of a pipeline on the server, or of a file",
           "calopipe kubeflow run create --pipeline training --name first -p epochs=20\n"
           "  calopipe kubeflow run create --file compiled.yaml --name second --parameters values.yaml",
           [this] {
             client::Client client = connect();
             client::Run run{.display_name = name_,
                             .description = description_,
                             .runtime_config = {.parameters = parameters(), .pipeline_root = pipeline_root_},
                             .service_account = service_account_};
             set_source(client, run);
             run.experiment_id = experiment_id(client);
             run = client.create_run(std::move(run));
             if (json_) return print(client::write(run));
             done("run", run.run_id);
           });
  add_run_options(*create);
  CLI::App* attach =
      leaf(runs, "attach", "Shows a run until it ends; Ctrl-C does not stop the run",
           "calopipe kubeflow run attach ID", [this] { attach_(context(), id_, quiet_, json_); });
  attach->add_flag("--quiet,-q", quiet_, "Only warnings and errors");
  CLI::App* outputs = leaf(runs, "outputs", "Lists the outputs of a run's tasks, and their metrics",
                           "calopipe kubeflow run outputs ID", [this] { print_outputs(); });
  CLI::App* fetch = leaf(runs, "fetch", "Copies outputs of a run from the cluster's store to this machine",
                         "calopipe kubeflow run fetch ID --out results\n"
                         "  calopipe kubeflow run fetch ID validate.report train --out results",
                         [this] { fetch_outputs(); });
  fetch->add_option("--out,-o", out_, "Folder; each output becomes TASK/OUTPUT there")
      ->required()
      ->type_name("DIR");
  CLI::App* logs =
      leaf(runs, "logs", "Prints the log of a task, or the logs of all tasks with their names",
           "calopipe kubeflow run logs ID train --follow\n  calopipe kubeflow run logs ID --tail 20", [this] {
             client::Client client = connect();
             exit_code_ = print_remote_logs(context(), client::find_run(client, id_).run_id,
                                            {.task = task_, .tail = tail_, .follow = follow_}, json_);
           });
  logs->add_flag("--follow,-f", follow_, "Continue until the run ends");
  logs->add_option("--tail", tail_, "Only the last N lines of each task");
  const auto change = [&](const char* name, const char* what, const char* word,
                          void (client::Client::*call)(const std::string&)) {
    return leaf(runs, name, what, fmt::format("calopipe kubeflow run {} ID", name).c_str(),
                [this, word, call] {
                  client::Client client = connect();
                  const std::string id = client::is_id(id_) ? id_ : client::find_run(client, id_).run_id;
                  (client.*call)(id);
                  done(word, id);
                });
  };
  CLI::App* terminate = change("terminate", "Ends a run", "terminated", &client::Client::terminate_run);
  CLI::App* retry =
      change("retry", "Runs the failed tasks of a run again", "retried", &client::Client::retry_run);
  CLI::App* archive = change("archive", "Archives a run", "archived", &client::Client::archive_run);
  CLI::App* unarchive =
      change("unarchive", "Restores a run from the archive", "unarchived", &client::Client::unarchive_run);
  CLI::App* remove = leaf(runs, "delete", "Deletes a run", "calopipe kubeflow run delete ID --yes", [this] {
    client::Client client = connect();
    const client::Run one = client::find_run(client, id_);
    confirm(fmt::format("run {} ({})", shown(one.display_name), one.run_id));
    client.delete_run(one.run_id);
    done("deleted", one.run_id);
  });
  add_delete_option(*remove);
  for (CLI::App* command : {get, attach, outputs, fetch, logs, terminate, retry, archive, unarchive, remove})
    command->add_option("run", id_, "Run, by id or name")->required();
  fetch->add_option("output", wanted_, "Only these: a task, or TASK.OUTPUT")->type_name("OUTPUT");
  logs->add_option("task", task_, "Name of a task");
}

void KubeflowCommand::print_outputs() const {
  client::Client client = connect();
  const std::string id = client::find_run(client, id_).run_id;
  const auto executions = client::Metadata(client::http_options(context())).latest_executions(id);
  json list = json::array();
  TextTable table({{"OUTPUT", Align::kLeft, true}, {"PLACE"}});
  for (const client::Execution& execution : executions)
    for (const client::Artifact& output : execution.outputs) {
      table.add({execution.task + "." + output.name, output.uri});
      list.push_back({{"task", execution.task},
                      {"name", output.name},
                      {"uri", output.uri},
                      {"artifact_id", output.id},
                      {"reused", execution.state == client::Execution::State::kCached},
                      {"metadata", output.metadata}});
    }
  if (json_) return app::print(list);
  print(table, "no outputs");
}

void KubeflowCommand::fetch_outputs() const {
  const client::Context chosen = context();
  client::Client client = connect();
  const std::string id = client::find_run(client, id_).run_id;
  std::vector<std::string> missing = wanted_;
  json places = json::array();
  std::vector<std::pair<std::string, const client::Artifact*>> found;
  const auto executions = client::Metadata(client::http_options(chosen)).latest_executions(id);
  for (const client::Execution& execution : executions)
    for (const client::Artifact& output : execution.outputs) {
      const std::string name = execution.task + "." + output.name;
      const auto matches = [&](const std::string& wanted) {
        return wanted == name || wanted == execution.task;
      };
      if (!wanted_.empty() && std::none_of(wanted_.begin(), wanted_.end(), matches)) continue;
      std::erase_if(missing, matches);
      found.emplace_back(execution.task, &output);
    }
  if (!missing.empty())
    throw core::UsageError({.message = fmt::format("the run has no output {}", missing.front()),
                            .hint = fmt::format("calopipe kubeflow run outputs {} lists them", id)});
  if (found.empty()) throw core::InputError({.message = "the run has no outputs", .field = id});
  for (const auto& [task, output] : found) {
    const std::filesystem::path place = std::filesystem::path(out_) / task / output->name;
    client::fetch_output(client, *output, place, chosen.s3_endpoint);
    places.push_back({{"task", task}, {"name", output->name}, {"path", place.string()}});
    if (!json_) fmt::print("{}.{}: {}\n", shown(task), shown(output->name), place.string());
  }
  if (json_) app::print(places);
}

void KubeflowCommand::add_recurring_runs() {
  CLI::App* recurring = group("recurring-run", "Recurring runs: runs that a schedule starts");
  CLI::App* list =
      leaf(recurring, "list", "Lists the recurring runs", "calopipe kubeflow recurring-run list", [this] {
        client::Client client = connect();
        client::ListOptions options = list_options();
        if (!experiment_.empty())
          options.experiment_id = client::find_experiment(client, experiment_).experiment_id;
        const auto found = client::all_pages(
            [&](const client::ListOptions& page) { return client.list_recurring_runs(page); }, options,
            all_ ? SIZE_MAX : limit_);
        if (json_) return print(to_json(found));
        TextTable table({{"NAME", Align::kLeft, true}, {"STATUS"}, {"SCHEDULE"}, {"CREATED"}, {"ID"}});
        for (const auto& one : found)
          table.add({one.display_name, client::to_string(one.status), schedule_of(one.trigger),
                     time_of(one.created_s), one.recurring_run_id});
        print(table, "no recurring runs");
      });
  add_list_options(*list);
  list->add_option("--experiment", experiment_, "Only recurring runs of this experiment, by id or name");
  CLI::App* get =
      leaf(recurring, "get", "Prints a recurring run", "calopipe kubeflow recurring-run get nightly", [this] {
        client::Client client = connect();
        const client::RecurringRun one = client::find_recurring_run(client, id_);
        if (json_) return print(client::write(one));
        print_fields({{"recurring run", one.recurring_run_id},
                      {"name", one.display_name},
                      {"status", client::to_string(one.status)},
                      {"schedule", schedule_of(one.trigger)},
                      {"runs at a time", std::to_string(one.max_concurrency)},
                      {"error", one.error ? one.error->message : ""},
                      {"description", one.description},
                      {"experiment", one.experiment_id},
                      {"source", source_of(one.pipeline_version_reference)},
                      {"created", time_of(one.created_s)}});
        print_parameters(one.runtime_config.parameters);
      });
  CLI::App* create = leaf(
      recurring, "create", "Creates a schedule that starts runs",
      "calopipe kubeflow recurring-run create --pipeline training --name nightly --cron \"0 0 3 * * *\"\n"
      "  calopipe kubeflow recurring-run create --file compiled.yaml --name hourly --every-s 3600",
      [this] {
        if (cron_.empty() == (interval_s_ == 0))
          throw core::UsageError({.message = "a recurring run needs one schedule",
                                  .hint = "--cron \"0 0 3 * * *\", or --every-s 3600"});
        client::Client client = connect();
        client::RecurringRun one{
            .display_name = name_,
            .description = description_,
            .runtime_config = {.parameters = parameters(), .pipeline_root = pipeline_root_},
            .service_account = service_account_,
            .max_concurrency = concurrency_,
            .no_catchup = no_catchup_,
            .mode = disabled_ ? client::RecurringState::kDisabled : client::RecurringState::kEnabled};
        if (cron_.empty())
          one.trigger.periodic_schedule = client::PeriodicSchedule{.interval_s = interval_s_};
        else
          one.trigger.cron_schedule = client::CronSchedule{.cron = cron_};
        set_source(client, one);
        one.experiment_id = experiment_id(client);
        one = client.create_recurring_run(one);
        if (json_) return print(client::write(one));
        done("recurring run", one.recurring_run_id);
      });
  add_run_options(*create);
  create->add_option("--cron", cron_, "Schedule of six fields: second minute hour day month weekday");
  create->add_option("--every-s", interval_s_, "Seconds from start to start, instead of --cron")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS");
  create->add_option("--concurrency", concurrency_, "Largest number of simultaneous runs")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  create->add_flag("--no-catchup", no_catchup_, "Do not make up for missed times");
  create->add_flag("--disabled", disabled_, "Start no runs until it is enabled");
  const auto change = [&](const char* name, const char* what, const char* word,
                          void (client::Client::*call)(const std::string&)) {
    return leaf(recurring, name, what,
                fmt::format("calopipe kubeflow recurring-run {} nightly", name).c_str(), [this, word, call] {
                  client::Client client = connect();
                  const std::string id = client::find_recurring_run(client, id_).recurring_run_id;
                  (client.*call)(id);
                  done(word, id);
                });
  };
  CLI::App* enable =
      change("enable", "Lets a recurring run start runs", "enabled", &client::Client::enable_recurring_run);
  CLI::App* disable = change("disable", "Keeps a recurring run from starting runs", "disabled",
                             &client::Client::disable_recurring_run);
  CLI::App* remove =
      leaf(recurring, "delete", "Deletes a recurring run; its runs are kept",
           "calopipe kubeflow recurring-run delete nightly --yes", [this] {
             client::Client client = connect();
             const client::RecurringRun one = client::find_recurring_run(client, id_);
             confirm(fmt::format("recurring run {} ({})", shown(one.display_name), one.recurring_run_id));
             client.delete_recurring_run(one.recurring_run_id);
             done("deleted", one.recurring_run_id);
           });
  add_delete_option(*remove);
  for (CLI::App* command : {get, enable, disable, remove})
    command->add_option("recurring-run", id_, "Recurring run, by id or name")->required();
}

}  // namespace app
