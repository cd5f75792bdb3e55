#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kfp/client/types.h"

namespace kfp::client {

/// The messages of the API as JSON and back; each message says its fields once, in wire.cc. Reading ignores
/// fields that are not known (servers grow) and takes null for absent, but not a field of another type.
/// 64-bit integers are numbers or texts, as in proto3 JSON. Writing leaves out what is empty.
///
/// read() throws core::InputError with the place in the answer ("runs[3].created_at").
template <class T>
T read(const nlohmann::json& value, const std::string& place = {});
template <class T>
nlohmann::json write(const T& message);

/// A list: `name` is the field that holds the items ("runs").
template <class T>
Page<T> read_page(const nlohmann::json& value, const std::string& name);

#define KFP_CLIENT_MESSAGE(T)                                       \
  template <>                                                       \
  T read<T>(const nlohmann::json& value, const std::string& place); \
  template <>                                                       \
  nlohmann::json write<T>(const T& message);                        \
  template <>                                                       \
  Page<T> read_page<T>(const nlohmann::json& value, const std::string& name);
KFP_CLIENT_MESSAGE(Health)
KFP_CLIENT_MESSAGE(Pipeline)
KFP_CLIENT_MESSAGE(PipelineVersion)
KFP_CLIENT_MESSAGE(Experiment)
KFP_CLIENT_MESSAGE(Run)
KFP_CLIENT_MESSAGE(RecurringRun)
#undef KFP_CLIENT_MESSAGE

}  // namespace kfp::client
