#include "kerberos/detail/library.h"

#include <dlfcn.h>

#include <string>

#include "core/error.h"

namespace kerberos {
namespace {

template <class Function>
void find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (function == nullptr)
    throw core::UnavailableError({.message = std::string("libkrb5 has no ") + name,
                                  .hint = "install MIT's libkrb5 1.12 or newer (Debian: libkrb5-3)"});
}

Krb5Library load() {
  // Never closed, because it has its own plugins.
  void* library = ::dlopen("libkrb5.so.3", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    throw core::UnavailableError({.message = std::string("libkrb5 cannot be loaded: ") + ::dlerror(),
                                  .hint = "install it (Debian: libkrb5-3)"});
  Krb5Library krb5{};
  find(library, "krb5_init_context", krb5.init_context);
  find(library, "krb5_free_context", krb5.free_context);
  find(library, "krb5_get_error_message", krb5.get_error_message);
  find(library, "krb5_free_error_message", krb5.free_error_message);
  find(library, "krb5_cc_default_name", krb5.cc_default_name);
  find(library, "krb5_cc_resolve", krb5.cc_resolve);
  find(library, "krb5_cc_close", krb5.cc_close);
  find(library, "krb5_cc_initialize", krb5.cc_initialize);
  find(library, "krb5_cc_get_principal", krb5.cc_get_principal);
  find(library, "krb5_cc_store_cred", krb5.cc_store_cred);
  find(library, "krb5_cc_copy_creds", krb5.cc_copy_creds);
  find(library, "krb5_cc_start_seq_get", krb5.cc_start_seq_get);
  find(library, "krb5_cc_next_cred", krb5.cc_next_cred);
  find(library, "krb5_cc_end_seq_get", krb5.cc_end_seq_get);
  find(library, "krb5_free_cred_contents", krb5.free_cred_contents);
  find(library, "krb5_free_principal", krb5.free_principal);
  find(library, "krb5_parse_name", krb5.parse_name);
  find(library, "krb5_unparse_name", krb5.unparse_name);
  find(library, "krb5_free_unparsed_name", krb5.free_unparsed_name);
  find(library, "krb5_copy_principal", krb5.copy_principal);
  find(library, "krb5_get_renewed_creds", krb5.get_renewed_creds);
  find(library, "krb5_kt_resolve", krb5.kt_resolve);
  find(library, "krb5_kt_close", krb5.kt_close);
  find(library, "krb5_kt_start_seq_get", krb5.kt_start_seq_get);
  find(library, "krb5_kt_next_entry", krb5.kt_next_entry);
  find(library, "krb5_kt_end_seq_get", krb5.kt_end_seq_get);
  find(library, "krb5_free_keytab_entry_contents", krb5.free_keytab_entry_contents);
  find(library, "krb5_get_init_creds_keytab", krb5.get_init_creds_keytab);
  find(library, "krb5_get_init_creds_opt_alloc", krb5.get_init_creds_opt_alloc);
  find(library, "krb5_get_init_creds_opt_free", krb5.get_init_creds_opt_free);
  find(library, "krb5_get_init_creds_opt_set_tkt_life", krb5.get_init_creds_opt_set_tkt_life);
  find(library, "krb5_get_init_creds_opt_set_renew_life", krb5.get_init_creds_opt_set_renew_life);
  find(library, "krb5_get_init_creds_opt_set_forwardable", krb5.get_init_creds_opt_set_forwardable);
  return krb5;
}

}  // namespace

const Krb5Library& krb5() {
  static const Krb5Library library = load();
  return library;
}

}  // namespace kerberos
