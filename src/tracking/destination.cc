#include "tracking/destination.h"

#include <fmt/format.h>

#include <cstdlib>

#include "core/error.h"
#include "core/text.h"

namespace tracking {
namespace {

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw core::UsageError({.message = message, .field = "--log", .hint = hint});
}

// A server may be slow, but a training must not wait for it.
constexpr double kConnectTimeoutS = 5, kCallTimeoutS = 10;

double call_timeout_s() {
  const double given_s = std::strtod(core::environment({"MLFLOW_HTTP_REQUEST_TIMEOUT"}).c_str(), nullptr);
  return given_s > 0 ? given_s : kCallTimeoutS;
}

}  // namespace

Destination Destination::parse(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string kind = text.substr(0, equals);
  if (kind != "mlflow")
    refuse(fmt::format("\"{}\" is not a place for records", kind),
           "mlflow=URL, for example mlflow=http://localhost:5000");
  std::string server = equals == std::string::npos ? core::environment({"MLFLOW_TRACKING_URI"})
                                                   : core::trimmed(text.substr(equals + 1));
  while (!server.empty() && server.back() == '/') server.pop_back();
  if (server.empty()) refuse("does not name a server", "mlflow=URL, or set MLFLOW_TRACKING_URI");
  if (!server.starts_with("http://") && !server.starts_with("https://"))
    refuse("the server's address must begin with https:// or http://",
           "files of MLflow without a server are not written: start one with mlflow server");
  if (server.find('@') != std::string::npos)
    refuse("the server's address contains a user or a password",
           "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD");
  if (server.find_first_of("?# \t\r\n") != std::string::npos)
    refuse("the server's address has more than an address", "mlflow=URL");
  std::string experiment = core::environment({"MLFLOW_EXPERIMENT_NAME"});
  if (experiment.empty()) experiment = "calopipe";
  return {.server = server, .experiment = experiment};
}

kfp::client::HttpOptions http_options(const std::string& server, int attempts) {
  kfp::client::HttpOptions options{
      .server = server, .connect_timeout_s = kConnectTimeoutS, .call_timeout_s = call_timeout_s()};
  options.retries.attempts = attempts;
  options.words = {
      .api = "the REST API of MLflow",
      .login = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
      .trust = "MLFLOW_TRACKING_SERVER_CERT_PATH names a file with the certificates of the site's authority",
      .permission = "ask for the permission to write to the experiment",
      .missing = "it may have been deleted",
      .address = "the address of the server is the part before /api/2.0/mlflow",
      .conflict = "use another name",
      .rejected = "see the server's log"};
  const std::string user = core::environment({"MLFLOW_TRACKING_USERNAME"});
  const std::string token = core::environment({"MLFLOW_TRACKING_TOKEN"});
  if (!user.empty() || !token.empty())
    options.credentials = [user, token] {
      kfp::client::Credentials credentials;
      if (user.empty())
        credentials.token = token;
      else
        credentials.user = {user, core::environment({"MLFLOW_TRACKING_PASSWORD"})};
      return credentials;
    };
  options.verify = core::environment({"MLFLOW_TRACKING_INSECURE_TLS"}) != "true";
  options.ca_file = core::environment({"MLFLOW_TRACKING_SERVER_CERT_PATH"});
  return options;
}

std::filesystem::path queue_folder(const std::filesystem::path& store) {
  const std::string folder = core::environment({kQueueVariable});
  return std::filesystem::absolute(folder.empty() ? store / "tracking" : std::filesystem::path(folder));
}

}  // namespace tracking
