/// DiskWatch: a thread that asks statvfs(3).

#include "evaluate/disk_watch.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace aiopt {

namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr std::uint64_t kMostToKeep = std::uint64_t{1} << 30;

}  // namespace

std::uint64_t free_bytes_to_keep(std::uint64_t capacity, std::uint64_t available) {
  return std::min({kMostToKeep, capacity / 20, available / 2});
}

DiskWatch::DiskWatch(const std::filesystem::path& folder, std::stop_token stop)
    : outer_(std::move(stop), [this] { command_.request_stop(); }), thread_([this, folder](std::stop_token done) {
        std::error_code failure;
        const std::filesystem::space_info before = std::filesystem::space(folder, failure);
        if (failure) return;
        const std::uint64_t keep = free_bytes_to_keep(before.capacity, before.available);
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any ended;
        while (!ended.wait_for(lock, done, kInterval, [] { return false; }) && !done.stop_requested()) {
          const std::filesystem::space_info now = std::filesystem::space(folder, failure);
          if (failure || now.available >= keep) continue;
          was_full_ = true;
          command_.request_stop();
          return;
        }
      }) {}

}  // namespace aiopt
