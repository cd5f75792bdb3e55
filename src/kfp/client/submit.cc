#include "kfp/client/submit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/hash.h"

namespace kfp::client {
namespace {

ListOptions called(const std::string& name) {
  return {.filter = {{.key = "display_name", .value = name}}, .sort_by = "created_at desc"};
}

std::optional<PipelineVersion> version_called(Client& client, const std::string& pipeline_id,
                                              const std::string& name) {
  auto found = all_pages([&](const ListOptions& page) { return client.list_versions(pipeline_id, page); },
                         called(name), 1);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

// Calls make(); if the server refuses because the object exists, or its answer is lost, looks for the object.
template <class Make, class Look>
auto make_once(const Make& make, const Look& look) -> decltype(make()) {
  try {
    return make();
  } catch (const Refused& error) {
    if (error.status() != 409) throw;
    if (auto found = look()) return std::move(*found);
    throw;
  } catch (const Unreachable& error) {
    if (error.done() != Unreachable::Done::kPerhaps) throw;
    if (auto found = look()) return std::move(*found);
    throw;
  }
}

std::optional<Pipeline> pipeline_called(Client& client, const std::string& name) {
  try {
    return client.pipeline_by_name(name);
  } catch (const Refused& error) {
    if (error.status() != 404) throw;
    return std::nullopt;
  }
}

std::optional<Experiment> experiment_called(Client& client, const std::string& name) {
  auto found =
      all_pages([&](const ListOptions& page) { return client.list_experiments(page); }, called(name), 1);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

// The only object in a list with this name.
template <class List, class Id>
auto the_only(const List& list, const std::string& name, const char* what, const Id& id) {
  auto found = all_pages(list, called(name));
  if (found.empty())
    throw core::UsageError(
        {.message = fmt::format("there is no {} with this id or name", what), .field = name});
  if (found.size() > 1) {
    std::string ids;
    for (std::size_t i = 0; i < std::min<std::size_t>(found.size(), 5); ++i)
      ids += (i == 0 ? "" : ", ") + id(found[i]);
    throw core::UsageError({.message = fmt::format("{} {}s have this name", found.size(), what),
                            .field = name,
                            .hint = "give the id: " + ids + (found.size() > 5 ? " …" : "")});
  }
  return std::move(found.front());
}

}  // namespace

SubmittedVersion ensure_version(Client& client, const std::string& name, const std::string& text,
                                const std::string& description) {
  std::optional<Pipeline> pipeline = pipeline_called(client, name);
  if (!pipeline)
    pipeline = make_once(
        [&] {
          return client.create_pipeline({.name = name, .display_name = name, .description = description});
        },
        [&] { return pipeline_called(client, name); });
  const std::string version_name = fmt::format("{}-{}", name, core::sha256(text).substr(0, 12));
  const auto look = [&] { return version_called(client, pipeline->pipeline_id, version_name); };
  if (std::optional<PipelineVersion> found = look()) return {std::move(*found), false};
  return {make_once(
              [&] {
                return client.upload_version(text, {.pipeline_id = pipeline->pipeline_id,
                                                    .name = version_name,
                                                    .display_name = version_name,
                                                    .description = description});
              },
              look),
          true};
}

Experiment ensure_experiment(Client& client, const std::string& name) {
  if (std::optional<Experiment> found = experiment_called(client, name)) return std::move(*found);
  return make_once([&] { return client.create_experiment({.display_name = name}); },
                   [&] { return experiment_called(client, name); });
}

bool is_id(const std::string& text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

Pipeline find_pipeline(Client& client, const std::string& id_or_name) {
  return is_id(id_or_name) ? client.pipeline(id_or_name) : client.pipeline_by_name(id_or_name);
}

PipelineVersion find_version(Client& client, const std::string& pipeline_id, const std::string& id_or_name) {
  if (is_id(id_or_name)) return client.version(pipeline_id, id_or_name);
  return the_only([&](const ListOptions& page) { return client.list_versions(pipeline_id, page); },
                  id_or_name, "version",
                  [](const PipelineVersion& version) { return version.pipeline_version_id; });
}

Experiment find_experiment(Client& client, const std::string& id_or_name) {
  if (is_id(id_or_name)) return client.experiment(id_or_name);
  return the_only([&](const ListOptions& page) { return client.list_experiments(page); }, id_or_name,
                  "experiment", [](const Experiment& experiment) { return experiment.experiment_id; });
}

Run find_run(Client& client, const std::string& id_or_name) {
  if (is_id(id_or_name)) return client.run(id_or_name);
  // The list lacks the details of tasks.
  return client.run(the_only([&](const ListOptions& page) { return client.list_runs(page); }, id_or_name,
                             "run", [](const Run& run) { return run.run_id; })
                        .run_id);
}

RecurringRun find_recurring_run(Client& client, const std::string& id_or_name) {
  if (is_id(id_or_name)) return client.recurring_run(id_or_name);
  return the_only([&](const ListOptions& page) { return client.list_recurring_runs(page); }, id_or_name,
                  "recurring run",
                  [](const RecurringRun& recurring_run) { return recurring_run.recurring_run_id; });
}

}  // namespace kfp::client
