/// The report's columns as perf's ui/stdio/hist.c prints them, and the trees of call chains by their indentation.

#include "profile/bperf_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "profile/profile_numbers.hpp"

namespace aiopt {
namespace {

constexpr double kPeriodNs = 1e6;
constexpr double kAssumedSamples = 10'000.0;
/// 31 years of samples: sums of such cannot overflow, and what is above is no report.
constexpr double kMostSamples = 1e12;
/// perf itself unwinds at most 127 frames, and no demangled name of use is longer than that.
constexpr std::size_t kDeepestStack = 512;
constexpr std::size_t kLongestSymbol = 1000;
/// Each path of a tree holds all frames above it: a small text could make as many as fill the memory.
constexpr std::size_t kRoomForPaths = 64u << 20;
constexpr std::size_t kBytesOfPath = 256;

/// A path of a call chain's tree: frames as printed, from the top of the page down.
struct ChainPath {
  std::size_t name_column = 0;  ///< Where its frames stand after the first.
  double percent = 0.0;         ///< Of all samples; 0: not said.
  double percent_of_children = 0.0;
  std::vector<std::string> frames;
};

struct ReportEntry {
  double percent = 0.0;
  std::string thread;
  std::string object;
  char letter = '.';
  std::string symbol;
  std::vector<ChainPath> paths;  ///< Complete ones.
};

struct ReportSection {
  std::string event;
  double samples = 0.0;      ///< As "# Samples:" says; 0: not said.
  double event_count = 0.0;  ///< ns, of a clock.
  bool has_children = false;
  std::vector<ReportEntry> entries;
};

// ---- the tree of an entry -------------------------------------------------------------------------------------------

/// Follows the lines of one tree:
///     |--6.38%--a        a path with a share hangs from the "|"; its other frames stand 11 columns right of that
///     |          b
///      --2.13%--c        the last path of its parent has no "|" in front
///     ---d               the only path; its other frames stand 3 columns to the right
class ChainTree {
 public:
  void read(std::string_view line) {
    const std::size_t at = line.find_first_not_of(" |");
    if (at == std::string_view::npos) return;
    const std::string_view rest = line.substr(at);
    if (rest.starts_with("---")) {
      open(at, at + 3, 0.0, rest.substr(3));
    } else if (rest.starts_with("--") && at > 0) {
      open_with_share(at - 1, rest.substr(2));
    } else if (!open_.empty()) {
      close_down_to(at);
      if (!open_.empty()) add_frame(open_.back(), rest);
    }
  }

  std::vector<ChainPath> take() {
    while (!open_.empty()) close_last();
    return std::exchange(complete_, {});
  }

 private:
  void open_with_share(std::size_t marker_column, std::string_view text) {
    const std::size_t sign = text.find('%');
    if (sign == std::string_view::npos || text.substr(sign + 1, 2) != "--") return;
    const double percent = parse_decimal(text.substr(0, sign)).value_or(0.0);
    open(marker_column, marker_column + 11, percent, text.substr(sign + 3));
  }

  void open(std::size_t marker_column, std::size_t name_column, double percent, std::string_view name) {
    close_down_to(marker_column);
    ChainPath path;
    path.name_column = name_column;
    path.percent = percent;
    std::size_t bytes = kBytesOfPath;
    if (!open_.empty()) {
      for (const std::string& frame : open_.back().frames) bytes += frame.size() + sizeof(StackFrame);
    }
    if (bytes > room_) return;
    room_ -= bytes;
    if (!open_.empty()) {
      path.frames = open_.back().frames;
      open_.back().percent_of_children += percent;
    }
    add_frame(path, name);
    open_.push_back(std::move(path));
  }

  /// The last open path is then the one whose frames stand at the column, if there is one.
  void close_down_to(std::size_t column) {
    while (!open_.empty() && open_.back().name_column > column) close_last();
  }

  void close_last() {
    ChainPath path = std::move(open_.back());
    open_.pop_back();
    path.percent -= path.percent_of_children;
    // Where its children say all of it, nothing is left that ends here; shares have two digits.
    if (path.percent_of_children == 0.0 || path.percent > 0.02) complete_.push_back(std::move(path));
  }

  static void add_frame(ChainPath& path, std::string_view name) {
    if (path.frames.size() < kDeepestStack) path.frames.emplace_back(trim(name).substr(0, kLongestSymbol));
  }

