/// Reads /proc and /sys as proc(5), cpuinfo and Documentation/admin-guide/pm/cpufreq.rst have them; JSON; comparison.

#include "measure/host_fingerprint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gnu/libc-version.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/cpu_set.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "base/text.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;  ///< Written.
using Document = nlohmann::json;      ///< Read: ordered_json looks keys up one by one, and a stranger may send many.
using Setting = HostFingerprint::Setting;

constexpr std::size_t kMaxTextBytes = 200;
constexpr std::size_t kMaxFileBytes = 4u << 20;  ///< /proc/cpuinfo of 1024 CPUs is 1.5 MB.
constexpr std::size_t kMaxJsonBytes = 64u << 10;
constexpr double kMemoryTolerance = 0.01;
constexpr std::array<std::string_view, 3> kSettingNames = {"unknown", "off", "on"};

std::string_view name_of(Setting setting) {
  return kSettingNames.at(static_cast<std::size_t>(setting));
}

// ---- files ----------------------------------------------------------------------------------------------------------

/// Empty if it is not there or may not be read: a machine need not tell.
std::string contents(const fs::path& file) {
  Result<std::string> text = read_file(file, kMaxFileBytes);
  return text ? *std::move(text) : "";
}

std::string line_of(const fs::path& file) {
  std::string text = contents(file);
  std::erase(text, '\0');  // A device tree's strings end with one.
  return one_line(text, kMaxTextBytes);
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  text = trim(text);
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The values of "key<spaces>: value" lines, each once, in the order of the file.
std::vector<std::string> values_of(std::string_view text, std::string_view key) {
  std::vector<std::string> values;
  for (const std::string_view line : split_lines(text)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || trim(line.substr(0, colon)) != key) continue;
    std::string value = one_line(line.substr(colon + 1), kMaxTextBytes);
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(std::move(value));
  }
  return values;
}

bool has_word(std::string_view text, std::string_view word) {
  return fmt::format(" {} ", text).find(fmt::format(" {} ", word)) != std::string::npos;
}

/// None if it is no list of CPUs.
std::vector<int> cpu_list(std::string_view list) {
  Result<std::vector<int>> cpus = parse_cpu_list(list);
  return cpus ? *std::move(cpus) : std::vector<int>{};
}

// ---- the parts of a fingerprint -------------------------------------------------------------------------------------

/// Arm's own cores (implementer 0x41) in Raspberry Pis and servers, by part; Linux, arch/arm64/include/asm/cputype.h.
std::string arm_core(const std::string& implementer, const std::string& part) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kArmCores = {{
      {"0xd03", "Cortex-A53"},
      {"0xd05", "Cortex-A55"},
      {"0xd07", "Cortex-A57"},
      {"0xd08", "Cortex-A72"},
      {"0xd0b", "Cortex-A76"},
      {"0xd0c", "Neoverse-N1"},
      {"0xd40", "Neoverse-V1"},
      {"0xd41", "Cortex-A78"},
      {"0xd49", "Neoverse-N2"},
      {"0xd4f", "Neoverse-V2"},
  }};
  if (implementer == "0x41") {
    for (const auto& [number, name] : kArmCores) {
      if (number == part) return std::string(name);
    }
  }
  return fmt::format("{}/{}", implementer, part);
}

std::string cpu_model(const std::string& cpuinfo) {
  // Before "model name": 32-bit ARM kernels have both, and there the name is but "ARMv7 Processor rev 3 (v7l)".
  const std::vector<std::string> parts = values_of(cpuinfo, "CPU part");
  if (!parts.empty()) {
    const std::vector<std::string> implementers = values_of(cpuinfo, "CPU implementer");
    std::vector<std::string> cores;
    for (const std::string& part : parts) cores.push_back(arm_core(implementers.empty() ? "" : implementers[0], part));
    return fmt::format("{}", fmt::join(cores, " + "));
  }
  for (const char* key : {"model name", "uarch", "cpu model", "cpu"}) {  // x86, RISC-V, MIPS, POWER
    const std::vector<std::string> names = values_of(cpuinfo, key);
    if (!names.empty()) return names[0];
  }
  return "";
}

