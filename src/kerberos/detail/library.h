#pragma once

#include <krb5/krb5.h>

namespace kerberos {

/// The functions of libkrb5 used here. The library is loaded on first use, because few processes need it.
struct Krb5Library {
  decltype(&::krb5_init_context) init_context;
  decltype(&::krb5_free_context) free_context;
  decltype(&::krb5_get_error_message) get_error_message;
  decltype(&::krb5_free_error_message) free_error_message;
  decltype(&::krb5_cc_default_name) cc_default_name;
  decltype(&::krb5_cc_resolve) cc_resolve;
  decltype(&::krb5_cc_close) cc_close;
  decltype(&::krb5_cc_initialize) cc_initialize;
  decltype(&::krb5_cc_get_principal) cc_get_principal;
  decltype(&::krb5_cc_store_cred) cc_store_cred;
  decltype(&::krb5_cc_copy_creds) cc_copy_creds;
  decltype(&::krb5_cc_start_seq_get) cc_start_seq_get;
  decltype(&::krb5_cc_next_cred) cc_next_cred;
  decltype(&::krb5_cc_end_seq_get) cc_end_seq_get;
  decltype(&::krb5_free_cred_contents) free_cred_contents;
  decltype(&::krb5_free_principal) free_principal;
  decltype(&::krb5_parse_name) parse_name;
  decltype(&::krb5_unparse_name) unparse_name;
  decltype(&::krb5_free_unparsed_name) free_unparsed_name;
  decltype(&::krb5_copy_principal) copy_principal;
  decltype(&::krb5_get_renewed_creds) get_renewed_creds;
  decltype(&::krb5_kt_resolve) kt_resolve;
  decltype(&::krb5_kt_close) kt_close;
  decltype(&::krb5_kt_start_seq_get) kt_start_seq_get;
  decltype(&::krb5_kt_next_entry) kt_next_entry;
  decltype(&::krb5_kt_end_seq_get) kt_end_seq_get;
  decltype(&::krb5_free_keytab_entry_contents) free_keytab_entry_contents;
  decltype(&::krb5_get_init_creds_keytab) get_init_creds_keytab;
  decltype(&::krb5_get_init_creds_opt_alloc) get_init_creds_opt_alloc;
  decltype(&::krb5_get_init_creds_opt_free) get_init_creds_opt_free;
  decltype(&::krb5_get_init_creds_opt_set_tkt_life) get_init_creds_opt_set_tkt_life;
  decltype(&::krb5_get_init_creds_opt_set_renew_life) get_init_creds_opt_set_renew_life;
  decltype(&::krb5_get_init_creds_opt_set_forwardable) get_init_creds_opt_set_forwardable;
};

/// @throws core::UnavailableError if libkrb5 is not installed
const Krb5Library& krb5();

}  // namespace kerberos