  std::vector<ChainPath> open_;  ///< Each hangs from the one before it.
  std::vector<ChainPath> complete_;
  std::size_t room_ = kRoomForPaths;
};

// ---- lines ----------------------------------------------------------------------------------------------------------

/// Columns are two blanks or more apart; a command or a path may hold single ones.
std::vector<std::string_view> columns_of(std::string_view text) {
  std::vector<std::string_view> columns;
  text = trim(text);
  while (!text.empty()) {
    const std::size_t gap = std::min(text.find("  "), text.size());
    columns.push_back(text.substr(0, gap));
    text = trim(text.substr(gap));
  }
  if (columns.size() == 1 && columns[0].find(' ') != std::string_view::npos) {
    const std::string_view both = columns[0];
    const std::size_t blank = both.rfind(' ');
    columns = {trim(both.substr(0, blank)), both.substr(blank + 1)};
  }
  return columns;
}

/// "27K of event 'task-clock'" -> 27000. perf rounds to three digits.
double rounded_count(std::string_view text) {
  std::string_view number = text.substr(0, text.find(' '));
  double unit = 1.0;
  if (number.ends_with('K')) unit = 1e3;
  if (number.ends_with('M')) unit = 1e6;
  if (number.ends_with('G')) unit = 1e9;
  if (unit > 1.0) number.remove_suffix(1);
  return parse_decimal(number).value_or(0.0) * unit;
}

/// "  48.73%   41.07%  kvtest  [kernel.vmlinux]  [L] futex_wait_queue_me": the last of the shares is the entry's own.
std::optional<ReportEntry> entry_of(std::string_view line) {
  std::string_view rest = trim(line);
  std::optional<double> percent;
  for (int shares = 0; shares < 2; ++shares) {
    const std::size_t sign = rest.find('%');
    if (sign == std::string_view::npos) break;
    const std::optional<double> share = parse_decimal(rest.substr(0, sign));
    if (!share) break;
    percent = share;
    rest = trim(rest.substr(sign + 1));
  }
  if (!percent || *percent < 0.0 || *percent > 100.0) return std::nullopt;
  std::size_t mark = rest.find('[');
  while (mark != std::string_view::npos && rest.substr(mark + 2, 2) != "] ") mark = rest.find('[', mark + 1);
  if (mark == std::string_view::npos) return std::nullopt;
  ReportEntry entry;
  entry.percent = *percent;
  entry.letter = rest[mark + 1];
  entry.symbol = trim(rest.substr(mark + 4)).substr(0, kLongestSymbol);
  std::vector<std::string_view> columns = columns_of(rest.substr(0, mark));
  // -n puts a number of samples in front, which bperf adds up wrongly.
  if (columns.size() > 2 && parse_count(columns.front())) columns.erase(columns.begin());
  if (!columns.empty()) entry.object = columns.back();
  if (columns.size() > 1) entry.thread = columns.front();
  if (entry.symbol.empty()) return std::nullopt;
  return entry;
}

class ReportReader {
 public:
  void read(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) return read_header(trim(line.substr(1)));
    if (line.find('%') != std::string_view::npos) {
      if (std::optional<ReportEntry> entry = entry_of(line)) {
        end_entry();
        section().entries.push_back(*std::move(entry));
        in_entry_ = true;
        return;
      }
    }
    if (in_entry_) tree_.read(line);
  }

  std::vector<ReportSection> take() {
    end_entry();
    return std::move(sections_);
  }

 private:
  ReportSection& section() {
    if (sections_.empty()) sections_.emplace_back();
    return sections_.back();
  }

  void end_entry() {
    std::vector<ChainPath> paths = tree_.take();
    if (in_entry_) section().entries.back().paths = std::move(paths);
    in_entry_ = false;
  }

  void read_header(std::string_view header) {
    constexpr std::string_view kSamples = "Samples:";
    constexpr std::string_view kEventCount = "Event count (approx.):";
    if (header.starts_with(kSamples)) {
      end_entry();
      ReportSection begun;
      begun.samples = rounded_count(trim(header.substr(kSamples.size())));
      const std::size_t quote = header.find('\'');
      if (quote != std::string_view::npos) begun.event = header.substr(quote + 1, header.rfind('\'') - quote - 1);
      sections_.push_back(std::move(begun));
    } else if (header.starts_with(kEventCount)) {
      section().event_count = parse_decimal(trim(header.substr(kEventCount.size()))).value_or(0.0);
    } else if (header.starts_with("Children")) {
      section().has_children = true;
    }
  }

