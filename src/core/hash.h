#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace core {

/// SHA-256 of some bytes, as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

/// SHA-256 of a file's content, or of a folder: the hash over the sorted relative names of its files and
/// their hashes, so that it does not depend on where the folder lies. Hidden files are left out; links to
/// folders are followed.
/// @throws InputError if the path is missing or unreadable
std::string sha256_of_path(const std::filesystem::path& path);

/// A hash of the names, sizes and times of modification of a file or of a folder's files: tells within
/// milliseconds that data of any size have changed, without reading them. Hidden files are left out;
/// links to folders are followed.
/// @throws InputError if the path is missing
std::string fingerprint_of_path(const std::filesystem::path& path);

}  // namespace core