std::vector<int> allowed_cpus(const fs::path& root) {
  const std::vector<std::string> lists = values_of(contents(root / "proc/self/status"), "Cpus_allowed_list");
  // Allowed may be more than there are: a mask of all ones.
  const std::vector<int> online = cpu_list(line_of(root / "sys/devices/system/cpu/online"));
  if (lists.empty()) return online;
  std::vector<int> allowed = cpu_list(lists[0]);
  const auto is_online = [&](int cpu) { return std::find(online.begin(), online.end(), cpu) != online.end(); };
  if (!online.empty()) std::erase_if(allowed, [&](int cpu) { return !is_online(cpu); });
  return allowed;
}

fs::path cpu_folder(const fs::path& root, int cpu) {
  return root / "sys/devices/system/cpu" / fmt::format("cpu{}", cpu);
}

std::uint64_t count_cores(const fs::path& root, const std::vector<int>& cpus) {
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const std::string siblings = line_of(cpu_folder(root, cpu) / "topology/thread_siblings_list");
    if (siblings.empty()) return 0;
    cores.insert(siblings);
  }
  return cores.size();
}

/// What the CPUs have in this file: "performance", or "performance, powersave" where they differ.
std::string of_all_cpus(const fs::path& root, const std::vector<int>& cpus, const char* file) {
  std::set<std::string> values;
  for (const int cpu : cpus) {
    std::string value = line_of(cpu_folder(root, cpu) / file);
    if (!value.empty()) values.insert(std::move(value));
  }
  return one_line(fmt::format("{}", fmt::join(values, ", ")), kMaxTextBytes);
}

Setting switch_in(const fs::path& file, std::string_view on, std::string_view off) {
  const std::string value = line_of(file);
  return value == on ? Setting::on : value == off ? Setting::off : Setting::unknown;
}

Setting turbo(const fs::path& root, const std::vector<int>& cpus) {
  const fs::path folder = root / "sys/devices/system/cpu";
  const Setting intel = switch_in(folder / "intel_pstate/no_turbo", "0", "1");
  if (intel != Setting::unknown) return intel;
  const Setting boost = switch_in(folder / "cpufreq/boost", "1", "0");
  if (boost != Setting::unknown || cpus.empty()) return boost;
  return switch_in(cpu_folder(root, cpus.front()) / "cpufreq/boost", "1", "0");  // amd_pstate since Linux 6.11.
}

Setting virtual_machine(const fs::path& root, const std::string& cpuinfo, const std::string& board) {
  // x86's CPUs say so themselves.
  for (const std::string_view line : split_lines(cpuinfo)) {
    if (line.starts_with("flags")) return has_word(line, "hypervisor") ? Setting::on : Setting::off;
  }
  std::error_code error;
  if (fs::exists(root / "sys/hypervisor/type", error) || fs::exists(root / "proc/device-tree/hypervisor", error)) {
    return Setting::on;
  }
  const std::string maker = line_of(root / "sys/class/dmi/id/sys_vendor");
  const std::string product = line_of(root / "sys/class/dmi/id/product_name");
  if (maker == "QEMU" || maker.starts_with("VMware") || maker == "Xen" ||
      product.find("Virtual") != std::string::npos) {
    return Setting::on;
  }
  if (board == "linux,dummy-virt") return Setting::on;  // QEMU's and crosvm's "virt" machine.
  return board.empty() && maker.empty() ? Setting::unknown : Setting::off;
}

/// "always [madvise] never" -> "madvise".
std::string chosen(const std::string& choices) {
  const std::size_t open = choices.find('[');
  const std::size_t close = choices.find(']', open == std::string::npos ? 0 : open);
  return close == std::string::npos || open == std::string::npos ? "" : choices.substr(open + 1, close - open - 1);
}

