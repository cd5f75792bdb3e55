#include "kerberos/ticket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

#include "core/error.h"
#include "kerberos/detail/library.h"

namespace kerberos {
namespace fs = std::filesystem;
namespace {

// Times of Kerberos are 32 bits, and are read as unsigned, up to the year 2106.
double seconds(krb5_timestamp time) {
  return static_cast<double>(static_cast<std::uint32_t>(time));
}

class Context {
 public:
  Context() {
    if (krb5().init_context(&context_) != 0)
      throw core::UnavailableError({.message = "the configuration of Kerberos cannot be read",
                                    .hint = "check /etc/krb5.conf or KRB5_CONFIG"});
  }
  ~Context() { krb5().free_context(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Does nothing if the code is 0.
  void check(krb5_error_code code, const std::string& what, const std::string& where,
             const std::string& hint = {}) const {
    if (code == 0) return;
    const char* text = krb5().get_error_message(context_, code);
    const std::string reason = text;
    krb5().free_error_message(context_, text);
    throw core::UnavailableError(
        {.message = fmt::format("{}: {}", what, reason), .file = where, .hint = hint});
  }
  krb5_context get() const { return context_; }
  std::string text(krb5_const_principal principal) const {
    char* name = nullptr;
    check(krb5().unparse_name(context_, principal, &name), "a name cannot be read", "");
    std::string result = name;
    krb5().free_unparsed_name(context_, name);
    return result;
  }

 private:
  krb5_context context_ = nullptr;
};

// A name, freed at the end.
class Principal {
 public:
  explicit Principal(const Context& context) : context_(context) {}
  ~Principal() {
    if (principal_ != nullptr) krb5().free_principal(context_.get(), principal_);
  }
  Principal(const Principal&) = delete;
  Principal& operator=(const Principal&) = delete;
  krb5_principal* out() { return &principal_; }
  krb5_principal get() const { return principal_; }

 private:
  const Context& context_;
  krb5_principal principal_ = nullptr;
};

class Credentials {
 public:
  explicit Credentials(const Context& context) : context_(context) {}
  ~Credentials() { krb5().free_cred_contents(context_.get(), &credentials_); }
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  krb5_creds* get() { return &credentials_; }

 private:
  const Context& context_;
  krb5_creds credentials_{};
};

class Cache {
 public:
  Cache(const Context& context, const std::string& name) : context_(context), name_(name) {
    context.check(krb5().cc_resolve(context.get(), name.c_str(), &cache_), "is not a credential cache", name);
  }
  ~Cache() { krb5().cc_close(context_.get(), cache_); }
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  krb5_ccache get() const { return cache_; }
  const std::string& name() const { return name_; }

  void read_principal(Principal& principal) const {
    context_.check(krb5().cc_get_principal(context_.get(), cache_, principal.out()), "has no ticket", name_,
                   "get one with kinit");
  }

 private:
  const Context& context_;
  std::string name_;
  krb5_ccache cache_ = nullptr;
};

Ticket ticket_of(const Context& context, const krb5_creds& credentials) {
  Ticket ticket{.principal = context.text(credentials.client),
                .start_s = seconds(credentials.times.starttime),
                .end_s = seconds(credentials.times.endtime)};
  if (ticket.start_s == 0) ticket.start_s = seconds(credentials.times.authtime);
  if ((credentials.ticket_flags & TKT_FLG_RENEWABLE) != 0)
    ticket.renew_until_s = seconds(credentials.times.renew_till);
  return ticket;
}

Ticket ticket_in(const Context& context, const Cache& cache) {
  Principal owner(context);
  cache.read_principal(owner);
  const std::string name = context.text(owner.get());
  const std::string realm = name.substr(name.rfind('@') + 1);
  const std::string wanted = fmt::format("krbtgt/{}@{}", realm, realm);
  krb5_cc_cursor cursor = nullptr;
  context.check(krb5().cc_start_seq_get(context.get(), cache.get(), &cursor), "cannot be read", cache.name());
  std::optional<Ticket> found;
  while (true) {
    Credentials one(context);
    if (krb5().cc_next_cred(context.get(), cache.get(), &cursor, one.get()) != 0) break;
    if (context.text(one.get()->server) != wanted) continue;
    const Ticket ticket = ticket_of(context, *one.get());
    if (!found || ticket.end_s > found->end_s) found = ticket;
  }
  krb5().cc_end_seq_get(context.get(), cache.get(), &cursor);
  if (!found)
    throw core::UnavailableError(
        {.message = "has no ticket-granting ticket", .file = cache.name(), .hint = "get one with kinit"});
  return *found;
}

// A cache in a new file next to `to`, which becomes `to` when it is complete. Only the user can read it.
class NewCacheFile {
 public:
  explicit NewCacheFile(const fs::path& to) : to_(to) {
    std::string name = (to.parent_path() / (".krb5cc-XXXXXX")).string();
    const int file = ::mkostemp(name.data(), O_CLOEXEC);  // mode 600
    if (file < 0) fail("cannot be written");
    ::close(file);
    path_ = name;
  }
  ~NewCacheFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  NewCacheFile(const NewCacheFile&) = delete;
  NewCacheFile& operator=(const NewCacheFile&) = delete;

  std::string name() const { return "FILE:" + path_.string(); }
  void write(const std::string& content) const {
    std::ofstream file(path_, std::ios::binary);
    file << content;
    file.close();
    if (!file) fail("cannot be written");
  }
  void commit() {
    const int file = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) fail("cannot be written");
    const bool done = ::fchmod(file, S_IRUSR | S_IWUSR) == 0 && ::fsync(file) == 0;
    ::close(file);
    if (!done || ::rename(path_.c_str(), to_.c_str()) != 0) fail("cannot be written");
    path_.clear();
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw core::UnavailableError(
        {.message = fmt::format("{}: {}", message, std::strerror(errno)), .file = to_});
  }

  fs::path to_, path_;
};

Ticket store(const Context& context, krb5_creds& credentials, const fs::path& to) {
  NewCacheFile file(to);
  const Cache cache(context, file.name());
  context.check(krb5().cc_initialize(context.get(), cache.get(), credentials.client), "cannot be written",
                to);
  context.check(krb5().cc_store_cred(context.get(), cache.get(), &credentials), "cannot be written", to);
  file.commit();
  return ticket_of(context, credentials);
}

void find_principal(const Context& context, krb5_keytab keytab, const fs::path& file, Principal& found) {
  const auto fail = [&](const char* message) { throw core::InputError({.message = message, .file = file}); };
  krb5_kt_cursor cursor = nullptr;
  if (krb5().kt_start_seq_get(context.get(), keytab, &cursor) != 0) fail("is not a keytab");
  krb5_keytab_entry entry{};
  const bool has_one = krb5().kt_next_entry(context.get(), keytab, &entry, &cursor) == 0;
  if (has_one) {
    const krb5_error_code code = krb5().copy_principal(context.get(), entry.principal, found.out());
    krb5().free_keytab_entry_contents(context.get(), &entry);
    context.check(code, "cannot be read", file);
  }
  krb5().kt_end_seq_get(context.get(), keytab, &cursor);
  if (!has_one) fail("has no keys");
}

}  // namespace

std::string default_cache() {
  const Context context;
  return krb5().cc_default_name(context.get());
}

fs::path cache_file(const std::string& cache) {
  if (cache.starts_with("FILE:")) return cache.substr(5);
  if (cache.starts_with('/')) return cache;
  if (cache.find(':') != std::string::npos)
    throw core::UsageError(
        {.message = "is not a cache in a file", .field = cache, .hint = "give a file, as FILE:/tmp/krb5cc"});
  return fs::absolute(cache);
}

Ticket read_ticket(const std::string& cache) {
  const Context context;
  return ticket_in(context, Cache(context, cache));
}

Ticket copy_ticket(const std::string& from, const fs::path& to) {
  const Context context;
  const Cache source(context, from);
  Ticket ticket = ticket_in(context, source);
  Principal owner(context);
  source.read_principal(owner);
  NewCacheFile file(to);
  const Cache target(context, file.name());
  context.check(krb5().cc_initialize(context.get(), target.get(), owner.get()), "cannot be written", to);
  context.check(krb5().cc_copy_creds(context.get(), source.get(), target.get()), "cannot be copied", from);
  file.commit();
  return ticket;
}

void write_private_file(const fs::path& to, const std::string& content) {
  NewCacheFile file(to);
  file.write(content);
  file.commit();
}

Ticket renew_ticket(const std::string& from, const fs::path& to) {
  const Context context;
  const Cache cache(context, from);
  Principal owner(context);
  cache.read_principal(owner);
  Credentials renewed(context);
  context.check(krb5().get_renewed_creds(context.get(), renewed.get(), owner.get(), cache.get(), nullptr),
                "the ticket cannot be renewed", from);
  return store(context, *renewed.get(), to);
}

Ticket ticket_from_keytab(const fs::path& file, const std::string& principal, TicketLife life,
                          const fs::path& to) {
  if (!fs::is_regular_file(file))
    throw core::InputError({.message = "there is no such keytab", .file = file});
  const Context context;
  struct Keytab {
    const Context& context;
    krb5_keytab keytab = nullptr;
    ~Keytab() {
      if (keytab != nullptr) krb5().kt_close(context.get(), keytab);
    }
  } keytab{context};
  context.check(krb5().kt_resolve(context.get(), ("FILE:" + file.string()).c_str(), &keytab.keytab),
                "is not a keytab", file);
  Principal client(context);
  find_principal(context, keytab.keytab, file, client);
  Principal named(context);
  if (!principal.empty())
    context.check(krb5().parse_name(context.get(), principal.c_str(), named.out()), "is not a principal",
                  principal);
  struct Options {
    const Context& context;
    krb5_get_init_creds_opt* options = nullptr;
    ~Options() { krb5().get_init_creds_opt_free(context.get(), options); }
  } options{context};
  context.check(krb5().get_init_creds_opt_alloc(context.get(), &options.options), "no memory", "");
  if (life.life_s > 0)
    krb5().get_init_creds_opt_set_tkt_life(options.options, static_cast<krb5_deltat>(life.life_s));
  if (life.renewable_s > 0)
    krb5().get_init_creds_opt_set_renew_life(options.options, static_cast<krb5_deltat>(life.renewable_s));
  krb5().get_init_creds_opt_set_forwardable(options.options, 1);
  Credentials given(context);
  context.check(
      krb5().get_init_creds_keytab(context.get(), given.get(), principal.empty() ? client.get() : named.get(),
                                   keytab.keytab, 0, nullptr, options.options),
      "the keytab gives no ticket", file);
  return store(context, *given.get(), to);
}

}  // namespace kerberos
