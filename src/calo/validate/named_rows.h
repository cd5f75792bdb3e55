#pragma once

#include <cstddef>
#include <string_view>

namespace calo {

/// Index of the row of a table that has this name. A name that no row has does not compile.
template <class Row, std::size_t N>
consteval std::size_t index_of(const Row (&table)[N], std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (name == table[i].name) return i;
  throw "no row of the table has this name";
}

/// Whether no two rows have the same name.
template <class Row, std::size_t N>
consteval bool has_unique_names(const Row (&table)[N]) {
  for (std::size_t i = 0; i < N; ++i)
    if (index_of(table, table[i].name) != i) return false;
  return true;
}

}  // namespace calo
