// The collective operations of Gloo over TCP.
#include <gloo/allgatherv.h>
#include <gloo/allreduce.h>
#include <gloo/broadcast.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/store.h>
#include <gloo/transport/tcp/device.h>

#include "core/provenance.h"
#include "parallel/detail/transport.h"

namespace parallel {
namespace {

class Store final : public gloo::rendezvous::Store {
 public:
  explicit Store(const KeyStore& store) : store_(store) {}
  void set(const std::string& key, const std::vector<char>& value) override { store_.set(key, value); }
  std::vector<char> get(const std::string& key) override { return store_.get(key); }
  void wait(const std::vector<std::string>& keys) override {
    for (const std::string& key : keys) static_cast<void>(store_.get(key));
  }

 private:
  const KeyStore& store_;
};

class GlooTransport final : public Transport {
 public:
  GlooTransport(int rank, int size, const std::string& address, const KeyStore& store,
                std::chrono::milliseconds join_limit, std::chrono::milliseconds limit)
      : rank_(rank), limit_(limit), context_(std::make_shared<gloo::rendezvous::Context>(rank, size)) {
    gloo::transport::tcp::attr attribute;
    attribute.hostname = address;
    auto device = gloo::transport::tcp::CreateDevice(attribute);
    Store shared(store);
    context_->setTimeout(join_limit);
    context_->connectFullMesh(shared, device);
    context_->setTimeout(limit);
  }
  GlooTransport(const GlooTransport&) = delete;
  GlooTransport& operator=(const GlooTransport&) = delete;
  ~GlooTransport() override { context_->closeConnections(); }

  void sum(std::span<float> values) override { sum_of(values); }
  void sum(std::span<double> values) override { sum_of(values); }

  void broadcast(std::span<std::byte> values) override {
    gloo::BroadcastOptions options(context_);
    options.setOutput(reinterpret_cast<char*>(values.data()), values.size());
    options.setRoot(0);
    options.setTag(next());
    options.setTimeout(limit_);
    gloo::broadcast(options);
  }

  void gather(std::span<float> values, std::span<const std::size_t> counts) override {
    gloo::AllgathervOptions options(context_);
    options.setOutput(values.data(), std::vector<std::size_t>(counts.begin(), counts.end()));
    options.setTag(next());
    options.setTimeout(limit_);
    gloo::allgatherv(options);
  }

 private:
  template <class Number>
  void sum_of(std::span<Number> values) {
    gloo::AllreduceOptions options(context_);
    options.setOutput(values.data(), values.size());
    void (*add)(void*, const void*, const void*, std::size_t) = &gloo::sum<Number>;
    options.setReduceFunction(add);
    options.setTag(next());
    options.setTimeout(limit_);
    gloo::allreduce(options);
  }

  std::uint32_t next() { return tag_++; }

  int rank_;
  std::chrono::milliseconds limit_;
  std::uint32_t tag_ = 0;
  std::shared_ptr<gloo::rendezvous::Context> context_;
};

class Module final : public TransportModule {
 public:
  std::string calopipe_version() const override { return core::version(); }
  std::unique_ptr<Transport> connect(int rank, int size, const std::string& address, const KeyStore& store,
                                     std::chrono::milliseconds join_limit,
                                     std::chrono::milliseconds limit) const override {
    return std::make_unique<GlooTransport>(rank, size, address, store, join_limit, limit);
  }
};

}  // namespace
}  // namespace parallel

extern "C" __attribute__((visibility("default"))) const parallel::TransportModule* calopipe_transport() {
  static const parallel::Module module;
  return &module;
}
