#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace parallel {

/// Small values by name that all processes share while they connect.
struct KeyStore {
  std::function<void(const std::string& key, const std::vector<char>& value)> set;
  /// Waits until the value is there. @throws std::exception
  std::function<std::vector<char>(const std::string& key)> get;
};

/// Collective operations between connected processes. They throw exceptions of any kind if a process is gone
/// or the time limit is over.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  virtual void sum(std::span<float> values) = 0;
  virtual void sum(std::span<double> values) = 0;
  virtual void broadcast(std::span<std::byte> values) = 0;
  virtual void gather(std::span<float> values, std::span<const std::size_t> counts) = 0;
};

/// Everything that calopipe does with Gloo, in libcalopipe-gloo.so, which is loaded on first use.
class TransportModule {
 public:
  TransportModule() = default;
  TransportModule(const TransportModule&) = delete;
  TransportModule& operator=(const TransportModule&) = delete;
  virtual ~TransportModule() = default;

  /// Version of calopipe that the library was built from: other versions have other types.
  virtual std::string calopipe_version() const = 0;
  /// Connects all processes with each other.
  /// @param address  of this machine, at which the others reach it
  virtual std::unique_ptr<Transport> connect(int rank, int size, const std::string& address,
                                             const KeyStore& store, std::chrono::milliseconds join_limit,
                                             std::chrono::milliseconds limit) const = 0;
};

/// Type of the only symbol that libcalopipe-gloo.so exports.
using TransportEntry = const TransportModule* (*)();
constexpr const char* kTransportEntry = "calopipe_transport";
/// Environment variable with the path of the library.
constexpr const char* kTransportVariable = "CALOPIPE_GLOO_MODULE";

}  // namespace parallel
