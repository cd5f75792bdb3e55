#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <pugixml.hpp>
#include <set>
#include <string_view>

#include "core/error.h"
#include "core/staged_output.h"
#include "storage/detail/backends.h"
#include "storage/fault.h"
#include "storage/http.h"

namespace storage {
namespace {

namespace fs = std::filesystem;

struct Address {
  std::string server;  // "https://host:1234"
  std::string path;    // "/folder/file", as in the URL
  std::string query;   // "?…"; or empty

  explicit Address(const std::string& url) {
    const std::size_t slash = url.find('/', url.find("://") + 3), question = url.find('?');
    server = url.substr(0, std::min(slash, question));
    if (question != std::string::npos) query = url.substr(question);
    path = slash < question ? url.substr(slash, question - slash) : "/";
  }
  std::string url() const { return server + percent_encoded(path, "/%:@!$&'()*+,;=") + query; }
};

std::string first_line(const std::string& text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

// WLCG's discovery of bearer tokens: the environment, then files of the session and the user.
std::string bearer_token() {
  if (const char* token = std::getenv("BEARER_TOKEN"); token != nullptr && *token != '\0') return token;
  if (const char* file = std::getenv("BEARER_TOKEN_FILE"); file != nullptr && *file != '\0')
    return first_line(core::read_file(file));
  std::error_code error;
  const std::string name = fmt::format("bt_u{}", ::geteuid());
  const char* session = std::getenv("XDG_RUNTIME_DIR");
  for (const fs::path& folder : {fs::path(session == nullptr ? "" : session), fs::path("/tmp")})
    if (!folder.empty() && fs::is_regular_file(folder / name, error))
      return first_line(core::read_file(folder / name));
  return "";
}

bool is_local_part(const pugi::xml_node& node, std::string_view name) {
  const std::string_view full = node.name();
  return full.substr(full.find(':') == std::string_view::npos ? 0 : full.find(':') + 1) == name;
}

// First descendant with this name in any namespace.
pugi::xml_node within(const pugi::xml_node& node, std::string_view name) {
  return node.find_node([&](const pugi::xml_node& inner) { return is_local_part(inner, name); });
}

std::string version_of(const std::string& tag, const std::string& time) {
  return tag.empty() ? time : tag;
}

class WebSource final : public Source {
 public:
  WebSource(Http& http, std::string url, std::function<HttpRequest(const std::string&)> request,
            core::RemoteStatus status)
      : http_(http), url_(std::move(url)), request_(std::move(request)), status_(std::move(status)) {}

  std::uint64_t size_bytes() const override { return status_.size_bytes; }
  std::string version() const override { return status_.version; }
  void read(std::span<const core::RemotePiece> pieces) override {
    read_ranges(
        http_, [&] { return request_(url_); }, status_.size_bytes, pieces);
  }

 private:
  Http& http_;
  std::string url_;
  std::function<HttpRequest(const std::string&)> request_;
  core::RemoteStatus status_;
};

class WebBackend final : public Backend {
 public:
  explicit WebBackend(const Settings& settings) : http_(settings) {}

  std::optional<core::RemoteStatus> status(const std::string& url) override {
    const Address address(url);
    // A signed URL permits one kind of request only.
    if (address.query.empty()) {
      const HttpAnswer answer = propfind(address, "0");
      if (answer.status == 404) return std::nullopt;
      if (answer.status == 401) refuse(answer, "");
      if (answer.status == 207) {
        const auto found = entries(answer, address, true);
        if (!found.empty()) return found.front().status;
      }
    }
    return status_of_file(address);
  }

  std::vector<core::RemoteEntry> files_in(const std::string& url) override {
    std::vector<core::RemoteEntry> files;
    std::set<std::string> seen;
    add_files(Address(url), "", files, seen);
    return files;
  }

  std::optional<std::string> checksum(const std::string& url) override {
    const Address address(url);
    if (!address.query.empty()) return std::nullopt;
    HttpRequest request = request_for(address.url());
    request.method = "HEAD";
    request.headers.emplace_back("Want-Digest: adler32");
    const HttpAnswer answer = http_.perform(request);
    const std::string digest = answer.header("digest");
    if (answer.status != 200 || digest.empty()) return std::nullopt;
    return digest;
  }

  std::unique_ptr<Source> open(const std::string& url) override {
    const Address address(url);
    const auto there = status(url);
    if (!there) throw Fault(Fault::Kind::kMissing, "nothing is there");
    if (there->is_folder) throw Fault(Fault::Kind::kWrongKind, "it is a folder");
    return std::make_unique<WebSource>(
        http_, address.url(), [this](const std::string& at) { return request_for(at); }, *there);
  }

  std::unique_ptr<Sender> upload(const std::string& url, bool) override {
    throw core::UsageError({.message = "can only be read",
                            .file = url,
                            .hint = "write to root:// (EOS), s3:// or a local path"});
  }

  std::string login_hint() const override {
    return "name a file with a token in BEARER_TOKEN_FILE (htgettoken, oidc-agent), or use a signed URL";
  }

 private:
  HttpRequest request_for(const std::string& url) const {
    HttpRequest request{.url = url, .follow_redirects = true};
    const bool is_secret = url.starts_with("https://") || url.starts_with("http://127.0.0.1:") ||
                           url.starts_with("http://127.0.0.1/");
    if (url.find('?') == std::string::npos && is_secret)
      if (const std::string token = bearer_token(); !token.empty())
        request.headers.push_back("Authorization: Bearer " + token);
    return request;
  }

  HttpAnswer propfind(const Address& address, const char* depth) {
    HttpRequest request = request_for(address.url());
    request.method = "PROPFIND";
    request.headers.push_back(std::string("Depth: ") + depth);
    return http_.perform(request);
  }

  // Size from the answer to a request of the first byte.
  std::optional<core::RemoteStatus> status_of_file(const Address& address) {
    HttpRequest request = request_for(address.url());
    request.headers.emplace_back("Range: bytes=0-0");
    request.sink = [](std::span<const std::byte> bytes) { return bytes.size() <= 1; };
    const HttpAnswer answer = http_.perform(request);
    if (answer.status == 404 || answer.status == 410) return std::nullopt;
    core::RemoteStatus status{.version = version_of(answer.header("etag"), answer.header("last-modified"))};
    const std::string range = answer.header("content-range");
    const std::string size =
        range.substr(range.find('/') == std::string::npos ? range.size() : range.find('/') + 1);
    if (answer.status == 416 && (size == "0" || range.empty())) return status;
    if (answer.status == 200)
      throw Fault(Fault::Kind::kRefused, "the server does not send parts of a file; download it first");
    if (answer.status != 206) refuse(answer, "");
    if (size.empty() || size.find_first_not_of("0123456789") != std::string::npos)
      throw Fault(Fault::Kind::kRefused, "the server does not tell the size of the file; download it first");
    status.size_bytes = std::stoull(size);
    return status;
  }

  // What an answer to PROPFIND lists. Names are relative to the address.
  // @param itself  only the entry of the address; else all others
  static std::vector<core::RemoteEntry> entries(const HttpAnswer& answer, const Address& address,
                                                bool itself) {
    pugi::xml_document document;
    if (!document.load_buffer(answer.body.data(), answer.body.size()))
      throw Fault(Fault::Kind::kRefused, "the server's list is not XML");
    std::vector<core::RemoteEntry> all;
    std::string base = percent_decoded(address.path);
    while (base.ends_with('/')) base.pop_back();
    for (const pugi::xml_node response : document.document_element().children()) {
      if (!is_local_part(response, "response")) continue;
      std::string path = within(response, "href").text().as_string();
      if (const std::size_t scheme = path.find("://"); scheme != std::string::npos) path = Address(path).path;
      path = percent_decoded(path);
      while (path.ends_with('/')) path.pop_back();
      if ((path == base) != itself) continue;
      core::RemoteEntry entry{.name = path.substr(path.rfind('/') + 1)};
      entry.status.is_folder = static_cast<bool>(within(within(response, "resourcetype"), "collection"));
      entry.status.size_bytes = within(response, "getcontentlength").text().as_ullong();
      entry.status.version = version_of(within(response, "getetag").text().as_string(),
                                        within(response, "getlastmodified").text().as_string());
      all.push_back(std::move(entry));
    }
    return all;
  }

  void add_files(const Address& folder, const std::string& before, std::vector<core::RemoteEntry>& files,
                 std::set<std::string>& seen) {
    if (!seen.insert(folder.path).second) return;
    Address slash = folder;
    if (!slash.path.ends_with('/')) slash.path += '/';
    const HttpAnswer answer = propfind(slash, "1");
    if (answer.status == 405 || answer.status == 501)
      throw Fault(Fault::Kind::kRefused, "the server does not list folders (WebDAV)");
    if (answer.status != 207) refuse(answer, "");
    for (core::RemoteEntry& entry : entries(answer, folder, false)) {
      const std::string name = before + entry.name;
      if (entry.status.is_folder) {
        Address inside = slash;
        inside.path += percent_encoded(entry.name);
        add_files(inside, name + '/', files, seen);
      } else {
        files.push_back({.name = name, .status = entry.status});
      }
    }
  }

  Http http_;
};

}  // namespace

std::unique_ptr<Backend> web_backend(const Settings& settings) {
  return std::make_unique<WebBackend>(settings);
}

}  // namespace storage
