#include "kfp/client/katib.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <protozero/pbf_writer.hpp>

#include "core/clock.h"
#include "kfp/client/detail/grpc_frame.h"

namespace kfp::client {
namespace {

// Numbers of the fields in api.proto.
namespace field {
constexpr protozero::pbf_tag_type kTrialName = 1, kObservationLog = 2;  // ReportObservationLogRequest
constexpr protozero::pbf_tag_type kMetricLogs = 1;                      // ObservationLog
constexpr protozero::pbf_tag_type kTimeStamp = 1, kMetric = 2;          // MetricLog
constexpr protozero::pbf_tag_type kName = 1, kValue = 2;                // Metric
}  // namespace field

std::string request(const std::string& trial, const std::map<std::string, double>& numbers) {
  std::string log;
  protozero::pbf_writer lines(log);
  for (const auto& [name, value] : numbers) {
    protozero::pbf_writer line(lines, field::kMetricLogs);
    line.add_string(field::kTimeStamp, katib_time());
    protozero::pbf_writer metric(line, field::kMetric);
    metric.add_string(field::kName, name);
    metric.add_string(field::kValue, fmt::format("{}", value));
  }
  std::string bytes;
  protozero::pbf_writer message(bytes);
  message.add_string(field::kTrialName, trial);
  message.add_message(field::kObservationLog, log);
  return bytes;
}

}  // namespace

std::string katib_time() {
  const double now = core::now_s(), seconds = std::floor(now);
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm utc{};
  ::gmtime_r(&whole, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     static_cast<int>((now - seconds) * 1e6));
}

void report_to_katib(const std::string& address, const std::string& trial,
                     const std::map<std::string, double>& numbers, Retries retries) {
  HttpOptions options{.server = "http://" + address, .http2 = true, .retries = retries};
  options.words.api = "Katib's DB manager";
  Http http(std::move(options));
  // The same numbers twice change nothing: Katib takes the latest ones.
  const std::string answer = http.text({.method = "POST",
                                        .path = "/api.v1.beta1.DBManager/ReportObservationLog",
                                        .content_type = "application/grpc",
                                        .raw = grpc_frame(request(trial, numbers)),
                                        .idempotent = true});
  // An error has its status in the headers, and no message.
  if (answer.size() < 5)
    throw core::UnavailableError(
        {.message = fmt::format("Katib's DB manager does not take the numbers of {}", trial),
         .file = address,
         .hint = "its log says why: kubectl logs -n kubeflow deployment/katib-db-manager"});
}

}  // namespace kfp::client
