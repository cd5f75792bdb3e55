#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace core {

/// A bounded pool for data-parallel loops. Loops may be started from several threads and from inside a
/// loop body: the caller always works too, so a nested loop cannot wait for itself.
class ThreadPool {
 public:
  /// @param threads threads that work on a loop, the caller included; 0 = as many as the process may use.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(i) for each i in [0, count), in any order and from any thread; returns when all are done.
  /// The first exception thrown by a body ends the loop early and is thrown again here.
  void for_each(std::size_t count, const std::function<void(std::size_t)>& body);

 private:
  struct Loop;
  void work();
  static void run(Loop& loop);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Loop*> loops_;
  bool stop_ = false;
};

/// Threads that this process may run at once (its CPU affinity; 1 at least).
int available_threads();

}  // namespace core
