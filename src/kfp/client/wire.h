#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "kfp/client/types.h"

namespace kfp::client {

/// Converts the messages of the API to and from JSON; each message declares its fields once, in wire.cc.
/// Reading ignores unknown fields (servers evolve) and treats null as absent, but rejects a field of another
/// type. 64-bit integers are numbers or strings, as in proto3 JSON. Writing leaves out empty fields.
///
/// read() throws core::InputError with the place in the answer ("runs[3].created_at").
template <class T>
T read(const nlohmann::json& value, const std::string& place = {});
template <class T>
nlohmann::json write(const T& message);

/// Reads a list: `name` is the field that contains the items ("runs").
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
