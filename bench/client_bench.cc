// Lists runs of Kubeflow with calopipe and with the Python SDK, and waits for runs with many clients at a
// time. The server is the one of the tests, in Python: what it needs is in the row of the answers as text.
// usage: client_bench [RUNS [CLIENTS [SECONDS]]]   (CALOPIPE_PYTHON is a Python with kfp)
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

#include "bench/bench.h"
#include "bench/kfp_peer.h"
#include "core/staged_output.h"
#include "kfp/client/client.h"
#include "kfp/client/test_server.h"
#include "kfp/client/wait.h"

namespace {

using namespace kfp::client;

double processor_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + 1e-6 * double(time.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::size_t listed(Client& client) {
  return all_pages([&](const ListOptions& options) { return client.list_runs(options); }, {.page_size = 200})
      .size();
}

// The same pages, without reading what is in them.
void fetch_text(Client& client, int runs) {
  for (int at = 0; at < runs; at += 200)
    client.http().text(
        {.path = "/apis/v2beta1/runs", .query = {{"page_size", "200"}, {"page_token", std::to_string(at)}}});
}

int list_runs(const test::KubeflowServer& server, int runs) {
  Client client({.server = server.address()});
  const double before = processor_s();
  if (listed(client) != static_cast<std::size_t>(runs)) return 1;
  const double own = processor_s() - before;
  const double ours = bench::best_seconds([&] { listed(client); });
  const double text = bench::best_seconds([&] { fetch_text(client, runs); });
  fmt::print("listing {} runs, 200 per page\n", runs);
  const auto row = [](const char* name, double seconds) {
    fmt::print("  {:<52} {:>9.1f} ms\n", name, 1e3 * seconds);
  };
  row("calopipe", ours);
  row("the answers as text (the time of the tests' server)", text);
  row("processor time of calopipe, first call", own);
  const bench::TempFolder folder;
  core::write_file(folder / "address", server.address());
  const double peer = bench::kfp_peer("list-runs", folder.path(), runs);
  if (peer < 0) return 1;
  row("Python SDK", peer);
  return 0;
}

int wait_for_runs(const test::KubeflowServer& server, int clients, double seconds) {
  server.script({{"", "RUNNING"}});
  Client first({.server = server.address()});
  std::vector<std::string> ids;
  for (int i = 0; i < clients; ++i)
    ids.push_back(
        first.create_run({.display_name = "r", .pipeline_spec = {{"pipelineInfo", {{"name", "p"}}}}}).run_id);
  std::atomic<int> failed = 0, outages = 0;
  server.control("/_forget");
  const double before = processor_s();
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&, i] {
      try {
        Client client({.server = server.address()});
        const Run run =
            wait(client, ids[static_cast<std::size_t>(i)],
                 {.longest_wait_s = seconds, .on_outage = [&](const std::string&) { ++outages; }});
        failed += run.state == RunState::kRunning ? 0 : 1;
      } catch (const core::Error& error) {
        fmt::print("  {}\n", error.what());
        ++failed;
      }
    });
  for (std::thread& thread : threads) thread.join();
  const double own = processor_s() - before;
  const auto requests = server.seen().at("requests").size();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{} clients waiting for {:.0f} s on one server\n", clients, seconds);
  fmt::print("  requests {}, clients with errors {}, outages {}\n", requests, failed.load(), outages.load());
  fmt::print("  processor time of each client {:.2f} ms/s; largest memory of all {:.0f} MB\n",
             1e3 * own / clients / seconds, double(usage.ru_maxrss) / 1000);
  return failed == 0 && outages == 0 ? 0 : 1;
}

int number(int argc, char** argv, int index, int otherwise) {
  return argc > index ? std::atoi(argv[index]) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  if (bench::python() == nullptr) {
    fmt::print("client_bench: CALOPIPE_PYTHON is not set\n");
    return 4;
  }
  const int runs = number(argc, argv, 1, 1000);
  const test::KubeflowServer server;
  server.control("/_runs", {{"count", runs}});
  const int listing = list_runs(server, runs);
  const int waiting = wait_for_runs(server, number(argc, argv, 2, 100), number(argc, argv, 3, 60));
  return std::max(listing, waiting);
}
