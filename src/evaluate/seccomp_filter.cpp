/// The filter, written with libseccomp.

#include "evaluate/seccomp_filter.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace aiopt {
namespace {

constexpr std::uint32_t kRefused = SCMP_ACT_ERRNO(EPERM);
/// The kernel reads an int and ignores what is above it; a filter sees 64 bits. An equality over all of them would be
/// passed by setting one above (CVE-2019-7303).
constexpr std::uint64_t kInt = 0xffff'ffff;
constexpr std::uint64_t kLastSocketFamily = 63;  // Above all that there are (AF_MAX is 46 in Linux 6.x).

/// By name: the list also has what this libseccomp may not know yet.
constexpr std::array kRefusedCalls = std::to_array<const char*>({
    "mount",
    "umount",
    "umount2",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "open_tree_attr",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "pivot_root",
    "chroot",
    "setns",
    "bpf",
    "kexec_load",
    "kexec_file_load",
    "create_module",
    "init_module",
    "finit_module",
    "delete_module",
    "reboot",
    "swapon",
    "swapoff",
    "keyctl",
    "add_key",
    "request_key",
    "userfaultfd",
    "open_by_handle_at",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "fanotify_init",
    "quotactl",
    "quotactl_fd",
    "acct",
    "settimeofday",
    "stime",
    "clock_settime",
    "clock_settime64",
    "adjtimex",
    "clock_adjtime",
    "clock_adjtime64",
    "syslog",
    "iopl",
    "ioperm",
    "lookup_dcookie",
    "nfsservctl",
    "uselib",
    "sethostname",
    "setdomainname",
    "vhangup",
    "pidfd_getfd",
});

constexpr std::array<std::uint64_t, 7> kNamespaceFlags = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                                          CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

#if defined(__s390__)
constexpr unsigned kCloneFlagsArgument = 1;  // clone(2), "C library/kernel differences".
#else
constexpr unsigned kCloneFlagsArgument = 0;
#endif

/// Adds rules until one fails; its errno is kept.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx filter) : filter_(filter) {}

  void add(std::uint32_t action, std::string_view name) {
    const int call = ::seccomp_syscall_resolve_name(name.data());
    if (call != __NR_SCMP_ERROR) note(::seccomp_rule_add_array(filter_, action, call, 0, nullptr));
  }

  /// Where `argument & mask == value`.
  void add_where(std::uint32_t action, std::string_view name, unsigned argument, std::uint64_t mask,
                 std::uint64_t value) {
    const int call = ::seccomp_syscall_resolve_name(name.data());
    const scmp_arg_cmp where{argument, SCMP_CMP_MASKED_EQ, mask, value};
    if (call != __NR_SCMP_ERROR) note(::seccomp_rule_add_array(filter_, action, call, 1, &where));
  }

  void note(int result) {
    if (failed_ == 0) failed_ = -result;
  }
  int failed() const { return failed_; }

 private:
  scmp_filter_ctx filter_;
  int failed_ = 0;
};

void refuse_namespaces(Rules& rules) {
  for (const std::uint64_t flag : kNamespaceFlags) {
    rules.add_where(kRefused, "clone", kCloneFlagsArgument, flag, flag);
    rules.add_where(kRefused, "unshare", 0, flag, flag);
  }
  rules.add_where(kRefused, "unshare", 0, CLONE_NEWTIME, CLONE_NEWTIME);  // Of clone's flags it is a signal's bit.
  rules.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
}

void refuse_terminal_input(Rules& rules) {
  constexpr std::uint64_t kLinuxConsole = 0x541C;  // TIOCLINUX: pastes the selection.
  rules.add_where(kRefused, "ioctl", 1, kInt, TIOCSTI);
  rules.add_where(kRefused, "ioctl", 1, kInt, kLinuxConsole);
}

/// Family by family: of one argument a rule may compare one thing.
void refuse_sockets(Rules& rules) {
  for (std::uint64_t family = 0; family <= kLastSocketFamily; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK) continue;
    rules.add_where(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", 0, kInt, family);
  }
}

/// Allowed are 0, ADDR_NO_RANDOMIZE, and the question, 0xffffffff. As each rule compares the argument once: a bit may
/// be set only together with the highest, and the highest only if all are.
void refuse_personalities(Rules& rules) {
  constexpr std::uint64_t kHighest = 0x8000'0000;
  for (std::uint64_t bit = 1; bit != kHighest; bit <<= 1) {
    if (bit != ADDR_NO_RANDOMIZE) rules.add_where(kRefused, "personality", 0, kHighest | bit, bit);
    rules.add_where(kRefused, "personality", 0, kHighest | bit, kHighest);
  }
}

}  // namespace

Result<FileDescriptor> make_seccomp_filter() {
  const auto failed = [](int number) {
    return Error{Error::Code::unavailable,
                 fmt::format("cannot make the seccomp filter: {}", std::generic_category().message(number))};
  };
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(SCMP_ACT_ALLOW), &::seccomp_release);
  if (!filter) return failed(ENOMEM);
  Rules rules(filter.get());
  rules.note(::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
  for (const char* call : kRefusedCalls) rules.add(kRefused, call);
  refuse_namespaces(rules);
  refuse_terminal_input(rules);
  refuse_sockets(rules);
  refuse_personalities(rules);
  if (rules.failed() != 0) return failed(rules.failed());

  FileDescriptor file(::memfd_create("aiopt-seccomp", MFD_CLOEXEC));
  if (!file.is_open()) return failed(errno);
  if (const int result = ::seccomp_export_bpf(filter.get(), file.get()); result != 0) return failed(-result);
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return failed(errno);
  return file;
}

}  // namespace aiopt
