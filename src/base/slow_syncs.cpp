/// The seccomp filter that stops syncs, its way to aiopt, and the thread that lets them go on.

#include "base/slow_syncs.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace aiopt {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;  // None: nothing is handed over.
#endif

constexpr std::array kSyncCalls = {SYS_fsync, SYS_fdatasync, SYS_sync, SYS_syncfs};
constexpr std::array kWriteCalls = {SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_pwritev2};

constexpr std::size_t kFilterLength = 2 + 1 + kSyncCalls.size() + kWriteCalls.size() + 1 + 2;

/// Stops at one of the calls above and at msync; a call of another architecture goes on.
constexpr std::array<sock_filter, kFilterLength> make_filter() {
  constexpr auto kLoad = static_cast<std::uint16_t>(BPF_LD | BPF_W | BPF_ABS);
  constexpr auto kIsEqual = static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
  constexpr auto kReturn = static_cast<std::uint16_t>(BPF_RET | BPF_K);
  constexpr std::size_t kAllow = kFilterLength - 2;
  constexpr std::size_t kStop = kFilterLength - 1;
  std::array<sock_filter, kFilterLength> filter{};
  std::size_t at = 0;
  filter[at++] = {kLoad, 0, 0, offsetof(seccomp_data, arch)};
  filter[at] = {kIsEqual, 0, static_cast<std::uint8_t>(kAllow - at - 1), kArchitecture};
  ++at;
  filter[at++] = {kLoad, 0, 0, offsetof(seccomp_data, nr)};
  const auto stop_at = [&](long call) {
    filter[at] = {kIsEqual, static_cast<std::uint8_t>(kStop - at - 1), 0, static_cast<std::uint32_t>(call)};
    ++at;
  };
  for (const long call : kSyncCalls) stop_at(call);
  for (const long call : kWriteCalls) stop_at(call);
  stop_at(SYS_msync);
  filter[kAllow] = {kReturn, 0, 0, SECCOMP_RET_ALLOW};
  filter[kStop] = {kReturn, 0, 0, SECCOMP_RET_USER_NOTIF};
  return filter;
}

constexpr std::array<sock_filter, kFilterLength> kFilter = make_filter();

