#include "core/provenance.h"

namespace core {

const char* version() {
  return CALOPIPE_VERSION;
}

nlohmann::json Provenance::to_json() const {
  nlohmann::json json{
      {"version", version()}, {"component", component}, {"parameters", parameters}, {"inputs", inputs}};
  if (seed) json["seed"] = *seed;
  return json;
}

}  // namespace core
