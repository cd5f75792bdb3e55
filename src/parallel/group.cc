#include "parallel/group.h"

#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <exception>

#include "core/error.h"
#include "core/own_library.h"
#include "parallel/detail/control.h"
#include "parallel/detail/transport.h"

namespace parallel {
namespace {

using std::chrono::milliseconds;

const TransportModule& transport_module() {
  static const TransportModule& module = []() -> const TransportModule& {
    const core::OwnLibrary library{
        .file = "libcalopipe-gloo.so",
        .variable = kTransportVariable,
        .entry = kTransportEntry,
        .uses = "Gloo",
        .missing = "training with several processes needs it: install the package libgloo0"};
    const TransportModule& loaded = *reinterpret_cast<TransportEntry>(core::entry_of(library))();
    core::check_version(library, loaded.calopipe_version());
    return loaded;
  }();
  return module;
}

class Group final : public core::ProcessGroup {
 public:
  Group(const Place& place, const Limits& limits) : place_(place) {
    const TransportModule& module = transport_module();
    const auto limit = std::chrono::steady_clock::now() + limits.join;
    if (place.rank == 0) server_.emplace(place.meeting.port, place.size);
    control_.emplace(place, limit);
    const KeyStore store{
        .set = [this](const std::string& key, const std::vector<char>& value) { control_->set(key, value); },
        .get = [this, limit](const std::string& key) { return control_->get(key, limit); }};
    // Everybody is there before connections are made: the message about a missing process comes from here.
    store.set(fmt::format("here/{}", place.rank), {'1'});
    for (int rank = 0; rank < place.size; ++rank) static_cast<void>(store.get(fmt::format("here/{}", rank)));
    transport_ = guarded([&] {
      return module.connect(place.rank, place.size, control_->own_address(), store, limits.join,
                            limits.operation);
    });
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() override {
    // An error of this process tells the others by the closed connection.
    if (std::uncaught_exceptions() == 0 || someone_is_lost_) control_->say_bye();
  }

  int rank() const override { return place_.rank; }
  int size() const override { return place_.size; }
  void sum(std::span<float> values) override {
    if (!values.empty()) guarded([&] { transport_->sum(values); });
  }
  void sum(std::span<double> values) override {
    if (!values.empty()) guarded([&] { transport_->sum(values); });
  }
  void broadcast(std::span<std::byte> values) override {
    if (!values.empty()) guarded([&] { transport_->broadcast(values); });
  }
  void gather(std::span<float> values, std::span<const std::size_t> counts) override {
    if (!values.empty()) guarded([&] { transport_->gather(values, counts); });
  }

 private:
  // The operation only knows that a connection has failed; the server of rank 0 knows which process is gone.
  template <class Body>
  auto guarded(const Body& body) -> decltype(body()) {
    std::string problem;
    try {
      return body();
    } catch (const core::Error&) {
      throw;
    } catch (const std::exception& error) {
      problem = error.what();
    }
    someone_is_lost_ = true;
    auto lost = control_->lost_within(milliseconds(2000));
    if (!lost) {
      control_->say_stuck();
      lost = control_->lost_within(milliseconds(6000));
    }
    throw core::UnavailableError(
        {.message = lost ? lost->text : "the processes have lost each other: " + problem,
         .hint = "its own messages say more; continue with --resume, if --checkpoints was given"});
  }

  Place place_;
  std::optional<ControlServer> server_;
  std::optional<Control> control_;
  std::unique_ptr<Transport> transport_;
  bool someone_is_lost_ = false;
};

milliseconds seconds_of(const Environment& environment, const std::string& name, milliseconds otherwise) {
  const auto text = environment(name);
  if (!text) return otherwise;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc() || end != text->data() + text->size() || seconds < 1 || seconds > 1'000'000)
    throw core::UsageError(
        {.message = fmt::format("\"{}\" in the environment is not a number of seconds from 1", *text),
         .field = name});
  return std::chrono::seconds(seconds);
}

}  // namespace

Limits Limits::from(const Environment& environment) {
  Limits limits;
  limits.join = seconds_of(environment, "CALOPIPE_JOIN_SECONDS", limits.join);
  limits.operation = seconds_of(environment, "CALOPIPE_COLLECTIVE_SECONDS", limits.operation);
  return limits;
}

std::unique_ptr<core::ProcessGroup> join(const Place& place, const Limits& limits) {
  if (place.size == 1) return std::make_unique<core::OneProcess>();
  ::signal(SIGPIPE, SIG_IGN);  // Gloo writes to connections that others have closed
  return std::make_unique<Group>(place, limits);
}

}  // namespace parallel
