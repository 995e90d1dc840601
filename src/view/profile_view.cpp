/// The profile's view: see the header.

#include "view/profile_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace aiopt {

namespace {

constexpr int kBarColumns = 40;
constexpr std::size_t kWidestCell = 48;
constexpr std::size_t kMostTargetRows = 20;

/// From the program's own debug information: nothing in it may steer the terminal.
std::string name_cell(std::string_view name) {
  return name.empty() ? "?" : one_line(name, kWidestCell);
}

/// "src/wal.cc:47"
std::string line_cell(const CodePlace& place, const std::filesystem::path& folder) {
  if (place.file.empty()) return "";
  std::string file = place.file;
  const std::string prefix = folder.string() + "/";
  if (file.starts_with(prefix)) file.erase(0, prefix.size());
  file = one_line(file, 200);
  return place.line > 0 ? fmt::format("{}:{}", file, place.line) : file;
}

/// Columns as wide as their cells, but the last; two spaces between. All to the left.
std::string table_of(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i].size() <= kWidestCell) widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format(" {:<{}} ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

// ---- off-CPU --------------------------------------------------------------------------------------------------------

std::string class_bars(const OffCpuProfile& profile) {
  const auto all = static_cast<double>(std::max<std::uint64_t>(1, profile.samples - profile.idle_samples));
  std::string text;
  for (const WaitClass kind : {WaitClass::io, WaitClass::lock, WaitClass::scheduling, WaitClass::other}) {
    const double share = static_cast<double>(profile.by_class[static_cast<std::size_t>(kind)]) / all;
    const auto columns = static_cast<std::size_t>(std::lround(share * kBarColumns));
    std::string line = fmt::format("  {:<10} {:5.1f} %  {}", to_string(kind), 100.0 * share, std::string(columns, '#'));
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string blocker_table(const OffCpuProfile& profile, const std::filesystem::path& folder) {
  if (profile.top_blockers.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"share", "class", "function", "line", "sleeps in"}};
  for (const Blocker& blocker : profile.top_blockers) {
    rows.push_back({fmt::format("{:4.1f} %", 100.0 * blocker.share), std::string(to_string(blocker.kind)),
                    name_cell(blocker.place.function), line_cell(blocker.place, folder),
                    one_line(blocker.kernel_function, kWidestCell)});
  }
  return "\n" + table_of(rows);
}

std::string off_cpu_view(const OffCpuProfile& profile, const std::filesystem::path& folder) {
  const std::string with_idle =
      profile.idle_samples == 0
          ? ""
          : fmt::format(" ({:.1f} % with {} idle samples)", 100.0 * profile.ratio_with_idle, profile.idle_samples);
  return fmt::format("off-CPU  {:.1f} % of the threads' time{}, {} samples, {}\n", 100.0 * profile.ratio, with_idle,
                     profile.samples, profile.source) +
         class_bars(profile) + blocker_table(profile, folder);
}

// ---- causal ---------------------------------------------------------------------------------------------------------

/// What to show of a curve: the point that makes max_effect, else the last.
const CausalPoint& shown_point(const CausalTarget& target) {
  const auto is_shown = [&](const CausalPoint& point) { return point.effect == target.max_effect; };
  const auto found = std::find_if(target.curve.begin() + 1, target.curve.end(), is_shown);
  return target.max_effect > 0.0 && found != target.curve.end() ? *found : target.curve.back();
}

std::string_view verdict_of(const CausalTarget& target) {
  if (target.max_effect > 0.0) return "pays off";
  return target.contention ? "makes it slower" : "not told from 0";
}

std::vector<std::string> target_row(const CausalTarget& target, const std::filesystem::path& folder) {
  const CausalPoint& point = shown_point(target);
  const std::string where = target.scope == "line" ? line_cell(target.place, folder) : one_line(target.scope, 60);
  return {where.empty() ? "?" : where,
          target.scope == "line" ? name_cell(target.place.function) : one_line(target.given, kWidestCell),
          one_line(target.progress_point, kWidestCell),
          fmt::format("{:.0f} %", 100.0 * point.virtual_speedup),
          fmt::format("{:+.1f} % ({:+.1f} to {:+.1f})", 100.0 * point.effect, 100.0 * point.lower, 100.0 * point.upper),
          target.is_latency ? "latency" : fmt::format("{:.2f}x", point.throughput_factor()),
          std::string(verdict_of(target))};
}

std::string causal_view(const CausalProfile& profile, const std::filesystem::path& folder) {
  std::string text =
      fmt::format("causal   {}, {} experiments, {} not used\n", profile.source, profile.experiments, profile.discarded);
  std::vector<std::vector<std::string>> rows = {
      {"line", "function", "progress", "if faster by", "time saved (95 %)", "throughput", ""}};
  std::size_t left_out = 0;
  for (const CausalTarget& target : profile.targets) {
    if (target.curve.size() < 2) continue;
    if (rows.size() <= kMostTargetRows) {
      rows.push_back(target_row(target, folder));
    } else {
      ++left_out;
    }
  }
  if (rows.size() > 1) text += table_of(rows);
  if (left_out > 0) text += fmt::format("  and {} more; --json has all\n", left_out);
  return text;
}

}  // namespace

std::string describe(const Profile& profile, const std::filesystem::path& folder) {
  std::string text;
  if (profile.off_cpu) text += off_cpu_view(*profile.off_cpu, folder);
  if (profile.off_cpu && profile.causal) text += "\n";
  if (profile.causal) text += causal_view(*profile.causal, folder);
  return text;
}

}  // namespace aiopt
