#include "calo/io/layouts/held.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "core/error.h"

namespace calo::layouts {

void Wanted::refuse(const std::string& message, const std::string& hint) const {
  throw core::UsageError({.message = fmt::format("the layout {} {}", to_string(options.layout), message),
                          .file = info.files.front(),
                          .field = "layout",
                          .hint = hint});
}

void Wanted::lose(Droppable what, const std::string& message, const std::string& layouts) const {
  refuse(message,
         fmt::format("choose the layout {}, or accept the loss: --drop {}", layouts, to_string(what)));
}

void require_regular_mesh(const Wanted& wanted) {
  if (!wanted.info.mesh.is_cylinder())
    wanted.refuse(fmt::format("can only store regular meshes [r, phi, z], but the showers have {}",
                              wanted.info.mesh.to_string()),
                  "choose the layout calochallenge or calopipe");
}

void require_one_geometry(const Wanted& wanted, const std::string& layouts) {
  if (wanted.may_drop(Droppable::kGeometry)) return;
  std::set<std::string> names;
  for (const Conditions& condition : wanted.conditions)
    names.insert(wanted.info.geometries.at(condition.geometry));
  if (names.size() > 1)
    wanted.lose(Droppable::kGeometry,
                fmt::format("stores one geometry per file, but the showers have {}", fmt::join(names, ", ")),
                layouts);
}

}  // namespace calo::layouts
