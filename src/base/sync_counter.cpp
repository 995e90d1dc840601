/// SyncCounter: how often a tree of processes made files durable, counted by the kernel.

#include "base/sync_counter.hpp"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"

namespace aiopt {
namespace {

struct Known {
  const char* name;
  const char* filter;
  const char* file_system;  ///< As /proc/self/mounts names it; null: a system call.
};

constexpr std::array<Known, 7> kKnown{{
    {"syscalls/sys_enter_fsync", nullptr, nullptr},
    {"syscalls/sys_enter_fdatasync", nullptr, nullptr},
    {"syscalls/sys_enter_msync", "flags & 4", nullptr},  // MS_SYNC
    {"ext4/ext4_sync_file_enter", nullptr, "ext4"},
    {"xfs/xfs_file_fsync", nullptr, "xfs"},
    {"btrfs/btrfs_sync_file", nullptr, "btrfs"},
    {"f2fs/f2fs_sync_file_enter", nullptr, "f2fs"},
}};
static_assert(kKnown.size() <= SyncCounter::kMostEvents);

/// A tracefs, of our own if none is mounted: fsopen(2), fsconfig(2) and fsmount(2) put it nowhere in the tree of
/// folders, so nobody else sees it and it is gone when the descriptor is closed. It needs CAP_SYS_ADMIN.
FileDescriptor open_tracefs() {
  for (const char* path : {"/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"}) {
    FileDescriptor events(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (events.is_open()) return events;
  }
  constexpr unsigned kCloseOnExec = 1;       // FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC
  constexpr unsigned kCreateSuperblock = 6;  // FSCONFIG_CMD_CREATE
  const FileDescriptor context(static_cast<int>(::syscall(SYS_fsopen, "tracefs", kCloseOnExec)));
  if (!context.is_open()) return {};
  if (::syscall(SYS_fsconfig, context.get(), kCreateSuperblock, nullptr, nullptr, 0) != 0) return {};
  const FileDescriptor mount(static_cast<int>(::syscall(SYS_fsmount, context.get(), kCloseOnExec, 0)));
  if (!mount.is_open()) return {};
  return FileDescriptor(::openat(mount.get(), "events", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// 0: there is none, or it may not be read.
std::uint64_t tracepoint_id(const FileDescriptor& events, const char* name) {
  const FileDescriptor file(::openat(events.get(), fmt::format("{}/id", name).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t got = file.is_open() ? ::read(file.get(), text.data(), text.size()) : -1;
  std::uint64_t id = 0;
  if (got > 0) std::from_chars(text.data(), text.data() + got, id);
  return id;
}

int open_event(perf_event_attr attributes) {
  return static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

perf_event_attr attributes_of(const SyncEvent& event) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = event.tracepoint;
  return attributes;
}

/// Counts nothing, and keeps the tracepoint in use until aiopt ends. The last event of a tracepoint to be closed waits
/// for the kernel to take its hook out (tracepoint_synchronize_unregister(): grace periods, 150 ms for the four of a
/// usual machine), and the first one to be opened puts it in again: once for each command otherwise.
void keep_in_use(const SyncEvent& event) {
  perf_event_attr attributes = attributes_of(event);
  attributes.disabled = 1;
  static_cast<void>(open_event(attributes));
}

std::vector<SyncEvent> find_events() {
  const FileDescriptor events = open_tracefs();
  if (!events.is_open()) return {};
  const auto mounts = read_file("/proc/self/mounts");
  std::vector<SyncEvent> found;
  for (const Known& known : kKnown) {
    const bool is_of_file_system = known.file_system != nullptr;
    // Each event costs every new thread something: only what is in use.
    if (is_of_file_system && mounts && mounts->find(fmt::format(" {} ", known.file_system)) == std::string::npos) {
      continue;
    }
    if (const std::uint64_t id = tracepoint_id(events, known.name); id != 0) {
      found.push_back({id, known.filter, is_of_file_system});
    }
  }
  return found;
}

}  // namespace

const std::vector<SyncEvent>& sync_events() {
  static const std::vector<SyncEvent> events = [] {
    std::vector<SyncEvent> found = find_events();
    std::for_each(found.begin(), found.end(), keep_in_use);
    return found;
  }();
  return events;
}

bool SyncCounter::open(std::span<const SyncEvent> events) {
  for (const SyncEvent& event : events.first(std::min(events.size(), kMostEvents))) {
    perf_event_attr attributes = attributes_of(event);
    attributes.inherit = 1;
    const int fd = open_event(attributes);
    if (fd >= 0) counters_[size_++] = {fd, event.is_of_file_system};
    if (fd < 0 || (event.filter != nullptr && ::ioctl(fd, PERF_EVENT_IOC_SET_FILTER, event.filter) != 0)) {
      close();
      return false;
    }
  }
  return size_ > 0;
}

std::int64_t SyncCounter::count() const {
  if (size_ == 0) return -1;
  std::int64_t of_calls = 0;
  std::int64_t of_file_systems = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    std::int64_t value = 0;
    if (::read(counters_[i].fd, &value, sizeof value) != sizeof value) return -1;
    (counters_[i].is_of_file_system ? of_file_systems : of_calls) += value;
  }
  return std::max(of_calls, of_file_systems);
}

void SyncCounter::close() {
  while (size_ > 0) ::close(counters_[--size_].fd);
}

}  // namespace aiopt
