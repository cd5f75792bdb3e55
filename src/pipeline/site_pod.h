#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/component/component.h"

namespace pipeline {

/// A pod outside of a pipeline, with the settings that a site has for a component.
struct SitePodOptions {
  std::string component;  ///< whose settings are taken: "train"
  std::string container;  ///< name of the container
  std::vector<std::string> command, arguments;
  std::string image;           ///< empty = the site's, else calopipe:VERSION
  std::filesystem::path site;  ///< site settings: resources, environment, volumes, secrets; empty = none
};

struct SitePod {
  nlohmann::json spec;                                 ///< of the pod
  nlohmann::json metadata = nlohmann::json::object();  ///< labels and annotations
};

/// Makes the pod. The compiler for Argo knows what a site's settings mean for a pod; volumes of artifacts are
/// left out.
/// @throws core::InputError (site, settings that depend on a run of a pipeline)
SitePod site_pod(const kfp::Registry& registry, const SitePodOptions& options);

}  // namespace pipeline
