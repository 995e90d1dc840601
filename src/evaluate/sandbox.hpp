/// What keeps a candidate's commands in: namespaces by bubblewrap, a seccomp filter, and a look at what they tried.

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/evolution.hpp>
#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"
#include "base/subprocess.hpp"

namespace aiopt {

/// What one command may see. Of two paths the deeper one rules, so a readable folder may lie in a hidden one, that one
/// in a readable one, and the workspace in any of them. What is not there is left out.
struct SandboxPolicy {
  std::filesystem::path workspace;  ///< Absolute; current folder and HOME.
  bool writable_workspace = true;   ///< Nothing else of the disk is.
  /// Stay visible in hidden places: the source (links and git objects lead there), compilers in a home. In the
  /// workspace they stay as they are.
  std::vector<std::filesystem::path> readable;
  std::vector<std::filesystem::path> hidden;  ///< The run's folder, beside what is always hidden.
  std::filesystem::path decoy;                ///< Tripwire's file; empty: none.
  std::filesystem::path decoy_place;          ///< Where it is seen: the run's run.db.
  /// Size of /tmp; /var/tmp and /dev/shm have as much each. All three are memory.
  std::uint64_t temporary_bytes = std::uint64_t{1} << 30;
  /// Processes and threads at a time, two of them the sandbox's own. RLIMIT_NPROC, set inside: outside the user
  /// namespace the kernel would count all that the user runs. It never binds root (kernel/fork.c, copy_process());
  /// a cgroup's pids.max does.
  std::uint64_t processes = 4096;
};

/// What was seen from within after the command had ended. Neither is a proof: some builds leave a server behind, and
/// looking up a host's name, even localhost's IPv6 address where /etc/hosts has none, asks the network. A candidate
/// that has more of it than the baseline tried something.
struct SandboxObservations {
  int processes_left = 0;    ///< Still running 0.1 s after its end.
  int network_attempts = 0;  ///< Sent or connected to addresses that are not there: all but the loopback.
};

/// A command's way in. Lives until the command has ended; one for each command.
struct SandboxedCommand {
  std::vector<std::string> wrapper;           ///< Goes before `/bin/sh -c <line>`. Empty: no sandbox.
  std::vector<std::string> hidden_variables;  ///< For Command: all that are not allowed in.
  std::map<std::string, std::string> variables;

  struct Passed {
    FileDescriptor file;
    int number = -1;  ///< The wrapper expects it there.
  };
  std::vector<Passed> descriptors;

  /// After the command's end. Nothing: what watches it inside was killed, or could not look; which it can if nobody
  /// interferes, unless the command was ended from outside.
  std::optional<SandboxObservations> observations() const;
};

/// Constant once made; safe from any thread.
///
/// Inside: namespaces of its own (user, pid, net, ipc, uts, cgroup, mount), no capabilities, no_new_privs. / is
/// read-only; /tmp, /var/tmp and /dev/shm are empty and bounded; /home, /root, /run, the user's home, sockets and pipes
/// in /var, /opt and /srv and, to root, what only root may read there and in /etc are hidden. Of the environment only
/// what compilers, make and locales read gets in, and AIOPT_*. CCACHE_DISABLE is set: a cache that a candidate can
/// write is a way to the others, and one that it cannot write is none. After the command a shell looks for what it left
/// (SandboxObservations); the command can kill that shell, but not speak for it: it is run from a file that nobody may
/// read, so the kernel keeps its /proc/PID/fd and ptrace(2) from processes of the same user (would_dump() in
/// fs/exec.c).
///
/// Left open: world-readable files elsewhere, and unix sockets among them (a read-only mount refuses no connect(2)).
class Sandbox {
 public:
  /// Looks for bwrap and tries it: costs as much as a command.
  ///
  /// @return unavailable: `require`, and it does not work; the message says what to do.
  static Result<Sandbox> probe(SandboxMode mode);

  bool is_active() const { return !bwrap_.empty(); }
  /// One line to show once; empty unless `automatic` found that it does not work.
  const std::string& warning() const { return warning_; }
  /// Whether the sandbox itself runs this file, as a process inside sees its path. A command can run it as well.
  bool is_own_program(std::string_view path) const;

  /// @return invalid_argument: the workspace is not absolute, is /, or is not there. io.
  Result<SandboxedCommand> enclose(const SandboxPolicy& policy) const;

 private:
  Result<void> set_up();
  Result<void> try_out();

  std::string warning_;
  std::filesystem::path bwrap_;  ///< Empty: inactive.
  FileDescriptor filter_;
  FileDescriptor shell_;
  std::string process_limit_option_;  ///< Of the shell's ulimit, where try_out() found one: POSIX has none.
  std::vector<std::filesystem::path> always_hidden_;
};

/// The command as one without passed descriptors: a shell before the wrapper opens them by /proc/<aiopt>/fd.
///
/// @return Arguments for run_program(); `line` is for /bin/sh -c.
std::vector<std::string> sandboxed_arguments(const SandboxedCommand& sandboxed, std::string_view line);

/// Puts the environment in.
void apply(const SandboxedCommand& sandboxed, Command& command);

}  // namespace aiopt
