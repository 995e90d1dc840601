/// The system calls that no build, test or benchmark needs, refused by a seccomp filter.

#pragma once

#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"

namespace aiopt {

/// A BPF program as seccomp(2) takes it (struct sock_filter[]), in a memfd at offset 0: for bwrap's --seccomp.
///
/// A deny list in the spirit of Docker's default profile (https://docs.docker.com/engine/security/seccomp/): everything
/// is allowed but what is named; that ends with EPERM. Refused are mounting and changing the root, namespaces, bpf,
/// kernel modules, kexec, reboot, swap, keyrings, file handles, userfaultfd, io_uring (what counts fsync(2) calls would
/// not see them), fanotify, quotas, accounting, the clock, the kernel's log, personalities other than
/// ADDR_NO_RANDOMIZE, injecting terminal input, and sockets other than unix, IPv4, IPv6 and netlink (AF_VSOCK reaches
/// the host of a virtual machine from any network namespace). clone3 ends with ENOSYS, so that glibc uses clone, whose
/// flags a filter can read. A system call of another architecture (i386, x32) kills the process.
///
/// ptrace and process_vm_readv are allowed: LeakSanitizer and debuggers need them, and in a pid namespace of its own a
/// process finds none but the command's. perf_event_open is allowed: profilers need it, and
/// kernel.perf_event_paranoid rules it.
Result<FileDescriptor> make_seccomp_filter();

}  // namespace aiopt
