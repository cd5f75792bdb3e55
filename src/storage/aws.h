#pragma once

#include <map>
#include <string>
#include <vector>

namespace storage {

/// Where S3 is, and the login: from the same variables and files as for the AWS tools.
struct AwsSettings {
  std::string access_key;  ///< empty: requests are not signed (public data)
  std::string secret_key;
  std::string session_token;
  std::string region;
  std::string endpoint;  ///< "https://s3.example.org", without a slash at the end

  /// Reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION,
  /// AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, and the profile in
  /// AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE (~/.aws/config).
  /// @param endpoint  in place of the environment's, if not empty
  /// @throws core::UsageError for a profile that does not exist, and an endpoint that is no web address
  static AwsSettings read(const std::string& endpoint = {});
};

/// A request as Signature Version 4 sees it.
struct AwsRequest {
  std::string method;
  std::string host;  ///< with the port if it is not the usual one
  std::string path;  ///< percent-encoded
  std::map<std::string, std::string> query;
  std::string payload_sha256;
  std::map<std::string, std::string> headers = {};  ///< further ones, names in lower case
};

/// "a=1&b=" with all names and values percent-encoded.
std::string query_text(const std::map<std::string, std::string>& query);

/// Header lines that sign the request for the service s3 (AWS, "Signature Version 4").
/// @param time  UTC, as in "20130524T000000Z"
std::vector<std::string> signed_headers(const AwsRequest& request, const AwsSettings& settings,
                                        const std::string& time);

}  // namespace storage
