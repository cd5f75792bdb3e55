#include "kfp/client/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <protozero/exception.hpp>
#include <protozero/pbf_builder.hpp>
#include <protozero/pbf_reader.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "kfp/client/detail/grpc_frame.h"

namespace kfp::client {
namespace {

using nlohmann::json;
using protozero::pbf_reader;

// Numbers of the fields in metadata_store.proto and metadata_store_service.proto.
enum class ContextRequest : protozero::pbf_tag_type { kTypeName = 1, kName = 2 };
enum class ExecutionsRequest : protozero::pbf_tag_type { kContextId = 1 };
enum class Ids : protozero::pbf_tag_type { kIds = 1 };  // GetEventsByExecutionIDs and GetArtifactsByID
constexpr protozero::pbf_tag_type kItems = 1;           // of every answer
namespace field {
constexpr protozero::pbf_tag_type kId = 1;  // of Context, Execution and Artifact
constexpr protozero::pbf_tag_type kState = 3, kUri = 3, kCustomProperties = 5, kArtifactType = 8;
constexpr protozero::pbf_tag_type kEventArtifact = 1, kEventExecution = 2, kEventPath = 3, kEventType = 4;
constexpr protozero::pbf_tag_type kSteps = 1, kStepKey = 2;
constexpr protozero::pbf_tag_type kMapKey = 1, kMapValue = 2;
constexpr protozero::pbf_tag_type kInt = 1, kDouble = 2, kString = 3, kStruct = 4, kBool = 6;
}  // namespace field
constexpr int kOutput = 4;  // Event::OUTPUT

// Adds an entry of a map to an object. @param read reads its value
template <class Read>
void add_entry(pbf_reader entry, json& object, const Read& read) {
  std::string key;
  json value;
  while (entry.next()) {
    if (entry.tag() == field::kMapKey)
      key = entry.get_string();
    else if (entry.tag() == field::kMapValue)
      value = read(entry.get_message());
    else
      entry.skip();
  }
  object[key] = std::move(value);
}

// google/protobuf/struct.proto; lists and structs may contain each other.
json struct_of(pbf_reader message, int depth);

json struct_value_of(pbf_reader message, int depth) {
  if (depth > 64) throw protozero::exception();
  json value;
  while (message.next()) {
    switch (message.tag()) {
      case 2:
        value = message.get_double();
        break;
      case 3:
        value = message.get_string();
        break;
      case 4:
        value = message.get_bool();
        break;
      case 5:
        value = struct_of(message.get_message(), depth + 1);
        break;
      case 6: {
        value = json::array();
        pbf_reader list = message.get_message();
        while (list.next(1)) value.push_back(struct_value_of(list.get_message(), depth + 1));
        break;
      }
      default:
        message.skip();
    }
  }
  return value;
}

json struct_of(pbf_reader message, int depth) {
  json object = json::object();
  while (message.next(1))
    add_entry(message.get_message(), object, [&](pbf_reader value) { return struct_value_of(value, depth); });
  return object;
}

// ml_metadata.Value
json value_of(pbf_reader message) {
  json value;
  while (message.next()) {
    switch (message.tag()) {
      case field::kInt:
        value = message.get_int64();
        break;
      case field::kDouble:
        value = message.get_double();
        break;
      case field::kString:
        value = message.get_string();
        break;
      case field::kStruct:
        value = struct_of(message.get_message(), 0);
        break;
      case field::kBool:
        value = message.get_bool();
        break;
      default:
        message.skip();
    }
  }
  return value;
}

Execution execution_of(pbf_reader message) {
  Execution execution;
  json properties = json::object();
  while (message.next()) {
    switch (message.tag()) {
      case field::kId:
        execution.id = message.get_int64();
        break;
      case field::kState:
        if (const int state = message.get_enum(); state >= 0 && state <= 6)
          execution.state = static_cast<Execution::State>(state);
        break;
      case field::kCustomProperties:
        add_entry(message.get_message(), properties, value_of);
        break;
      default:
        message.skip();
    }
  }
  const auto text = [&](const char* name) {
    return properties.contains(name) && properties[name].is_string() ? properties[name].get<std::string>()
                                                                     : "";
  };
  execution.task = text("task_name");
  if (execution.task.empty()) execution.task = text("display_name");
  execution.pod_name = text("pod_name");
  return execution;
}

Artifact artifact_of(pbf_reader message) {
  Artifact artifact;
  while (message.next()) {
    switch (message.tag()) {
      case field::kId:
        artifact.id = message.get_int64();
        break;
      case field::kUri:
        artifact.uri = message.get_string();
        break;
      case field::kArtifactType:
        artifact.type = message.get_string();
        break;
      case field::kCustomProperties:
        add_entry(message.get_message(), artifact.metadata, value_of);
        break;
      default:
        message.skip();
    }
  }
  return artifact;
}

struct Event {
  std::int64_t artifact = 0, execution = 0;
  int type = 0;
  std::string name;
};

Event event_of(pbf_reader message) {
  Event event;
  while (message.next()) {
    switch (message.tag()) {
      case field::kEventArtifact:
        event.artifact = message.get_int64();
        break;
      case field::kEventExecution:
        event.execution = message.get_int64();
        break;
      case field::kEventType:
        event.type = message.get_enum();
        break;
      case field::kEventPath: {
        pbf_reader path = message.get_message();
        while (path.next(field::kSteps)) {
          pbf_reader step = path.get_message();
          while (step.next(field::kStepKey)) event.name = step.get_string();
        }
        break;
      }
      default:
        message.skip();
    }
  }
  return event;
}

template <class Read>
auto items_of(const std::string& answer, const Read& read) {
  std::vector<decltype(read(std::declval<pbf_reader>()))> items;
  pbf_reader message(answer);
  while (message.next(kItems)) items.push_back(read(message.get_message()));
  return items;
}

template <class Container>
std::string ids_message(const Container& ids) {
  std::string message;
  protozero::pbf_builder<Ids> builder(message);
  for (const std::int64_t id : ids) builder.add_int64(Ids::kIds, id);
  return message;
}

// The scheme and the host of an address.
std::string host_of(const std::string& server) {
  const std::size_t host = server.find("://");
  return host == std::string::npos ? server : server.substr(0, server.find('/', host + 3));
}

HttpOptions for_metadata(HttpOptions options) {
  options.server = host_of(options.server);
  options.words.api = "ML Metadata";
  options.words.address =
      "the context must have the address of Kubeflow's pages, whose host also serves /ml_metadata: not that "
      "of "
      "the bare API server";
  options.words.missing = options.words.address;
  return options;
}

}  // namespace

Metadata::Metadata(HttpOptions options) : http_(for_metadata(std::move(options))) {}

// One call: a frame with the message there; a frame with the answer, and one with the status, back.
std::string Metadata::ask(const char* method, const std::string& message) {
  const std::string answer = http_.text({.method = "POST",
                                         .path = std::string("/ml_metadata.MetadataStoreService/") + method,
                                         .content_type = "application/grpc-web+proto",
                                         .raw = grpc_frame(message),
                                         .idempotent = true});
  const auto fail = [&](const std::string& reason) {
    throw core::InputError({.message = fmt::format("{} of ML Metadata fails: {}", method, reason),
                            .file = http_.options().server,
                            .hint = http_.options().words.address});
  };
  std::string data, trailer;
  for (std::size_t at = 0; at < answer.size();) {
    if (answer.size() - at < 5) fail("the answer is not gRPC-Web");
    std::size_t length = 0;
    for (std::size_t i = 1; i < 5; ++i) length = length << 8 | static_cast<unsigned char>(answer[at + i]);
    if (answer.size() - at - 5 < length) fail("the answer is not gRPC-Web, or it is cut off");
    (static_cast<unsigned char>(answer[at]) & 0x80 ? trailer : data) += answer.substr(at + 5, length);
    at += 5 + length;
  }
  const std::size_t status = trailer.find("grpc-status:");
  if (status == std::string::npos) fail("the answer has no status");
  if (std::atoi(trailer.c_str() + status + 12) != 0) {
    const std::size_t reason = trailer.find("grpc-message:");
    fail(reason == std::string::npos
             ? "status" + trailer.substr(status + 12)
             : trailer.substr(reason + 13, trailer.find_first_of("\r\n", reason) - reason - 13));
  }
  return data;
}

std::vector<Execution> Metadata::executions(const std::string& run_id) try {
  std::string question;
  {
    protozero::pbf_builder<ContextRequest> builder(question);
    builder.add_string(ContextRequest::kTypeName, "system.PipelineRun");
    builder.add_string(ContextRequest::kName, run_id);
  }
  const auto contexts = items_of(ask("GetContextByTypeAndName", question), [](pbf_reader message) {
    std::int64_t id = 0;
    while (message.next(field::kId)) id = message.get_int64();
    return id;
  });
  if (contexts.empty()) return {};
  question.clear();
  protozero::pbf_builder<ExecutionsRequest>(question).add_int64(ExecutionsRequest::kContextId,
                                                                contexts.front());
  std::vector<Execution> executions = items_of(ask("GetExecutionsByContext", question), execution_of);
  std::sort(executions.begin(), executions.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  if (executions.empty()) return executions;

  std::vector<std::int64_t> ids;
  ids.reserve(executions.size());
  for (const Execution& execution : executions) ids.push_back(execution.id);
  const std::vector<Event> events = items_of(ask("GetEventsByExecutionIDs", ids_message(ids)), event_of);
  std::set<std::int64_t> wanted;
  for (const Event& event : events)
    if (event.type == kOutput) wanted.insert(event.artifact);
  std::map<std::int64_t, Artifact> artifacts;
  if (!wanted.empty())
    for (Artifact& artifact : items_of(ask("GetArtifactsByID", ids_message(wanted)), artifact_of))
      artifacts[artifact.id] = std::move(artifact);
  for (Execution& execution : executions) {
    for (const Event& event : events) {
      const auto artifact = artifacts.find(event.artifact);
      if (event.type != kOutput || event.execution != execution.id || artifact == artifacts.end()) continue;
      execution.outputs.push_back(artifact->second);
      execution.outputs.back().name = event.name;
    }
    std::sort(execution.outputs.begin(), execution.outputs.end(), [](const Artifact& a, const Artifact& b) {
      return std::tie(a.name, a.id) < std::tie(b.name, b.id);
    });
  }
  // The run itself and its DAGs have executions without a task of their own.
  std::erase_if(executions, [](const Execution& execution) { return execution.task.empty(); });
  return executions;
} catch (const protozero::exception&) {
  throw core::InputError({.message = "an answer of ML Metadata is not the message that it should be",
                          .file = http_.options().server});
}

std::vector<Execution> Metadata::latest_executions(const std::string& run_id) {
  std::vector<Execution> executions = this->executions(run_id);
  std::map<std::string, std::int64_t> latest;
  for (const Execution& execution : executions)
    if (!execution.outputs.empty() || !latest.contains(execution.task)) latest[execution.task] = execution.id;
  std::erase_if(executions, [&](const Execution& one) { return latest.at(one.task) != one.id; });
  return executions;
}

}  // namespace kfp::client
