#include "core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>

namespace core {

struct ThreadPool::Loop {
  std::size_t count;
  const std::function<void(std::size_t)>& body;
  std::atomic<std::size_t> next{0};
  int helpers = 0;  // threads that are in the loop; guarded by the pool's mutex
  std::condition_variable left;
  std::mutex error_mutex;
  std::exception_ptr error;
};

int available_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(int threads) {
  if (threads <= 0) threads = available_threads();
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(Loop& loop) {
  for (std::size_t i = loop.next++; i < loop.count; i = loop.next++) {
    try {
      loop.body(i);
    } catch (...) {
      loop.next = loop.count;
      std::lock_guard lock(loop.error_mutex);
      if (!loop.error) loop.error = std::current_exception();
    }
  }
}

void ThreadPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || !loops_.empty(); });
    if (stop_) return;
    Loop* loop = loops_.front();
    if (loop->next.load() >= loop->count) {
      loops_.pop_front();
      continue;
    }
    ++loop->helpers;
    lock.unlock();
    run(*loop);
    lock.lock();
    if (--loop->helpers == 0) loop->left.notify_all();
  }
}

void ThreadPool::for_each(std::size_t count, const std::function<void(std::size_t)>& body) {
  if (count == 0) return;
  Loop loop{.count = count, .body = body};
  if (count > 1 && !workers_.empty()) {
    {
      std::lock_guard lock(mutex_);
      loops_.push_back(&loop);
    }
    wake_.notify_all();
  }
  run(loop);
  {
    std::unique_lock lock(mutex_);
    std::erase(loops_, &loop);
    loop.left.wait(lock, [&] { return loop.helpers == 0; });
  }
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace core
