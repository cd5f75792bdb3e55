#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kfp/ir/pipeline_spec.h"
#include "kfp/site/setup.h"

namespace core {
class JsonPlace;
}

namespace kfp {

/// What differs between the places in which pipelines run: image, pull secrets, volumes, labels, resources.
/// Read from a YAML file, laid over a compiled pipeline; so no program is changed to move between sites. The
/// fields: `doc/sites.md`.
class Site {
 public:
  /// Nothing set.
  Site() = default;

  /// @param components names that may stand under `components:`; empty = any
  /// @throws core::InputError naming file and field (unknown fields, wrong types, quantities that are none)
  static Site read(const std::filesystem::path& file, const std::vector<std::string>& components = {});
  /// The same from JSON; `source` is named in errors.
  static Site from_json(const nlohmann::json& values, const std::filesystem::path& source = {},
                        const std::vector<std::string>& components = {});

  /// Image of the program's components; empty if the site does not say.
  const std::string& image() const { return image_; }
  void set_image(std::string image) { image_ = std::move(image); }
  /// Settings for plain Argo Workflows (kfp::argo::options_from_json), an empty object where there are none.
  const nlohmann::json& argo() const { return argo_; }
  /// Objects of Kubernetes for the site.
  const SiteSetup& setup() const { return setup_; }
  /// The objects of `setup`, as Kubernetes has them. @throws core::InputError (missing files, no image)
  std::vector<nlohmann::json> setup_objects() const;
  /// The objects that pods of the site refer to, each once.
  std::vector<NeededObject> needed_objects() const;
  /// The secret with the Kerberos ticket: of `setup.kerberos`, else of `argo.kerberos`, else the default.
  KerberosSecret kerberos() const;
  /// Longest time of a run, `pipeline.activeDeadlineSeconds`; 0 = no limit.
  double run_limit_s() const;

  /// Lays the settings over the executors whose image is `own_image`: those of the program's components.
  /// Lists (volumes, secrets, tolerations) are added to what the pipeline has, maps and single values
  /// replace.
  /// @throws core::InputError if a setting and the pipeline contradict (two volumes at one path)
  void apply(ir::Pipeline& pipeline, const std::string& own_image) const;

 private:
  // What is set for one component, or for all.
  struct Settings {
    std::string image;
    nlohmann::json kubernetes =
        nlohmann::json::object();  // KubernetesExecutorConfig, as in the platform spec
    nlohmann::json env = nlohmann::json::object();
    nlohmann::json resources = nlohmann::json::object();
    std::optional<bool> cache;
    std::optional<ir::RetryPolicy> retry;
  };

  static Settings read_settings(const nlohmann::json& values, core::JsonPlace& place);
  static void lay_over(const Settings& settings, ir::Container& container, nlohmann::json& kubernetes);

  std::filesystem::path source_;
  std::string image_;
  std::string pipeline_root_;
  Settings defaults_;
  std::map<std::string, Settings> components_;
  nlohmann::json pipeline_config_ = nlohmann::json::object();
  nlohmann::json argo_ = nlohmann::json::object();
  SiteSetup setup_;
};

}  // namespace kfp
