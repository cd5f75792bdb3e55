#pragma once

#include <string>

#include "kfp/client/client.h"

namespace kfp::client {

/// A version of a pipeline on the server, and how it came there.
struct SubmittedVersion {
  PipelineVersion version;
  bool uploaded = false;  ///< false: it was there
};

/// The version of pipeline `name` that has this content; pipeline and version are made where they are not
/// there. The version's name is `<name>-<first 12 digits of the text's SHA-256>`, so that the same text is
/// sent once, whoever sends it, also if an answer is lost or two do so at a time.
/// @param text compiled pipeline (YAML)
/// @throws what calls throw
SubmittedVersion ensure_version(Client& client, const std::string& name, const std::string& text,
                                const std::string& description = {});

/// The experiment with this name, made where it is not there. Names of experiments are unique in a namespace.
Experiment ensure_experiment(Client& client, const std::string& name);

/// Whether a text looks like an id of the server (a UUID), and not like a name.
bool is_id(const std::string& text);

/// By id or name. @throws Refused (404), core::UsageError if several have this name
Pipeline find_pipeline(Client& client, const std::string& id_or_name);
PipelineVersion find_version(Client& client, const std::string& pipeline_id, const std::string& id_or_name);
Experiment find_experiment(Client& client, const std::string& id_or_name);
Run find_run(Client& client, const std::string& id_or_name);
RecurringRun find_recurring_run(Client& client, const std::string& id_or_name);

}  // namespace kfp::client
