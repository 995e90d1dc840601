/// What is read from /proc and /sys of machines that the tests make up, and what is said about it.

#include "measure/host_fingerprint.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "base/files.hpp"

using namespace aiopt;

namespace {

using Setting = HostFingerprint::Setting;

using Files = std::map<std::string, std::string>;

/// Files below a folder of their own, which stands for "/".
class Machine {
 public:
  explicit Machine(const Files& files) {
    for (const auto& [path, text] : files) put(path, text);
  }
  void put(const std::string& path, const std::string& text) {
    REQUIRE(write_file_atomic(folder_.path() / path, text).has_value());
  }
  HostFingerprint read(const std::string& workspace = "/home/a b/run") const {
    return read_host_files(workspace, folder_.path());
  }

 private:
  TemporaryFolder folder_;
};

const std::string kCpu = "sys/devices/system/cpu/";

/// An Intel server of four CPUs on two cores, as a fresh Debian leaves it.
Files lab_machine() {
  Files files = {
      {"proc/cpuinfo",
       "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)  E-2278G\nflags\t\t: fpu vme\nmicrocode\t: 0x1\n\n"
       "processor\t: 1\nmodel name\t: Intel(R) Xeon(R)  E-2278G\nflags\t\t: fpu vme\n"},
      {"proc/self/status", "Name:\taiopt\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n"},
      {"proc/meminfo", "MemTotal:       16303428 kB\nMemFree:          100 kB\n"},
      {"proc/loadavg", "0.31 0.20 0.10 2/345 6789\n"},
      {"proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"},
      {"proc/sys/kernel/randomize_va_space", "2\n"},
      {"proc/self/mountinfo",
       "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
       "30 22 8:2 / /home/a\\040b rw,noatime - btrfs /dev/sdb rw\n"
       "31 22 8:2 / /home/a\\040b rw,noatime - xfs /dev/sdc rw\n"
       "32 22 8:2 / /home/a\\040b/run-2 rw - nfs4 host:/x rw\n"
       "33 22 8:2 / /hom rw - tmpfs tmpfs rw\n"},
      {kCpu + "online", "0-3\n"},
      {kCpu + "smt/active", "1\n"},
      {kCpu + "intel_pstate/no_turbo", "0\n"},
      {"sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"},
  };
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string folder = kCpu + "cpu" + std::to_string(cpu);
    files[folder + "/topology/thread_siblings_list"] = cpu % 2 == 0 ? "0,2\n" : "1,3\n";
    files[folder + "/cpufreq/scaling_governor"] = "powersave\n";
    files[folder + "/cpufreq/scaling_driver"] = "intel_pstate\n";
  }
  return files;
}

Files raspberry_pi() {
  std::string cpuinfo;
  for (int cpu = 0; cpu < 4; ++cpu) {
    cpuinfo += "processor\t: " + std::to_string(cpu) +
               "\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
               "CPU variant\t: 0x4\nCPU part\t: 0xd0b\nCPU revision\t: 1\n\n";
  }
  return {
      {"proc/cpuinfo", cpuinfo + "Revision\t: d04170\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"},
      {"proc/device-tree/model", std::string("Raspberry Pi 5 Model B Rev 1.0\0", 31)},
      {"proc/self/status", "Cpus_allowed_list:\t0-3\n"},
      {kCpu + "online", "0-3\n"},
      {kCpu + "cpu0/cpufreq/scaling_governor", "ondemand\n"},
      {kCpu + "cpu0/cpufreq/scaling_driver", "cpufreq-dt\n"},
      {"sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"},
  };
}

HostFingerprint full_host() {
  HostFingerprint host = Machine(lab_machine()).read();
  host.board = "a \"board\" of Z\xc3\xbcrich";
  host.compiler = "g++ (Debian 12.2.0-14) 12.2.0";
  host.libc = "glibc 2.36";
  return host;
}

std::string all_of(const std::vector<NoiseSource>& sources) {
  std::string text;
  for (const NoiseSource& source : sources) text += source.what + " -> " + source.remedy + "\n";
  return text;
}

}  // namespace

