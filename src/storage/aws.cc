#include "storage/aws.h"

#include <fmt/format.h>
#include <openssl/hmac.h>

#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "core/hash.h"
#include "core/staged_output.h"
#include "core/text.h"
#include "storage/http.h"

namespace storage {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, std::string>;

// Sections of an INI file, by name; those of ~/.aws/config are called "profile NAME".
std::map<std::string, Values> read_ini(const fs::path& file) {
  std::map<std::string, Values> sections;
  std::error_code error;
  if (file.empty() || !fs::is_regular_file(file, error)) return sections;
  std::istringstream lines(core::read_file(file));
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    // Indented lines belong to nested settings, of which none is used here.
    if (line.empty() || line[0] == '#' || line[0] == ';' || line[0] == ' ' || line[0] == '\t') continue;
    if (line[0] == '[') {
      section = core::trimmed(std::string_view(line).substr(1, line.find(']') - 1));
      if (section.starts_with("profile ")) section = core::trimmed(section.substr(8));
      sections[section];
    } else if (const std::size_t equals = line.find('='); equals != std::string::npos) {
      sections[section][core::trimmed(line.substr(0, equals))] = core::trimmed(line.substr(equals + 1));
    }
  }
  return sections;
}

fs::path file_of(const char* variable, const char* name) {
  if (const std::string given = core::environment({variable}); !given.empty()) return given;
  const std::string home = core::environment({"HOME"});
  return home.empty() ? fs::path() : fs::path(home) / ".aws" / name;
}

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

}  // namespace

AwsSettings AwsSettings::read(const std::string& endpoint) {
  const std::string wanted = core::environment({"AWS_PROFILE", "AWS_DEFAULT_PROFILE"});
  const std::string profile = wanted.empty() ? "default" : wanted;
  Values values;
  bool is_known = false;
  for (const fs::path& file :
       {file_of("AWS_CONFIG_FILE", "config"), file_of("AWS_SHARED_CREDENTIALS_FILE", "credentials")}) {
    const auto sections = read_ini(file);
    const auto found = sections.find(profile);
    if (found == sections.end()) continue;
    is_known = true;
    for (const auto& [name, value] : found->second) values[name] = value;
  }
  if (!wanted.empty() && !is_known)
    throw core::UsageError(
        {.message = fmt::format("names the profile \"{}\", which is in neither {} nor {}", wanted,
                                file_of("AWS_CONFIG_FILE", "config").string(),
                                file_of("AWS_SHARED_CREDENTIALS_FILE", "credentials").string()),
         .field = "AWS_PROFILE"});
  AwsSettings settings{.access_key = core::environment({"AWS_ACCESS_KEY_ID"}),
                       .secret_key = core::environment({"AWS_SECRET_ACCESS_KEY"}),
                       .session_token = core::environment({"AWS_SESSION_TOKEN"}),
                       .region = core::environment({"AWS_REGION", "AWS_DEFAULT_REGION"}),
                       .endpoint = !endpoint.empty()
                                       ? endpoint
                                       : core::environment({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"})};
  if (settings.access_key.empty()) {
    settings.access_key = values["aws_access_key_id"];
    settings.secret_key = values["aws_secret_access_key"];
    settings.session_token = values["aws_session_token"];
  }
  if (settings.region.empty()) settings.region = values["region"];
  if (settings.region.empty()) settings.region = "us-east-1";
  if (settings.endpoint.empty()) settings.endpoint = values["endpoint_url"];
  if (settings.endpoint.empty())
    settings.endpoint = fmt::format("https://s3.{}.amazonaws.com", settings.region);
  while (settings.endpoint.ends_with('/')) settings.endpoint.pop_back();
  if (!settings.endpoint.starts_with("https://") && !settings.endpoint.starts_with("http://"))
    throw core::UsageError(
        {.message = fmt::format("\"{}\" does not begin with https:// or http://", settings.endpoint),
         .field = endpoint.empty() ? "AWS_ENDPOINT_URL" : "s3_endpoint"});
  return settings;
}

std::string query_text(const std::map<std::string, std::string>& query) {
  std::string text;
  for (const auto& [name, value] : query)
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", percent_encoded(name), percent_encoded(value));
  return text;
}

std::vector<std::string> signed_headers(const AwsRequest& request, const AwsSettings& settings,
                                        const std::string& time) {
  Values headers = request.headers;
  headers["x-amz-content-sha256"] = request.payload_sha256;
  std::vector<std::string> lines;
  if (!settings.access_key.empty()) {
    headers["x-amz-date"] = time;
    if (!settings.session_token.empty()) headers["x-amz-security-token"] = settings.session_token;
    Values all = headers;
    all["host"] = request.host;
    std::string canonical, names;
    for (const auto& [name, value] : all) {
      canonical += fmt::format("{}:{}\n", name, value);
      names += (names.empty() ? "" : ";") + name;
    }
    const std::string whole =
        fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, query_text(request.query),
                    canonical, names, request.payload_sha256);
    const std::string day = time.substr(0, 8);
    const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, settings.region);
    const std::string text = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, core::sha256(whole));
    const std::string key =
        hmac(hmac(hmac(hmac("AWS4" + settings.secret_key, day), settings.region), "s3"), "aws4_request");
    lines.push_back(
        fmt::format("Authorization: AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                    settings.access_key, scope, names, hex(hmac(key, text))));
  }
  for (const auto& [name, value] : headers) lines.push_back(fmt::format("{}: {}", name, value));
  return lines;
}

}  // namespace storage
