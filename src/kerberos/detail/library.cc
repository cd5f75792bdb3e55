#include "kerberos/detail/library.h"

#include "core/system_library.h"

namespace kerberos {
namespace {

Krb5Library load() {
  const core::SystemLibrary library({.name = "libkrb5",
                                     .file = "libkrb5.so.3",
                                     .hint = "install it (Debian: libkrb5-3)",
                                     .newer = "install MIT's libkrb5 1.12 or newer (Debian: libkrb5-3)"});
  Krb5Library krb5{};
  library.find("krb5_init_context", krb5.init_context);
  library.find("krb5_free_context", krb5.free_context);
  library.find("krb5_get_error_message", krb5.get_error_message);
  library.find("krb5_free_error_message", krb5.free_error_message);
  library.find("krb5_cc_default_name", krb5.cc_default_name);
  library.find("krb5_cc_resolve", krb5.cc_resolve);
  library.find("krb5_cc_close", krb5.cc_close);
  library.find("krb5_cc_initialize", krb5.cc_initialize);
  library.find("krb5_cc_get_principal", krb5.cc_get_principal);
  library.find("krb5_cc_store_cred", krb5.cc_store_cred);
  library.find("krb5_cc_copy_creds", krb5.cc_copy_creds);
  library.find("krb5_cc_start_seq_get", krb5.cc_start_seq_get);
  library.find("krb5_cc_next_cred", krb5.cc_next_cred);
  library.find("krb5_cc_end_seq_get", krb5.cc_end_seq_get);
  library.find("krb5_free_cred_contents", krb5.free_cred_contents);
  library.find("krb5_free_principal", krb5.free_principal);
  library.find("krb5_parse_name", krb5.parse_name);
  library.find("krb5_unparse_name", krb5.unparse_name);
  library.find("krb5_free_unparsed_name", krb5.free_unparsed_name);
  library.find("krb5_copy_principal", krb5.copy_principal);
  library.find("krb5_get_renewed_creds", krb5.get_renewed_creds);
  library.find("krb5_kt_resolve", krb5.kt_resolve);
  library.find("krb5_kt_close", krb5.kt_close);
  library.find("krb5_kt_start_seq_get", krb5.kt_start_seq_get);
  library.find("krb5_kt_next_entry", krb5.kt_next_entry);
  library.find("krb5_kt_end_seq_get", krb5.kt_end_seq_get);
  library.find("krb5_free_keytab_entry_contents", krb5.free_keytab_entry_contents);
  library.find("krb5_get_init_creds_keytab", krb5.get_init_creds_keytab);
  library.find("krb5_get_init_creds_opt_alloc", krb5.get_init_creds_opt_alloc);
  library.find("krb5_get_init_creds_opt_free", krb5.get_init_creds_opt_free);
  library.find("krb5_get_init_creds_opt_set_tkt_life", krb5.get_init_creds_opt_set_tkt_life);
  library.find("krb5_get_init_creds_opt_set_renew_life", krb5.get_init_creds_opt_set_renew_life);
  library.find("krb5_get_init_creds_opt_set_forwardable", krb5.get_init_creds_opt_set_forwardable);
  return krb5;
}

}  // namespace

const Krb5Library& krb5() {
  static const Krb5Library library = load();
  return library;
}

}  // namespace kerberos