TEST_CASE("a lab machine is read as Linux tells of it") {
  const HostFingerprint host = Machine(lab_machine()).read();
  CHECK(host.cpu_model == "Intel(R) Xeon(R) E-2278G");
  CHECK(host.board == "");
  CHECK(host.cpus == 4);
  CHECK(host.cores == 2);
  CHECK(host.smt == Setting::on);
  CHECK(host.turbo == Setting::on);
  CHECK(host.virtual_machine == Setting::off);
  CHECK(host.kernel == "6.1.0-18-amd64");
  CHECK(host.frequency_driver == "intel_pstate");
  CHECK(host.governor == "powersave");
  CHECK(host.huge_pages == "always");
  CHECK(host.address_space == "2");
  CHECK(host.memory_bytes == 16303428ULL * 1024);
  CHECK(host.load_average == 0.31);
}

TEST_CASE("only the CPUs that this process may run on count, and their cores") {
  Machine machine(lab_machine());
  machine.put("proc/self/status", "Cpus_allowed_list:\t0,2-3\n");
  CHECK(machine.read().cpus == 3);
  CHECK(machine.read().cores == 2);
  machine.put("proc/self/status", "Cpus_allowed_list:\t1\n");
  CHECK(machine.read().cpus == 1);
  CHECK(machine.read().cores == 1);
}

TEST_CASE("the file system is that of the mount that the workspace lies in") {
  const Machine machine(lab_machine());
  CHECK(machine.read("/home/a b/run/deeper").file_system == "xfs");  // The later of two at one place.
  CHECK(machine.read("/home/a b").file_system == "xfs");
  CHECK(machine.read("/home/a b/run-2/x").file_system == "nfs4");
  CHECK(machine.read("/home/a b/run-20").file_system == "xfs");
  CHECK(machine.read("/srv/x").file_system == "ext4");
}

TEST_CASE("an ARM board without a model name is told by its part and its device tree") {
  const HostFingerprint host = Machine(raspberry_pi()).read();
  CHECK(host.cpu_model == "Cortex-A76");
  CHECK(host.board == "Raspberry Pi 5 Model B Rev 1.0");
  CHECK(host.cpus == 4);
  CHECK(host.cores == 0);
  CHECK(host.smt == Setting::unknown);
  CHECK(host.turbo == Setting::unknown);
  CHECK(host.virtual_machine == Setting::off);
  CHECK(host.governor == "ondemand");
  Machine machine(raspberry_pi());
  machine.put("proc/device-tree/model", "linux,dummy-virt");
  CHECK(machine.read().virtual_machine == Setting::on);
  machine.put("proc/cpuinfo",
              "CPU implementer\t: 0x61\nCPU part\t: 0x022\n\nCPU implementer\t: 0x61\nCPU part\t: 0x023\n");
  CHECK(machine.read().cpu_model == "0x61/0x022 + 0x61/0x023");
}

TEST_CASE("a guest's CPUs say that there is a hypervisor") {
  Machine machine(lab_machine());
  machine.put("proc/cpuinfo", "model name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n");
  CHECK(machine.read().virtual_machine == Setting::on);
  machine.put("proc/cpuinfo", "model name\t: AMD EPYC\nflags\t\t: fpu nohypervisor\n");
  CHECK(machine.read().virtual_machine == Setting::off);
}

TEST_CASE("turbo is read the way round that its file has it") {
  Machine machine(lab_machine());
  machine.put(kCpu + "intel_pstate/no_turbo", "1\n");
  CHECK(machine.read().turbo == Setting::off);
  Machine amd(raspberry_pi());
  amd.put(kCpu + "cpufreq/boost", "1\n");
  CHECK(amd.read().turbo == Setting::on);
  amd.put(kCpu + "cpufreq/boost", "0\n");
  CHECK(amd.read().turbo == Setting::off);
}

