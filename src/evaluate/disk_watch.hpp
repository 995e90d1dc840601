/// DiskWatch: ends a command before it fills the disk.

#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <thread>

namespace aiopt {

/// Looks ten times a second at how much is free where `folder` lies, as long as it lives. Below a gigabyte, or a
/// twentieth of the disk if that is less, it asks the command to stop. A disk that was as full as that before is
/// watched for half of what was left.
class DiskWatch {
 public:
  /// @param stop  What ends the command anyway; token() is then turned too.
  DiskWatch(const std::filesystem::path& folder, std::stop_token stop);

  /// For the command.
  std::stop_token token() const { return command_.get_token(); }
  bool was_full() const { return was_full_; }

 private:
  std::stop_source command_;
  std::stop_callback<std::function<void()>> outer_;
  std::atomic<bool> was_full_ = false;
  std::jthread thread_;  ///< Last: it uses the others.
};

/// How much must stay free where so much is free of so much.
std::uint64_t free_bytes_to_keep(std::uint64_t capacity, std::uint64_t available);

}  // namespace aiopt