/// mountinfo writes a space as \040 (proc(5)).
std::string without_octal(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, byte, 8).ptr == text.data() + i + 4) {
      plain += static_cast<char>(byte);
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

std::string file_system(const fs::path& workspace, const fs::path& root) {
  std::error_code error;
  const fs::path absolute = fs::weakly_canonical(fs::absolute(workspace, error), error);
  const std::string mounts = contents(root / "proc/self/mountinfo");
  std::string type;
  std::size_t longest = 0;
  for (const std::string_view line : split_lines(mounts)) {
    // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
    const std::size_t mark = line.find(" - ");
    if (mark == std::string_view::npos) continue;
    std::string_view rest = line;
    for (int field = 0; field < 4; ++field) rest.remove_prefix(std::min(rest.size(), rest.find(' ') + 1));
    const std::string mount_point = without_octal(rest.substr(0, rest.find(' ')));
    // Of two at the same place the later one hides the earlier one.
    if (mount_point.size() < longest || !lies_in(absolute, mount_point)) continue;
    longest = mount_point.size();
    const std::string_view name = line.substr(mark + 3);
    type = one_line(name.substr(0, name.find(' ')), kMaxTextBytes);
  }
  return type;
}

double load_average(const fs::path& root) {
  const std::string text = line_of(root / "proc/loadavg");
  double load = 0.0;
  std::from_chars(text.data(), text.data() + text.size(), load);
  return std::isfinite(load) && load >= 0.0 ? load : 0.0;
}

/// A build that finds $CXX takes it, and otherwise c++ or g++.
std::string compiler_version() {
  const char* chosen_compiler = std::getenv("CXX");
  std::vector<std::string> compilers = {"c++", "g++"};
  if (chosen_compiler != nullptr && *chosen_compiler != '\0') compilers = {chosen_compiler};
  for (const std::string& compiler : compilers) {
    Command command;
    command.line = compiler + " --version";  // By the shell: "ccache g++" are two words.
    command.directory = "/";
    command.timeout = std::chrono::seconds(10);
    const Result<CommandResult> ran = run_command(command);
    if (ran && ran->succeeded()) return one_line(ran->out.substr(0, ran->out.find('\n')), kMaxTextBytes);
  }
  return "";
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

/// What is wrong with a document. Thrown and caught in this file alone.
struct Mistake {
  std::string text;
};

const Document& member(const Document& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) throw Mistake{fmt::format("\"{}\" is missing", key)};
  return *found;
}

std::string text_member(const Document& object, const char* key) {
  const Document& value = member(object, key);
  if (!value.is_string()) throw Mistake{fmt::format("\"{}\" is no string", key)};
  return one_line(value.get_ref<const std::string&>(), kMaxTextBytes);  // It will be shown on a terminal.
}

std::uint64_t count_member(const Document& object, const char* key) {
  const Document& value = member(object, key);
  if (!value.is_number_unsigned()) throw Mistake{fmt::format("\"{}\" is no whole number from 0", key)};
  return value.get<std::uint64_t>();
}

double double_member(const Document& object, const char* key) {
  const Document& value = member(object, key);
  if (!value.is_number() || !(value.get<double>() >= 0.0) || !std::isfinite(value.get<double>())) {
    throw Mistake{fmt::format("\"{}\" is no number from 0", key)};
  }
  return value.get<double>();
}

Setting setting_member(const Document& object, const char* key) {
  const std::string name = text_member(object, key);
  const auto* found = std::find(kSettingNames.begin(), kSettingNames.end(), name);
  if (found == kSettingNames.end()) throw Mistake{fmt::format("\"{}\" is none of unknown, off, on", key)};
  return static_cast<Setting>(found - kSettingNames.begin());
}

HostFingerprint read_host(const Document& json) {
  HostFingerprint host;
  host.cpu_model = text_member(json, "cpu_model");
  host.board = text_member(json, "board");
  host.cpus = count_member(json, "cpus");
  host.cores = count_member(json, "cores");
  host.smt = setting_member(json, "smt");
  host.turbo = setting_member(json, "turbo");
  host.virtual_machine = setting_member(json, "virtual_machine");
  host.kernel = text_member(json, "kernel");
  host.frequency_driver = text_member(json, "frequency_driver");
  host.governor = text_member(json, "governor");
  host.huge_pages = text_member(json, "huge_pages");
  host.address_space = text_member(json, "address_space");
  host.memory_bytes = count_member(json, "memory_bytes");
  host.file_system = text_member(json, "file_system");
  host.compiler = text_member(json, "compiler");
  host.libc = text_member(json, "libc");
  host.load_average = double_member(json, "load_average");
  return host;
}

// ---- words ----------------------------------------------------------------------------------------------------------

std::string or_unknown(std::string_view text) {
  return std::string(text.empty() ? "unknown" : text);
}

std::string gibibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1u << 30));
}