  std::vector<ReportSection> sections_;
  ChainTree tree_;
  bool in_entry_ = false;
};

// ---- stacks ---------------------------------------------------------------------------------------------------------

std::optional<WaitClass> class_of_letter(char letter) {
  switch (letter) {
    case 'I':
      return WaitClass::io;
    case 'L':
      return WaitClass::lock;
    case 'S':
      return WaitClass::scheduling;
    case 'B':
      return WaitClass::other;
    default:
      return std::nullopt;
  }
}

bool is_kernel_object(std::string_view object) {
  return object.starts_with('[') && object != "[vdso]" && object != "[unknown]" && object != "[heap]" &&
         object != "[stack]" && object != "[vsyscall]";
}

/// The frame of the kernel that is entered first, of a thread or by it.
bool enters_kernel(std::string_view function) {
  constexpr std::array<std::string_view, 7> kEntries = {"entry_SYSCALL_64", "do_syscall_64", "el0_svc",      "el0t_64_",
                                                        "asm_sysvec_",      "asm_exc_",      "ret_from_fork"};
  return std::ranges::any_of(kEntries, [&](std::string_view entry) { return function.starts_with(entry); });
}

/// Innermost first, the entry's own symbol included. Nothing of a path that is not the entry's own: where children are
/// shown, it goes on to what the entry calls.
std::vector<std::string> innermost_first(const ReportEntry& entry, const ChainPath& path, bool has_children) {
  std::vector<std::string> frames = path.frames;
  const bool ends_with_entry = frames.back() == entry.symbol;
  const bool begins_with_entry = frames.front() == entry.symbol;
  if (has_children && !ends_with_entry) return {};
  if (ends_with_entry && (has_children || !begins_with_entry)) {
    std::ranges::reverse(frames);
  } else if (!begins_with_entry) {
    frames.insert(frames.begin(), entry.symbol);
  }
  return frames;
}

std::vector<StackFrame> frames_of(const ReportEntry& entry, const std::vector<std::string>& functions) {
  // Call chains name no object. Whatever lies inside of the way into the kernel is the kernel's.
  std::size_t kernel_frames = 0;
  if (is_kernel_object(entry.object)) {
    kernel_frames = 1;
    for (std::size_t i = 0; i < functions.size(); ++i) {
      if (enters_kernel(functions[i])) kernel_frames = i + 1;
    }
  }
  std::vector<StackFrame> frames;
  for (std::size_t i = 0; i < functions.size(); ++i) {
    StackFrame frame;
    // An address that perf knows no name for.
    if (!functions[i].starts_with("0x")) frame.place.function = functions[i];
    if (i == 0) frame.object = entry.object;
    if (i < kernel_frames) frame.object = "[kernel]";
    frames.push_back(std::move(frame));
  }
  return frames;
}

/// Largest remainders: what was rounded away goes to those that lost most, so that the sum is the report's.
void set_samples(std::vector<SampledStack>& stacks, const std::vector<double>& shares, double total) {
  const double sum = std::min(1.0, std::accumulate(shares.begin(), shares.end(), 0.0));
  std::vector<std::pair<double, std::size_t>> lost;
  auto missing = std::llround(sum * total);
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    const double exact = shares[i] * total;
    stacks[i].samples = static_cast<std::uint64_t>(exact);
    missing -= static_cast<long long>(stacks[i].samples);
    lost.emplace_back(exact - std::floor(exact), i);
  }
  std::ranges::stable_sort(lost, [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t i = 0; i < lost.size() && missing > 0; ++i, --missing) ++stacks[lost[i].second].samples;
}

class StackMaker {
 public:
  void add_entry(const ReportEntry& entry, bool has_children) {
    if (entry.percent == 0.0) return;
    std::vector<std::pair<std::vector<std::string>, double>> chains;
    double sum = 0.0;
    for (const ChainPath& path : entry.paths) {
      std::vector<std::string> functions = innermost_first(entry, path, has_children);
      if (functions.empty()) continue;
      const double weight = path.percent > 0.0 ? path.percent : entry.percent;
      sum += weight;
      chains.emplace_back(std::move(functions), weight);
    }
    if (chains.empty()) {
      chains.emplace_back(std::vector<std::string>{entry.symbol}, 1.0);
      sum = 1.0;
    }
    for (const auto& [functions, weight] : chains) {
      SampledStack stack;
      stack.wait = class_of_letter(entry.letter);
      stack.thread = entry.thread;
      stack.frames = frames_of(entry, functions);
      add(std::move(stack), entry.percent / 100.0 * weight / sum);
    }
  }

  std::vector<SampledStack> take(double total) {
    const double listed = std::accumulate(shares_.begin(), shares_.end(), 0.0);
    constexpr double kRounding = 0.005;  // Each of a hundred entries may be off by half of 0.01 %.
    if (listed < 1.0 - kRounding) add({}, 1.0 - listed);
    set_samples(stacks_, shares_, total);
    std::erase_if(stacks_, [](const SampledStack& stack) { return stack.samples == 0; });
    return std::move(stacks_);
  }

