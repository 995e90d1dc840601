/// The watch on a decoy.

#include "evaluate/tripwire.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/files.hpp"

namespace aiopt {

namespace {

/// One page, as an empty database has; not empty, because a read of nothing is no event.
constexpr std::size_t kDecoyBytes = 4096;

/// Takes what has happened from the queue. @return Whether there was anything.
bool take_events(int events) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  bool any = false;
  for (;;) {
    const ssize_t got = ::read(events, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return any;
    any = true;
  }
}

}  // namespace

Result<Tripwire> Tripwire::arm(const std::filesystem::path& decoy) {
  std::string page = "SQLite format 3";
  page.resize(kDecoyBytes, '\0');
  if (auto written = write_file_atomic(decoy, page); !written) return written.error();
  const auto failed = [&] {
    return Error{Error::Code::io,
                 fmt::format("cannot watch {}: {}", decoy.string(), std::generic_category().message(errno))};
  };
  FileDescriptor events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!events.is_open()) return failed();
  if (::inotify_add_watch(events.get(), decoy.c_str(), IN_OPEN | IN_ACCESS) < 0) return failed();
  // Older kernels (6.1's too) tell of opens with O_PATH, which a bind mount does: then only reads count.
  FileDescriptor(::open(decoy.c_str(), O_PATH | O_CLOEXEC)).close();
  if (take_events(events.get()) && ::inotify_add_watch(events.get(), decoy.c_str(), IN_ACCESS) < 0) return failed();
  return Tripwire(decoy, std::move(events));
}

bool Tripwire::fired() {
  return take_events(events_.get());
}

}  // namespace aiopt