std::string count_or_unknown(std::uint64_t count) {
  return count == 0 ? "unknown" : std::to_string(count);
}

bool differs_in_memory(std::uint64_t a, std::uint64_t b) {
  const auto larger = static_cast<double>(std::max(a, b));
  const auto smaller = static_cast<double>(std::min(a, b));
  return larger - smaller > kMemoryTolerance * larger;
}

}  // namespace

HostFingerprint read_host_files(const fs::path& workspace, const fs::path& root) {
  const std::string cpuinfo = contents(root / "proc/cpuinfo");
  const std::vector<int> cpus = allowed_cpus(root);
  HostFingerprint host;
  host.cpu_model = cpu_model(cpuinfo);
  host.board = line_of(root / "proc/device-tree/model");
  host.cpus = cpus.size();
  host.cores = count_cores(root, cpus);
  host.smt = switch_in(root / "sys/devices/system/cpu/smt/active", "1", "0");
  host.turbo = turbo(root, cpus);
  host.virtual_machine = virtual_machine(root, cpuinfo, host.board);
  host.kernel = line_of(root / "proc/sys/kernel/osrelease");
  host.frequency_driver = of_all_cpus(root, cpus, "cpufreq/scaling_driver");
  host.governor = of_all_cpus(root, cpus, "cpufreq/scaling_governor");
  host.huge_pages = chosen(line_of(root / "sys/kernel/mm/transparent_hugepage/enabled"));
  host.address_space = line_of(root / "proc/sys/kernel/randomize_va_space");
  const std::vector<std::string> memory = values_of(contents(root / "proc/meminfo"), "MemTotal");
  host.memory_bytes = memory.empty() ? 0 : number_of(memory[0]) * 1024;  // "16303428 kB"
  host.file_system = file_system(workspace, root);
  host.load_average = load_average(root);
  return host;
}

HostFingerprint read_host_fingerprint(const fs::path& workspace) {
  HostFingerprint host = read_host_files(workspace);
  host.compiler = compiler_version();
  host.libc = fmt::format("glibc {}", ::gnu_get_libc_version());
  return host;
}

std::string host_fingerprint_to_json(const HostFingerprint& host) {
  const Json json{{"cpu_model", host.cpu_model},
                  {"board", host.board},
                  {"cpus", host.cpus},
                  {"cores", host.cores},
                  {"smt", name_of(host.smt)},
                  {"turbo", name_of(host.turbo)},
                  {"virtual_machine", name_of(host.virtual_machine)},
                  {"kernel", host.kernel},
                  {"frequency_driver", host.frequency_driver},
                  {"governor", host.governor},
                  {"huge_pages", host.huge_pages},
                  {"address_space", host.address_space},
                  {"memory_bytes", host.memory_bytes},
                  {"file_system", host.file_system},
                  {"compiler", host.compiler},
                  {"libc", host.libc},
                  {"load_average", host.load_average}};
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Result<HostFingerprint> host_fingerprint_from_json(std::string_view json) {
  try {
    if (json.size() > kMaxJsonBytes) throw Mistake{fmt::format("it is over {} KiB", kMaxJsonBytes >> 10)};
    const Document document = Document::parse(json, nullptr, /*allow_exceptions=*/false);
    if (document.is_discarded()) throw Mistake{"it is no valid JSON"};
    if (!document.is_object()) throw Mistake{"it is no object"};
    return read_host(document);
  } catch (const Mistake& mistake) {
    return Error{Error::Code::invalid_argument, "cannot read the JSON of a host's fingerprint: " + mistake.text};
  } catch (const std::exception& error) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("cannot read the JSON of a host's fingerprint: {}", error.what())};
  }
}

