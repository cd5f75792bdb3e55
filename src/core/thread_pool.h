#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace core {

/// A fixed set of threads for data-parallel loops. Loops may be started from several threads and from inside
/// a loop body: the caller always works too, so that a nested loop cannot wait for itself.
class ThreadPool {
 public:
  /// @param threads number of threads that work on a loop, including the caller; 0 = as many as the process
  ///         may use
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(i) for each i in [0, count), in any order and from any thread; returns when all calls have
  /// ended. The first exception of a body ends the loop early and is thrown again here.
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

/// Number of threads that this process may run at once (its CPU affinity; at least 1).
int available_threads();

}  // namespace core
