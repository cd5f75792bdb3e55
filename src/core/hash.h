#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace core {

/// SHA-256 of `bytes`, as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

/// SHA-256 of a file's content, or of a folder: the hash of the sorted relative names of its files and their
/// hashes, so that it does not depend on the folder's path. Hidden files are left out; links to folders are
/// followed.
///
/// At a URL nothing is read: the hash is that of the content_id() (the server's checksum) of the file, or of
/// the names and content_id()s of the folder's files.
/// @throws InputError if the path is missing or unreadable
std::string sha256_of_path(const std::filesystem::path& path);

/// Hash of the names, sizes and modification times (at a URL: versions) of a file or of a folder's files. It
/// shows within milliseconds that data of any size have changed, without reading them. Hidden files are left
/// out; links to folders are followed.
/// @throws InputError if the path is missing
std::string fingerprint_of_path(const std::filesystem::path& path);

}  // namespace core
