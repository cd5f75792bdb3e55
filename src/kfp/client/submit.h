#pragma once

#include <string>

#include "kfp/client/client.h"

namespace kfp::client {

/// A version of a pipeline on the server, and how it got there.
struct SubmittedVersion {
  PipelineVersion version;
  bool uploaded = false;  ///< false = it existed before
};

/// The version of pipeline `name` that has this content; a missing pipeline or version is created. The
/// version's name is `<name>-<first 12 digits of the text's SHA-256>`, so that the same text is sent only
/// once, by any client, even if an answer is lost or two clients send it at the same time.
/// @param text compiled pipeline (YAML)
/// @throws the exceptions of calls
SubmittedVersion ensure_version(Client& client, const std::string& name, const std::string& text,
                                const std::string& description = {});

/// The experiment with this name, created if missing. Names of experiments are unique in a namespace.
Experiment ensure_experiment(Client& client, const std::string& name);

/// True if a string looks like an id of the server (a UUID), not a name.
bool is_id(const std::string& text);

/// Find an object by id or name. @throws Refused (404), core::UsageError if several have this name
Pipeline find_pipeline(Client& client, const std::string& id_or_name);
PipelineVersion find_version(Client& client, const std::string& pipeline_id, const std::string& id_or_name);
Experiment find_experiment(Client& client, const std::string& id_or_name);
Run find_run(Client& client, const std::string& id_or_name);
RecurringRun find_recurring_run(Client& client, const std::string& id_or_name);

}  // namespace kfp::client