TEST_CASE("CPUs whose governors differ name them all") {
  Machine machine(lab_machine());
  machine.put(kCpu + "cpu3/cpufreq/scaling_governor", "performance\n");
  CHECK(machine.read().governor == "performance, powersave");
  CHECK(all_of(noise_sources(machine.read())).find("governor is performance, powersave") != std::string::npos);
}

TEST_CASE("a machine that tells nothing gives unknowns, and no advice") {
  const HostFingerprint host = Machine({}).read();
  CHECK(host == HostFingerprint{});
  CHECK(noise_sources(host).empty());
  CHECK(describe(host) == "unknown CPU");
}

TEST_CASE("a machine that tells nonsense does no harm") {
  const std::string noise("\x1b[2J\0\xff-[,\n:]", 12);
  Machine machine(lab_machine());
  for (const char* file : {"proc/cpuinfo", "proc/self/status", "proc/meminfo", "proc/loadavg", "proc/self/mountinfo",
                           "proc/sys/kernel/osrelease", "sys/kernel/mm/transparent_hugepage/enabled"}) {
    machine.put(file, noise);
  }
  machine.put(kCpu + "online", "0-99999999999999999999,5-2,-");
  const HostFingerprint host = machine.read();
  CHECK(host.kernel.find('\x1b') == std::string::npos);
  CHECK(*host_fingerprint_from_json(host_fingerprint_to_json(host)) == host);
  machine.put(kCpu + "online", "0-4000000000");
  CHECK(machine.read().cpus == 0);
}

TEST_CASE("a fingerprint comes back from its JSON") {
  const HostFingerprint host = full_host();
  const Result<HostFingerprint> again = host_fingerprint_from_json(host_fingerprint_to_json(host));
  REQUIRE(again.has_value());
  CHECK(*again == host);
  CHECK(host_fingerprint_to_json(host).find('\n') == std::string::npos);
}