/// One descriptor with one byte, as unix(7) has it.
struct DescriptorMessage {
  DescriptorMessage() {
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  char byte = 0;
  iovec vector{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
};

FileDescriptor receive_descriptor(int socket) {
  DescriptorMessage message;
  if (::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC) <= 0) return {};
  const cmsghdr* first = CMSG_FIRSTHDR(&message.header);
  if (first == nullptr || first->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(first), sizeof fd);
  return FileDescriptor(fd);
}

/// Of another process's descriptor, as fcntl(F_GETFL) has it there; 0 if it may not be looked at.
std::uint64_t flags_of(std::uint32_t thread, std::uint64_t descriptor) {
  const FileDescriptor file(::open(
      fmt::format("/proc/{}/fdinfo/{}", thread, static_cast<std::uint32_t>(descriptor)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return 0;
  std::array<char, 512> text{};
  const ssize_t got = ::read(file.get(), text.data(), text.size() - 1);
  if (got <= 0) return 0;
  constexpr std::string_view kFlags = "flags:";
  const char* found = std::strstr(text.data(), kFlags.data());
  return found == nullptr ? 0 : std::strtoull(found + kFlags.size(), nullptr, 8);
}

bool is_sync(const seccomp_notif& call) {
  const auto is_call = [&](long number) { return call.data.nr == number; };
  if (std::any_of(kSyncCalls.begin(), kSyncCalls.end(), is_call)) return true;
  if (is_call(SYS_msync)) return (call.data.args[2] & MS_SYNC) != 0;
  if (is_call(SYS_pwritev2) && (call.data.args[5] & (RWF_DSYNC | RWF_SYNC)) != 0) return true;
  return (flags_of(call.pid, call.data.args[0]) & O_DSYNC) != 0;  // O_SYNC has its bit, too.
}

}  // namespace

/// What the thread does, from the filter's descriptor on.
class SlowSyncs::Listener {
 public:
  Listener(FileDescriptor filter, int wish, std::chrono::microseconds delay)
      : filter_(std::move(filter)), wish_(wish), delay_(delay) {}

  std::uint64_t run() {
    std::array<pollfd, 2> events{{{filter_.get(), POLLIN, 0}, {wish_, POLLIN, 0}}};
    for (;;) {
      const timespec wait = until_next();
      const int ready = ::ppoll(events.data(), events.size(), waiting_.empty() ? nullptr : &wait, nullptr);
      if (ready > 0 && events[1].revents != 0) return delayed_;
      if (ready > 0 && (events[0].revents & POLLIN) != 0) receive();
      // Nobody is left who has the filter; the end is still to be told.
      if (ready > 0 && (events[0].revents & POLLHUP) != 0) events[0].fd = -1;
      const SteadyTime now = std::chrono::steady_clock::now();
      for (; !waiting_.empty() && waiting_.front().until <= now; waiting_.pop_front()) go_on(waiting_.front().id);
    }
  }

 private:
  struct Waiting {
    std::uint64_t id = 0;
    SteadyTime until;
  };

  timespec until_next() const {
    if (waiting_.empty()) return {};
    using std::chrono::nanoseconds;
    const nanoseconds wait = std::max<nanoseconds>(waiting_.front().until - std::chrono::steady_clock::now(), {});
    return {wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
  }

  void receive() {
    // The kernel's own structure may have grown since this was compiled.
    alignas(seccomp_notif) std::array<std::byte, 512> room{};
    if (::ioctl(filter_.get(), SECCOMP_IOCTL_NOTIF_RECV, room.data()) != 0) return;
    seccomp_notif call;
    std::memcpy(&call, room.data(), sizeof call);
    if (!is_sync(call)) return go_on(call.id);
    ++delayed_;
    waiting_.push_back({call.id, std::chrono::steady_clock::now() + delay_});
  }

  /// Who was killed meanwhile needs no answer.
  void go_on(std::uint64_t id) const {
    alignas(seccomp_notif_resp) std::array<std::byte, 512> room{};
    seccomp_notif_resp answer{};
    answer.id = id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    std::memcpy(room.data(), &answer, sizeof answer);
    ::ioctl(filter_.get(), SECCOMP_IOCTL_NOTIF_SEND, room.data());
  }

  const FileDescriptor filter_;
  const int wish_;
  const std::chrono::microseconds delay_;
  std::deque<Waiting> waiting_;  ///< In the order in which they go on, since all wait as long.
  std::uint64_t delayed_ = 0;
};

Result<SlowSyncs> SlowSyncs::make(std::chrono::microseconds delay) {
  SlowSyncs made;
  made.delay_ = delay;
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error{Error::Code::io, fmt::format("cannot make a socket pair: {}", std::strerror(errno))};
  }
  made.own_end_ = FileDescriptor(ends[0]);
  made.command_end_ = FileDescriptor(ends[1]);
  made.wish_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC));
  if (!made.wish_.is_open()) {
    return Error{Error::Code::io, fmt::format("cannot make an eventfd: {}", std::strerror(errno))};
  }
  return made;
}

void SlowSyncs::start() {
  command_end_.close();
  thread_ = std::jthread([this] {
    std::array<pollfd, 2> events{{{own_end_.get(), POLLIN, 0}, {wish_.get(), POLLIN, 0}}};
    while (::poll(events.data(), events.size(), -1) < 0) {
    }
    FileDescriptor filter = events[0].revents != 0 ? receive_descriptor(own_end_.get()) : FileDescriptor();
    if (filter.is_open()) delayed_ = Listener(std::move(filter), wish_.get(), delay_).run();
  });
}

std::optional<std::uint64_t> SlowSyncs::end() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wish_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  return delayed_;
}

void hand_over_syncs(int command_end) {
  if (kArchitecture == 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return;
  // seccomp(2) does not write to it.
  sock_fprog program{static_cast<unsigned short>(kFilter.size()), const_cast<sock_filter*>(kFilter.data())};
  const long filter = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (filter < 0) return;
  const int fd = static_cast<int>(filter);
  DescriptorMessage message;
  cmsghdr* first = CMSG_FIRSTHDR(&message.header);
  first->cmsg_level = SOL_SOCKET;
  first->cmsg_type = SCM_RIGHTS;
  first->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(first), &fd, sizeof fd);
  // Without its other end every sync would end with ENOSYS: then there is nobody who waits for this command either.
  ::sendmsg(command_end, &message.header, MSG_NOSIGNAL);
  ::close(fd);
  ::close(command_end);
}

}  // namespace aiopt
