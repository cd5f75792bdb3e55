#pragma once

#include <memory>

#include "storage/backend.h"

namespace storage {

/// root://: XRootD's client, in the library libcalopipe-xrootd.so, which is loaded here.
/// @throws core::UnavailableError if it is missing
std::unique_ptr<Backend> xrootd_backend(const Settings& settings);

/// https://: ranges of files, folders by WebDAV; tokens from BEARER_TOKEN, BEARER_TOKEN_FILE and the other
/// places of WLCG's token discovery. For reading only.
std::unique_ptr<Backend> web_backend(const Settings& settings);

/// s3://BUCKET/KEY, with the environment variables and files of the AWS tools.
std::unique_ptr<Backend> s3_backend(const Settings& settings);

}  // namespace storage