 private:
  void add(SampledStack stack, double share) {
    stacks_.push_back(std::move(stack));
    shares_.push_back(share);
  }

  std::vector<SampledStack> stacks_;
  std::vector<double> shares_;
};

double total_samples(const ReportSection& section) {
  // Of a clock the count is in nanoseconds; of anything else it says nothing about time.
  const bool is_clock = section.event.empty() || section.event.find("clock") != std::string::npos;
  if (is_clock && section.event_count >= kPeriodNs) return std::round(section.event_count / kPeriodNs);
  return section.samples > 0.0 ? section.samples : kAssumedSamples;
}

/// The clock's, of several; the first otherwise. Null if none has an entry.
const ReportSection* section_to_use(const std::vector<ReportSection>& sections) {
  const ReportSection* first = nullptr;
  for (const ReportSection& section : sections) {
    if (section.entries.empty()) continue;
    if (section.event.find("clock") != std::string::npos) return &section;
    if (first == nullptr) first = &section;
  }
  return first;
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

Error bad_report(std::string_view why) {
  return {Error::Code::corruption, fmt::format("read an off-CPU report: {}", why)};
}

std::optional<std::uint64_t> sample_count(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double count = found->get<double>();
  if (!(count >= 0.0 && count <= kMostSamples)) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(count));
}

Result<SampledStacks> read_json_report(std::string_view text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return bad_report("it begins like JSON, but is none");
  const std::optional<std::uint64_t> total = sample_count(json, "total_samples");
  const std::optional<std::uint64_t> off_cpu = sample_count(json, "off_cpu_samples");
  if (!total) return bad_report("\"total_samples\" is no number from 0");
  if (!off_cpu || *off_cpu > *total) return bad_report("\"off_cpu_samples\" is no number from 0 to \"total_samples\"");
  SampledStacks report;
  report.source = "bperf";
  std::uint64_t left = *off_cpu;
  const auto add = [&](std::optional<WaitClass> wait, const std::string& function, std::uint64_t samples) {
    if (samples == 0) return;
    SampledStack stack;
    stack.wait = wait;
    stack.samples = samples;
    if (!function.empty()) stack.frames.push_back({{function, "", 0}, "", false});
    report.stacks.push_back(std::move(stack));
  };
  const auto tops = json.find("top_off_cpu_stacks");
  if (tops != json.end() && tops->is_array()) {
    for (const nlohmann::json& top : *tops) {
      const auto function = top.is_object() ? top.find("func") : top.end();
      if (!top.is_object() || function == top.end() || !function->is_string()) {
        return bad_report("\"func\" of \"top_off_cpu_stacks\" is no text");
      }
      std::optional<std::uint64_t> samples = sample_count(top, "samples");
      if (!samples) {
        const std::optional<std::uint64_t> percent = sample_count(top, "pct");
        if (!percent) return bad_report("\"samples\" of \"top_off_cpu_stacks\" is no number from 0");
        samples = static_cast<std::uint64_t>(std::llround(top["pct"].get<double>() / 100.0 * double(*total)));
      }
      const std::uint64_t counted = std::min(*samples, left);
      left -= counted;
      add(WaitClass::other, function->get<std::string>(), counted);
    }
  }
  add(WaitClass::other, "", left);
  add(std::nullopt, "", *total - *off_cpu);
  return report;
}

}  // namespace

Result<SampledStacks> parse_bperf_report(std::string_view text) {
  if (const std::string_view kind = binary_kind(text); !kind.empty()) {
    return bad_report(fmt::format("the file is {}; bperf report --stdio makes what is read", kind));
  }
  if (trim(text).starts_with('{')) return read_json_report(text);
  ReportReader reader;
  for (const std::string_view line : split_lines(text)) reader.read(line);
  const std::vector<ReportSection> sections = reader.take();
  const ReportSection* section = section_to_use(sections);
  if (section == nullptr)
    return bad_report("none of its lines is an entry like \"41.07%  command  object  [L] symbol\"");
  const double total = total_samples(*section);
  if (!(total <= kMostSamples)) return bad_report("its event count is no duration");
  StackMaker maker;
  for (const ReportEntry& entry : section->entries) maker.add_entry(entry, section->has_children);
  SampledStacks report;
  report.source = "bperf";
  report.stacks = maker.take(total);
  return report;
}

}  // namespace aiopt
