#include "app/kubernetes_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "app/kerberos_command.h"
#include "app/output.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/staged_output.h"
#include "core/temp_folder.h"
#include "kfp/client/time_text.h"
#include "kfp/compile/argo/options.h"
#include "kfp/kubernetes/setup.h"
#include "kfp/kubernetes/ticket_secret.h"
#include "kfp/local/text_table.h"
#include "kfp/site/site.h"
#include "kfp/yaml/yaml.h"

namespace app {
namespace {

namespace kubernetes = kfp::kubernetes;
using kubernetes::SetupStep;
using nlohmann::json;

bool changes_something(const SetupStep& step) {
  return step.action == SetupStep::Action::kCreate || step.action == SetupStep::Action::kChange ||
         step.action == SetupStep::Action::kDelete;
}

json to_json(const SetupStep& step) {
  json changes = json::array();
  for (const kubernetes::FieldChange& change : step.changes)
    changes.push_back({{"field", change.field}, {"from", change.from}, {"to", change.to}});
  return {{"action", kubernetes::to_string(step.action)},
          {"kind", step.name.kind},
          {"name", step.name.name},
          {"changes", std::move(changes)}};
}

void print_step(const SetupStep& step) {
  fmt::print("{}: {}\n", kubernetes::to_string(step.action), shown(kubernetes::to_string(step.name)));
  if (step.action == SetupStep::Action::kForeign)
    fmt::print("  it exists, and calopipe did not make it: it is left alone\n");
  for (const kubernetes::FieldChange& change : step.changes) {
    if (!change.from.empty()) fmt::print("  - {}: {}\n", shown(change.field), shown(change.from));
    if (!change.to.empty()) fmt::print("  + {}: {}\n", shown(change.field), shown(change.to));
  }
}

// Objects that pods refer to, and that neither the site declares nor the cluster has.
std::vector<std::string> missing_objects(kubernetes::Api& api, const kfp::Site& site,
                                         const std::vector<json>& declared) {
  std::vector<std::string> missing;
  for (const kfp::NeededObject& need : site.needed_objects()) {
    const kubernetes::ObjectName name{need.kind, need.name};
    const bool is_declared = std::any_of(declared.begin(), declared.end(), [&](const json& object) {
      return kubernetes::name_of(object) == name;
    });
    if (is_declared) continue;
    try {
      if (!api.get(name)) missing.push_back(kubernetes::to_string(name));
    } catch (const kfp::client::Refused& error) {
      if (error.status() != 403) throw;
      spdlog::warn("{} is needed; it cannot be seen whether it exists", kubernetes::to_string(name));
    }
  }
  return missing;
}

// Waits until a TrainJob is complete. @throws core::Error if it fails
std::string wait_for_train_job(kubernetes::Api& api, const kubernetes::ObjectName& job) {
  std::string before;
  for (;;) {
    const std::optional<json> now = api.get(job);
    if (!now) throw core::InputError({.message = "was deleted", .field = kubernetes::to_string(job)});
    std::string state = "Created", reason;
    if (now->contains("/status/conditions"_json_pointer))
      for (const json& condition : now->at("/status/conditions"_json_pointer)) {
        if (condition.value("status", "") != "True") continue;
        state = condition.value("type", "");
        reason = condition.value("message", "");
      }
    if (state != before) fmt::print(stderr, "{}: {}\n", kubernetes::to_string(job), shown(state));
    before = state;
    if (state == "Complete") return state;
    if (state == "Failed")
      throw core::Error(core::ExitCode::kInternal,
                        {.message = "failed: " + shown(reason),
                         .field = kubernetes::to_string(job),
                         .hint = fmt::format("kubectl logs -l jobset.sigs.k8s.io/jobset-name={}", job.name)});
    for (int i = 0; i < 20; ++i) {
      if (core::interrupt_requested())
        throw core::Interrupted({.message = fmt::format("{} continues", kubernetes::to_string(job))});
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

}  // namespace

KubernetesCommands::KubernetesCommands(CLI::App& kubeflow, const kfp::Registry& registry)
    : registry_(registry) {
  add_setup(kubeflow);
  add_kerberos(kubeflow);
  add_train_job(kubeflow);
}

bool KubernetesCommands::parsed() const {
  return std::any_of(leaves_.begin(), leaves_.end(), [](const Leaf& leaf) { return leaf.app->parsed(); });
}

void KubernetesCommands::run() {
  for (const Leaf& command : leaves_)
    if (command.app->parsed()) command.work();
}

CLI::App* KubernetesCommands::leaf(CLI::App* parent, const char* name, const char* what, const char* examples,
                                   std::function<void()> work) {
  CLI::App* command = parent->add_subcommand(name, what);
  command->footer(fmt::format("Examples:\n  {}", examples));
  command->add_flag("--json", json_, "Print the result as JSON");
  command
      ->add_option(
          "--kubeconfig", kubeconfig_,
          "File with the access to Kubernetes [default: $KUBECONFIG, ~/.kube/config; in a pod its service "
          "account]")
      ->type_name("FILE");
  command->add_option("--context", context_, "Context of the kubeconfig file [default: its current one]")
      ->type_name("NAME");
  command->add_option("--namespace", namespace_, "Namespace [default: the site's, else the context's]")
      ->type_name("NAME");
  leaves_.push_back({command, std::move(work)});
  return command;
}

void KubernetesCommands::add_setup(CLI::App& kubeflow) {
  CLI::App* setup =
      leaf(&kubeflow, "setup",
           "Makes the objects of Kubernetes that a site file declares: volume claims, config maps, …",
           "calopipe kubeflow setup --site site.yaml --dry-run\n"
           "  calopipe kubeflow setup --site site.yaml --apply\n"
           "  calopipe kubeflow setup --site site.yaml --delete",
           [this] { set_up(); });
  setup->group("Kubernetes");
  setup->add_option("--site", site_, "Site file with the section setup (doc/sites.md)")
      ->type_name("FILE")
      ->required();
  setup->add_flag("--dry-run", dry_run_, "Show the differences, checked by the server, and change nothing");
  CLI::Option* apply = setup->add_flag("--apply", apply_, "Make and change the objects");
  setup->add_flag("--delete", delete_, "Delete the objects that this setup has made")->excludes(apply);
  setup->add_flag("--prune", prune_, "Also delete objects of this setup that the file no longer declares");
  setup->add_flag("--force", force_, "Take fields that another program has set");
  setup->add_flag("--yes,-y", yes_, "Do not ask before deleting");
}

void KubernetesCommands::add_train_job(CLI::App& kubeflow) {
  CLI::App* train_job =
      leaf(&kubeflow, "train-job", "Trains a model by several pods, with Kubeflow's Trainer",
           "calopipe kubeflow train-job --site site.yaml --nodes 4 --apply --wait -- --prepared "
           "/store/prepared --out "
           "/store/trained\n"
           "  calopipe kubeflow train-job --nodes 2 --out train-job.yaml -- --prepared /store/prepared --out "
           "/store/trained",
           [this] { train_by_pods(); });
  train_job->group("Kubernetes");
  train_job
      ->add_option("--site", site_, "Site file: the image, resources and volumes of train (doc/sites.md)")
      ->type_name("FILE");
  train_job->add_option("--name", train_job_.name, "Name of the training")
      ->type_name("NAME")
      ->capture_default_str();
  train_job->add_option("--image", train_job_.image, "Image [default: the site's]")->type_name("IMAGE");
  train_job->add_option("--nodes", train_job_.nodes, "Number of pods")->type_name("N")->capture_default_str();
  train_job->add_option("--processes", train_job_.processes, "Number of processes in each pod")
      ->type_name("N")
      ->capture_default_str();
  CLI::Option* out = train_job->add_option("--out", out_, "Write the objects (YAML)")->type_name("FILE");
  CLI::Option* apply = train_job->add_flag("--apply", apply_, "Start the training")->excludes(out);
  train_job->add_flag("--wait", wait_, "Wait for its end; Ctrl-C does not stop it")->needs(apply);
  train_job->add_option("arguments", train_job_.arguments, "Arguments of calopipe train, after --")
      ->type_name("ARGUMENT");
}

void KubernetesCommands::add_ticket_options(CLI::App& command) {
  command.add_option("--secret", secret_, "Name of the secret [default: the site's, else krb-secret]")
      ->type_name("NAME");
  command.add_option("--key", key_, "Key in the secret [default: the site's, else krb5cc_1000]")
      ->type_name("NAME");
  command.add_option("--site", site_, "Site file, which names the secret and limits the time of a run")
      ->type_name("FILE");
}

void KubernetesCommands::add_kerberos(CLI::App& kubeflow) {
  CLI::App* kerberos = kubeflow.add_subcommand("kerberos", "The secret with the Kerberos ticket of pods");
  kerberos->require_subcommand(1);
  kerberos->group("Subcommands");  // inherited by its own ones
  kerberos->footer("");
  CLI::App* push =
      leaf(kerberos, "push", "Puts the ticket of kinit, or a new one by a keytab, into the secret",
           "calopipe kubeflow kerberos push --site deploy/sites/cern.yaml\n"
           "  calopipe kubeflow kerberos push --keytab alice.keytab --run-h 48",
           [this] { push_ticket(); });
  add_ticket_options(*push);
  CLI::Option* cache =
      push->add_option("--cache", cache_, "Cache with the ticket [default: $KRB5CCNAME, as for kinit]")
          ->type_name("CACHE");
  CLI::Option* keytab = push->add_option("--keytab", keytab_, "Keytab that gives a new ticket")
                            ->type_name("FILE")
                            ->excludes(cache);
  push->add_option("--principal", principal_, "Principal [default: the first one in the keytab]")
      ->type_name("NAME")
      ->needs(keytab);
  push->add_option(
          "--run-h", run_h_,
          "Hours that a run takes, for a warning [default: the site's pipeline.activeDeadlineSeconds]")
      ->check(CLI::PositiveNumber);
  CLI::App* renew =
      leaf(kerberos, "renew", "Renews the ticket in the secret, as the CronJob of setup.kerberos.renew does",
           "calopipe kubeflow kerberos renew --secret krb-secret", [this] { renew_ticket(); });
  add_ticket_options(*renew);
  kerberos->group("Kubernetes");
}

kubernetes::Api KubernetesCommands::connect(const std::string& site_namespace) const {
  return kubernetes::Api(
      kubernetes::choose_access({.kubeconfig = kubeconfig_,
                                 .context = context_,
                                 .namespace_name = namespace_.empty() ? site_namespace : namespace_}));
}

void KubernetesCommands::set_up() {
  if (!apply_ && !dry_run_ && !delete_)
    throw core::UsageError({.message = "needs --dry-run, --apply or --delete"});
  if (apply_ && dry_run_) throw core::UsageError({.message = "--apply and --dry-run exclude each other"});
  const kfp::Site site = kfp::Site::read(site_);
  kfp::argo::options_from_json(site.argo(), site_, "argo");  // mistakes are errors here, too
  const kubernetes::SetupRequest request{
      .name = site.setup().name, .objects = site.setup_objects(), .prune = prune_, .force = force_};
  kubernetes::Api api = connect(site.setup().name_space);
  const std::vector<SetupStep> steps =
      delete_ ? kubernetes::plan_removal(api, request.name) : kubernetes::plan_setup(api, request);
  json result = {{"context", api.access().name},
                 {"server", api.access().server},
                 {"namespace", api.namespace_name()},
                 {"steps", json::array()},
                 {"missing", json::array()}};
  if (!json_)
    fmt::print("cluster: {} ({})\nnamespace: {}\n", shown(api.access().name), shown(api.access().server),
               shown(api.namespace_name()));
  std::vector<std::string> removed;
  for (const SetupStep& step : steps) {
    result["steps"].push_back(to_json(step));
    if (!json_) print_step(step);
    if (step.action == SetupStep::Action::kDelete) removed.push_back(kubernetes::to_string(step.name));
  }
  if (!dry_run_) {
    if (!removed.empty())
      confirm_deletion(fmt::format("{}, with the data of claims,", fmt::join(removed, ", ")), yes_);
    kubernetes::execute(api, steps, force_);
  }
  if (!delete_) {
    for (const std::string& name : missing_objects(api, site, request.objects)) {
      result["missing"].push_back(name);
      spdlog::warn("{} is missing: pods of the site need it, and its section setup does not declare it",
                   name);
    }
    if (!prune_)
      for (const kubernetes::ObjectName& name : kubernetes::leftovers(api, request))
        spdlog::warn("{} is not declared any more; --prune deletes it", kubernetes::to_string(name));
  }
  const auto count = std::count_if(steps.begin(), steps.end(), changes_something);
  result["changes"] = count;
  result["done"] = !dry_run_;
  if (json_)
    print(result);
  else
    fmt::print("{} of {} objects {}\n", count, steps.size(), dry_run_ ? "would be changed" : "changed");
}

void KubernetesCommands::push_ticket() {
  const kfp::Site site = site_.empty() ? kfp::Site() : kfp::Site::read(site_);
  const kfp::KerberosSecret declared = site.kerberos();
  const kubernetes::TicketSecret secret{.name = secret_.empty() ? declared.secret : secret_,
                                        .key = key_.empty() ? declared.key : key_,
                                        .setup = site.setup().name};
  const core::TempFolder folder("ticket");
  const std::filesystem::path file = folder / "cache";
  const kerberos::Ticket ticket =
      keytab_.empty() ? kerberos::copy_ticket(cache_.empty() ? kerberos::default_cache() : cache_, file)
                      : kerberos::ticket_from_keytab(keytab_, principal_, {}, file);
  const double now = core::now_s();
  if (ticket.end_s <= now)
    throw core::UnavailableError(
        {.message = fmt::format("the ticket has ended at {}", kfp::client::time_text(ticket.end_s)),
         .field = ticket.principal,
         .hint = "get a new one with kinit"});
  kubernetes::Api api = connect(site.setup().name_space);
  kubernetes::store_ticket(api, secret, core::read_file(file));
  const double run_s = run_h_ > 0 ? run_h_ * 3600 : site.run_limit_s();
  const double lasts_s = (declared.renew ? ticket.last_s() : ticket.end_s) - now;
  const bool too_short = run_s > 0 && lasts_s < run_s;
  if (too_short)
    spdlog::warn("the ticket lasts for {:.1f} h{}, but a run may take {:.1f} h: {}", lasts_s / 3600,
                 declared.renew ? " with renewals" : "", run_s / 3600,
                 !declared.renew && ticket.last_s() - now >= run_s
                     ? "declare setup.kerberos.renew in the site file, which renews it"
                     : "get one with a longer renewable life, as kinit -r 7d");
  if (json_) {
    json result = to_json(ticket);
    result["secret"] = secret.name;
    result["key"] = secret.key;
    result["namespace"] = api.namespace_name();
    result["too_short"] = too_short;
    print(result);
  } else {
    fmt::print("secret: {}, key {}, namespace {}\nticket: {}\n", secret.name, secret.key,
               api.namespace_name(), shown(to_text(ticket)));
  }
}

void KubernetesCommands::renew_ticket() {
  const kfp::Site site = site_.empty() ? kfp::Site() : kfp::Site::read(site_);
  const kfp::KerberosSecret declared = site.kerberos();
  const kubernetes::TicketSecret secret{.name = secret_.empty() ? declared.secret : secret_,
                                        .key = key_.empty() ? declared.key : key_,
                                        .setup = site.setup().name};
  kubernetes::Api api = connect(site.setup().name_space);
  const core::TempFolder folder("ticket");
  const std::filesystem::path file = folder / "cache";
  kerberos::write_private_file(file, kubernetes::read_ticket_content(api, secret));
  const kerberos::Ticket ticket = kerberos::renew_ticket("FILE:" + file.string(), file);
  kubernetes::store_ticket(api, secret, core::read_file(file));
  if (json_) {
    json result = to_json(ticket);
    result["secret"] = secret.name;
    result["namespace"] = api.namespace_name();
    print(result);
  } else {
    fmt::print("secret: {}, key {}, namespace {}\nticket: {}\n", secret.name, secret.key,
               api.namespace_name(), shown(to_text(ticket)));
  }
}

void KubernetesCommands::train_by_pods() {
  if (!apply_ && out_.empty()) throw core::UsageError({.message = "needs --apply, or --out FILE"});
  train_job_.site = site_;
  const std::vector<json> objects = pipeline::train_job_objects(registry_, train_job_);
  if (!apply_) {
    std::string text;
    for (const json& object : objects) text += (text.empty() ? "" : "---\n") + kfp::to_yaml(object);
    core::write_file(out_, text);
    if (json_) return print({{"out", out_}});
    fmt::print("objects: {}\n", out_);
    return;
  }
  const kfp::Site site = site_.empty() ? kfp::Site() : kfp::Site::read(site_);
  kubernetes::Api api = connect(site.setup().name_space);
  const kubernetes::ObjectName job{"TrainJob", train_job_.name};
  if (api.get(job))
    throw core::UsageError({.message = fmt::format("there is a TrainJob {} already", train_job_.name),
                            .hint = "take another --name, or delete it with kubectl delete trainjob"});
  for (const json& object : objects) api.apply(object);
  json result = {{"train_job", train_job_.name}, {"namespace", api.namespace_name()}};
  if (!json_) fmt::print("train job: {}, namespace {}\n", train_job_.name, shown(api.namespace_name()));
  if (wait_) result["state"] = wait_for_train_job(api, job);
  if (json_) print(result);
}

}  // namespace app
