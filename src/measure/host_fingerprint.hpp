/// HostFingerprint: what a benchmark's result depends on besides the program.

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// What this machine is and how it is set up, as far as a benchmark's result depends on it. Values are as Linux spells
/// them; a text is one line of UTF-8, and empty where this machine does not tell.
struct HostFingerprint {
  enum class Setting { unknown, off, on };

  std::string
      cpu_model;      ///< "AMD EPYC 7763 64-Core Processor"; on ARM "Cortex-A76", or "0x41/0xd0b" (implementer/part).
  std::string board;  ///< "Raspberry Pi 5 Model B Rev 1.0"; only where there is a device tree.
  std::uint64_t cpus = 0;   ///< That this process may run on; 0: unknown.
  std::uint64_t cores = 0;  ///< That those CPUs belong to: fewer, where some are SMT siblings. 0: unknown.
  Setting smt = Setting::unknown;
  Setting turbo = Setting::unknown;
  Setting virtual_machine = Setting::unknown;
  std::string kernel;            ///< Its release: "6.1.0-18-amd64".
  std::string frequency_driver;  ///< scaling_driver: "intel_pstate", "acpi-cpufreq", "cpufreq-dt".
  std::string governor;          ///< scaling_governor; "performance, powersave" where the CPUs differ.
  std::string huge_pages;        ///< transparent_hugepage/enabled: "always", "madvise" or "never".
  std::string address_space;     ///< randomize_va_space: "0" (not randomised), "1" or "2" (all of it).
  std::uint64_t memory_bytes = 0;
  std::string file_system;  ///< Of the workspace: "ext4".
  std::string compiler;     ///< First line of what $CXX, or c++, or g++ prints for --version.
  std::string libc;         ///< "glibc 2.36".

  /// Runnable and uninterruptible tasks, averaged over a minute (proc(5), loadavg). How it was at that time: no part of
  /// what the machine is.
  double load_average = 0.0;

  bool operator==(const HostFingerprint&) const = default;
};

/// All of it but `compiler` and `libc`, from /proc and /sys below `root`. Starts no process.
///
/// @param workspace  where candidates are built and run; need not be there yet
HostFingerprint read_host_files(const std::filesystem::path& workspace, const std::filesystem::path& root = "/");

/// All of it. Runs the compiler once, with --version.
HostFingerprint read_host_fingerprint(const std::filesystem::path& workspace);

/// For run.db. One line; reads back as an equal HostFingerprint.
std::string host_fingerprint_to_json(const HostFingerprint& host);
/// invalid_argument for whatever is not such a document. Keys it does not know are passed over.
Result<HostFingerprint> host_fingerprint_from_json(std::string_view json);

/// What must be said when results of both are shown together: "kernel 6.1.0 against 6.18.5". Empty: they are the same
/// to a benchmark. The load is left out, and memory that differs by less than 1 % (what a kernel keeps for itself).
std::vector<std::string> differences(const HostFingerprint& a, const HostFingerprint& b);

/// Something that makes measurements noisy on a machine.
struct NoiseSource {
  std::string what;    ///< "the CPU governor is powersave"
  std::string remedy;  ///< The command that mends it, as root: "cpupower frequency-set -g performance". Empty: none.
};

/// What is noisy here, the worst first; empty on a machine that is set up for measuring.
std::vector<NoiseSource> noise_sources(const HostFingerprint& host);

/// One line: "Cortex-A76, Raspberry Pi 5 Model B Rev 1.0, 4 CPUs, 7.9 GiB, Linux 6.6.20, governor ondemand, ...".
std::string describe(const HostFingerprint& host);

}  // namespace aiopt