TEST_CASE("JSON that is no fingerprint is an Error that says why") {
  const std::string good = host_fingerprint_to_json(full_host());
  const auto why = [](const std::string& json) {
    const Result<HostFingerprint> read = host_fingerprint_from_json(json);
    return read ? std::string("read") : read.error().message;
  };
  const auto with = [&](const std::string& old_text, const std::string& new_text) {
    std::string json = good;
    REQUIRE(json.find(old_text) != std::string::npos);
    return json.replace(json.find(old_text), old_text.size(), new_text);
  };
  for (std::size_t length = 0; length < good.size(); ++length) {
    REQUIRE_FALSE(host_fingerprint_from_json(std::string_view(good).substr(0, length)).has_value());
  }
  CHECK(why("[]").find("no object") != std::string::npos);
  CHECK(why("{}").find("\"cpu_model\" is missing") != std::string::npos);
  CHECK(why(with("\"cpus\":4", "\"cpus\":-4")).find("\"cpus\"") != std::string::npos);
  CHECK(why(with("\"cpus\":4", "\"cpus\":4.5")).find("\"cpus\"") != std::string::npos);
  CHECK(why(with("\"smt\":\"on\"", "\"smt\":\"maybe\"")).find("\"smt\"") != std::string::npos);
  CHECK(why(with("\"smt\":\"on\"", "\"smt\":true")).find("\"smt\"") != std::string::npos);
  CHECK(why(with("0.31", "-1")).find("\"load_average\"") != std::string::npos);
  CHECK(why(with("0.31", "1e999")) != "read");
  CHECK(why(with("glibc", "\xff\xfe")) != "read");
  CHECK(why(with("glibc", std::string(1 << 17, 'x'))).find("64 KiB") != std::string::npos);
  CHECK(why(std::string(60'000, '[')) != "read");
  CHECK(why(with("{", "{\"of a later version\":[1],")) == "read");
  // What comes in is shown on a terminal.
  CHECK(host_fingerprint_from_json(with("glibc", "\\u001b[2J\\n"))->libc.find('\x1b') == std::string::npos);
}

TEST_CASE("two machines' differences are named with both values") {
  const HostFingerprint a = full_host();
  CHECK(differences(a, a).empty());
  HostFingerprint b = a;
  b.load_average = 7.0;
  b.memory_bytes -= b.memory_bytes / 200;
  CHECK(differences(a, b).empty());
  b.kernel = "6.18.5";
  b.governor = "";
  b.turbo = Setting::off;
  b.memory_bytes = 8ULL << 30;
  CHECK(differences(a, b) == std::vector<std::string>{"turbo on against off", "kernel 6.1.0-18-amd64 against 6.18.5",
                                                      "governor powersave against unknown",
                                                      "memory 15.5 GiB against 8.0 GiB"});
}

TEST_CASE("each member that is part of the identity makes a difference") {
  const HostFingerprint a = full_host();
  const auto count = [&](auto change) {
    HostFingerprint b = a;
    change(b);
    return differences(a, b).size();
  };
  CHECK(count([](auto& b) { b.cpu_model = "x"; }) == 1);
  CHECK(count([](auto& b) { b.board = "x"; }) == 1);
  CHECK(count([](auto& b) { b.cpus = 9; }) == 1);
  CHECK(count([](auto& b) { b.cores = 9; }) == 1);
  CHECK(count([](auto& b) { b.smt = Setting::off; }) == 1);
  CHECK(count([](auto& b) { b.virtual_machine = Setting::on; }) == 1);
  CHECK(count([](auto& b) { b.frequency_driver = "x"; }) == 1);
  CHECK(count([](auto& b) { b.huge_pages = "never"; }) == 1);
  CHECK(count([](auto& b) { b.address_space = "0"; }) == 1);
  CHECK(count([](auto& b) { b.file_system = "tmpfs"; }) == 1);
  CHECK(count([](auto& b) { b.compiler = "x"; }) == 1);
  CHECK(count([](auto& b) { b.libc = "x"; }) == 1);
}

TEST_CASE("what makes measurements noisy is named with the command that mends it") {
  Machine machine(lab_machine());
  machine.put("proc/loadavg", "3.90 0.20 0.10 2/345 6789\n");
  CHECK(all_of(noise_sources(machine.read())) ==
        "3.9 tasks ran here during the last minute, on 4 CPUs -> end what else runs; top shows it\n"
        "the CPU governor is powersave -> cpupower frequency-set -g performance\n"
        "turbo is on: the clock depends on the heat and on how many cores work -> "
        "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo\n"
        "4 CPUs are 2 cores: SMT siblings slow each other -> echo off > /sys/devices/system/cpu/smt/control\n"
        "transparent huge pages are always on: the kernel merges pages while a benchmark runs -> "
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled\n");
}

TEST_CASE("a machine that is set up for measuring gets no advice, and a virtual one no command") {
  HostFingerprint host = Machine(lab_machine()).read();
  host.governor = "performance";
  host.turbo = Setting::off;
  host.cores = host.cpus;
  host.huge_pages = "madvise";
  CHECK(all_of(noise_sources(host)) == "");
  host.virtual_machine = Setting::on;
  CHECK(all_of(noise_sources(host)) == "this is a virtual machine: its host's other guests are measured too -> \n");
  host.virtual_machine = Setting::off;
  host.turbo = Setting::on;
  host.frequency_driver = "acpi-cpufreq";
  CHECK(noise_sources(host).at(0).remedy == "echo 0 > /sys/devices/system/cpu/cpufreq/boost");
}

TEST_CASE("a machine is described on one line") {
  CHECK(describe(Machine(raspberry_pi()).read()) ==
        "Cortex-A76, Raspberry Pi 5 Model B Rev 1.0, 4 CPUs, governor ondemand, huge pages madvise");
  CHECK(describe(Machine(lab_machine()).read()) ==
        "Intel(R) Xeon(R) E-2278G, 4 CPUs, 2 cores, 15.5 GiB, Linux 6.1.0-18-amd64, governor powersave, turbo on, "
        "huge pages always, xfs");
}