std::vector<std::string> differences(const HostFingerprint& a, const HostFingerprint& b) {
  std::vector<std::string> found;
  const auto compare = [&](const char* name, const std::string& x, const std::string& y) {
    if (x != y) found.push_back(fmt::format("{} {} against {}", name, or_unknown(x), or_unknown(y)));
  };
  const auto compare_settings = [&](const char* name, Setting x, Setting y) {
    compare(name, std::string(name_of(x)), std::string(name_of(y)));
  };
  compare("CPU", a.cpu_model, b.cpu_model);
  compare("board", a.board, b.board);
  compare("CPUs", count_or_unknown(a.cpus), count_or_unknown(b.cpus));
  compare("cores", count_or_unknown(a.cores), count_or_unknown(b.cores));
  compare_settings("SMT", a.smt, b.smt);
  compare_settings("turbo", a.turbo, b.turbo);
  compare_settings("virtual machine", a.virtual_machine, b.virtual_machine);
  compare("kernel", a.kernel, b.kernel);
  compare("frequency driver", a.frequency_driver, b.frequency_driver);
  compare("governor", a.governor, b.governor);
  compare("transparent huge pages", a.huge_pages, b.huge_pages);
  compare("randomize_va_space", a.address_space, b.address_space);
  if (differs_in_memory(a.memory_bytes, b.memory_bytes)) {
    found.push_back(fmt::format("memory {} against {}", gibibytes(a.memory_bytes), gibibytes(b.memory_bytes)));
  }
  compare("file system", a.file_system, b.file_system);
  compare("compiler", a.compiler, b.compiler);
  compare("C library", a.libc, b.libc);
  return found;
}

std::vector<NoiseSource> noise_sources(const HostFingerprint& host) {
  std::vector<NoiseSource> found;
  // What else runs takes more than anything below gives: a quarter of the CPUs.
  if (host.cpus > 0 && host.load_average > 0.25 * static_cast<double>(host.cpus)) {
    found.push_back({fmt::format("{:.1f} tasks ran here during the last minute, on {} CPU{}", host.load_average,
                                 host.cpus, host.cpus == 1 ? "" : "s"),
                     "end what else runs; top shows it"});
  }
  // "userspace" holds the frequency too.
  if (!host.governor.empty() && host.governor != "performance" && host.governor != "userspace") {
    found.push_back({fmt::format("the CPU governor is {}", host.governor), "cpupower frequency-set -g performance"});
  }
  if (host.turbo == Setting::on) {
    // The drivers of drivers/cpufreq/intel_pstate.c are the two that start so.
    const bool intel = host.frequency_driver.starts_with("intel_");
    found.push_back({"turbo is on: the clock depends on the heat and on how many cores work",
                     intel ? "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
                           : "echo 0 > /sys/devices/system/cpu/cpufreq/boost"});
  }
  if (host.cores > 0 && host.cores < host.cpus) {
    found.push_back({fmt::format("{} CPUs are {} core{}: SMT siblings slow each other", host.cpus, host.cores,
                                 host.cores == 1 ? "" : "s"),
                     "echo off > /sys/devices/system/cpu/smt/control"});
  }
  if (host.huge_pages == "always") {
    found.push_back({"transparent huge pages are always on: the kernel merges pages while a benchmark runs",
                     "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"});
  }
  if (host.virtual_machine == Setting::on) {
    found.push_back({"this is a virtual machine: its host's other guests are measured too", ""});
  }
  return found;
}

std::string describe(const HostFingerprint& host) {
  std::vector<std::string> parts = {host.cpu_model.empty() ? "unknown CPU" : host.cpu_model};
  const auto add = [&](const char* before, const std::string& value, const char* after = "") {
    if (!value.empty()) parts.push_back(before + value + after);
  };
  add("", host.board);
  if (host.cpus > 0) parts.push_back(fmt::format("{} CPU{}", host.cpus, host.cpus == 1 ? "" : "s"));
  if (host.cores > 0 && host.cores < host.cpus) parts.push_back(fmt::format("{} cores", host.cores));
  if (host.memory_bytes > 0) parts.push_back(gibibytes(host.memory_bytes));
  if (host.virtual_machine == Setting::on) parts.push_back("virtual machine");
  add("Linux ", host.kernel);
  add("governor ", host.governor);
  if (host.turbo != Setting::unknown) parts.push_back(fmt::format("turbo {}", name_of(host.turbo)));
  add("huge pages ", host.huge_pages);
  add("", host.file_system);
  add("", host.compiler);
  add("", host.libc);
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace aiopt
