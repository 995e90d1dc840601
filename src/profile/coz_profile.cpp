/// coz's records as profiler.cpp, progress_point.h and inspect.h of coz write them: one a line, keys and values.

#include "profile/coz_profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "profile/profile_numbers.hpp"

namespace aiopt {
namespace {

/// Far above a record with the longest path; what is longer is no record, and not worth a JSON parser's memory.
constexpr std::size_t kLongestRecord = 64u << 10;

/// The type of a record and its fields, keys as the text form spells them.
struct CozRecord {
  std::string type;
  std::map<std::string, std::string, std::less<>> fields;

  std::optional<std::string> text(std::string_view key) const {
    const auto found = fields.find(key);
    return found == fields.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
  }
  std::optional<double> decimal(std::string_view key) const { return parse_decimal(text(key).value_or("")); }
  std::optional<std::uint64_t> count(std::string_view key) const { return parse_count(text(key).value_or("")); }
};

/// coz 0.2.4 and 0.2.5 wrote "throughput_point", and keys of JSON are "selected_samples".
std::string with_hyphens(std::string name) {
  std::ranges::replace(name, '_', '-');
  return name;
}

CozRecord text_record(std::string_view line) {
  CozRecord record;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find('\t', begin), line.size());
    const std::string_view field = line.substr(begin, end - begin);
    const std::size_t equals = field.find('=');
    if (begin == 0) {
      record.type = with_hyphens(std::string(field));
    } else if (equals != std::string_view::npos) {
      record.fields[with_hyphens(std::string(field.substr(0, equals)))] = field.substr(equals + 1);
    }
    begin = end + 1;
  }
  return record;
}

std::optional<CozRecord> json_record(std::string_view line) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  CozRecord record;
  for (const auto& [key, value] : json.items()) {
    std::string text = value.is_string() ? value.get<std::string>() : value.is_number() ? value.dump() : "";
    if (key == "type") {
      record.type = with_hyphens(std::move(text));
    } else {
      record.fields[with_hyphens(key)] = std::move(text);
    }
  }
  return record;
}

/// Classes that bcoz selects in the place of a line, alone or with the base of a relational run in parentheses.
bool is_class_of_bcoz(std::string_view selected) {
  constexpr std::array<std::string_view, 6> kClasses = {"ON_CPU", "IO", "LOCK", "SCHEDULING", "BLOCKED", "OFF_CPU"};
  return std::ranges::find(kClasses, selected.substr(0, selected.find('('))) != kClasses.end();
}

class CozReader {
 public:
  void read(std::string_view line, std::size_t number) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty()) return;
    ++lines_;
    if (understand(line)) return;
    if (unreadable_++ > 0) return;
    first_unreadable_ = fmt::format("line {}: \"{}\"", number, one_line(line, 60));
  }

  CausalExperiments take() {
    profile_.source = is_bcoz_ ? "bcoz" : "coz";
    if (unreadable_ > 0) {
      profile_.notes.push_back(
          fmt::format("{} of {} lines could not be read; the first is {}", unreadable_, lines_, first_unreadable_));
    }
    if (summaries_ > 0) {
      profile_.notes.push_back(fmt::format(
          "{} lines say \"speedup\": somebody's summary, with no experiment to tell its error from", summaries_));
    }
    if (std::string why = why_no_visit(); !why.empty()) profile_.notes.push_back(std::move(why));
    return std::move(profile_);
  }

 private:
  bool understand(std::string_view line) {
    if (line.size() > kLongestRecord) return abandon_experiment();
    if (line.starts_with("speedup\t")) return add_summary(line);
    const std::optional<CozRecord> record = line.starts_with('{') ? json_record(line) : text_record(line);
    if (!record) return abandon_experiment();
    const std::string& type = record->type;
    if (type == "startup") return start_run();
    if (type == "experiment") return add_experiment(*record);
    if (type == "throughput-point" || type == "progress-point") return add_throughput(*record);
    if (type == "latency-point") return add_latency(*record);
    if (type == "runtime") return set_runtime(*record);
    if (type == "samples") return set_samples(*record);
    return type == "shutdown" || abandon_experiment();
  }

  /// What follows a line that may have been an experiment belongs to nothing that is known.
  bool abandon_experiment() {
    in_experiment_ = false;
    return false;
  }

  CausalRun& run() {
    if (profile_.runs.empty()) profile_.runs.emplace_back();
    return profile_.runs.back();
  }

  bool start_run() {
    in_experiment_ = false;
    profile_.runs.emplace_back();
    return true;
  }

  bool add_experiment(const CozRecord& record) {
    const std::optional<std::string> selected = record.text("selected");
    const std::optional<double> speedup = record.decimal("speedup");
    const std::optional<double> duration = record.decimal("duration");
    if (!selected || !speedup || *speedup < 0.0 || *speedup > 1.0 || !duration) return abandon_experiment();
    CausalExperiment experiment;
    experiment.selected = *selected;
    experiment.virtual_speedup = *speedup;
    experiment.duration_ns = *duration;
    experiment.selected_samples = record.count("selected-samples").value_or(0);
    experiment.delay_ns = record.decimal("delay");
    is_bcoz_ = is_bcoz_ || experiment.delay_ns || is_class_of_bcoz(*selected);
    run().experiments.push_back(std::move(experiment));
    in_experiment_ = true;
    return true;
  }

  bool add_visits(ProgressVisits visits) {
    if (!in_experiment_) return false;
    run().experiments.back().visits.push_back(std::move(visits));
    return true;
  }

  bool add_throughput(const CozRecord& record) {
    const std::optional<std::string> name = record.text("name");
    const std::optional<std::uint64_t> delta = record.count("delta");
    if (!name || !delta) return false;
    ProgressVisits visits;
    visits.point = *name;
    visits.arrivals = *delta;
    return add_visits(std::move(visits));
  }

  bool add_latency(const CozRecord& record) {
    const std::optional<std::string> name = record.text("name");
    const std::optional<std::uint64_t> arrivals = record.count("arrivals");
    const std::optional<std::uint64_t> departures = record.count("departures");
    const std::optional<double> difference = record.decimal("difference");
    if (!name || !arrivals || !departures || !difference) return false;
    return add_visits({*name, true, *arrivals, *departures, *difference});
  }

  bool set_runtime(const CozRecord& record) {
    const std::optional<double> time = record.decimal("time");
    if (!time || *time < 0.0) return false;
    run().runtime_ns = *time;  // Written after every 32 experiments: the last of a run counts.
    return true;
  }

  bool set_samples(const CozRecord& record) {
    const std::optional<std::string> location = record.text("location");
    const std::optional<std::uint64_t> count = record.count("count");
    if (!location || !count) return false;
    run().samples[*location] = *count;  // Of the run so far: the last one counts.
    return true;
  }

  /// speedup <tab> file:line <tab> percent
  bool add_summary(std::string_view line) {
    constexpr double kDuration = 1e9;
    constexpr std::uint64_t kVisits = 100;
    in_experiment_ = false;
    line.remove_prefix(line.find('\t') + 1);
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos || tab == 0) return false;
    const std::optional<double> percent = parse_decimal(trim(line.substr(tab + 1)));
    if (!percent || *percent < 0.0 || *percent >= 100.0) return false;
    for (const double speedup : {0.0, 1.0}) {
      CausalExperiment experiment;
      experiment.selected = line.substr(0, tab);
      experiment.virtual_speedup = speedup;
      experiment.duration_ns = kDuration * (1.0 - speedup * *percent / 100.0);
      experiment.visits.push_back({"speedup", false, kVisits, 0, 0.0});
      run().experiments.push_back(std::move(experiment));
    }
    ++summaries_;
    return true;
  }

  /// Empty if an experiment saw a progress point.
  std::string why_no_visit() const {
    std::size_t experiments = 0, visits = 0, finished = 0, with_samples = 0;
    for (const CausalRun& run : profile_.runs) {
      experiments += run.experiments.size();
      for (const CausalExperiment& experiment : run.experiments) visits += experiment.visits.size();
      if (run.runtime_ns > 0.0) ++finished;
      if (!run.samples.empty()) ++with_samples;
    }
    if (visits > 0) return "";
    if (experiments > 0) return "no experiment names a progress point: the program has none, or visited none";
    if (lines_ == 0) return "no experiment: the file is empty, the program did not run under the profiler";
    if (profile_.runs.empty()) return "no experiment: no line of the file is a record of coz";
    if (with_samples > 0) {
      return "no experiment: lines were sampled, but no progress point was visited, or the run was shorter than an "
             "experiment";
    }
    if (finished > 0) {
      return "no experiment: no line was sampled; the program has no line table that the profiler reads, its sources "
             "are out of scope, or it used no CPU";
    }
    return "no experiment: the program was killed before the first one had ended";
  }

  CausalExperiments profile_;
  bool is_bcoz_ = false;
  bool in_experiment_ = false;  ///< The last experiment of the last run is the one that points belong to.
  std::size_t lines_ = 0;       ///< That are not blank.
  std::size_t unreadable_ = 0;
  std::size_t summaries_ = 0;
  std::string first_unreadable_;
};

// ---- writing --------------------------------------------------------------------------------------------------------

std::string as_field(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

/// Two digits, as coz writes it, unless it takes more to read the same number back.
std::string as_speedup(double speedup) {
  std::string text = fmt::format("{:.2f}", speedup);
  return parse_decimal(text) == speedup ? text : fmt::format("{}", speedup);
}

/// Without ".0" and without an exponent where it is a whole number: coz's are.
std::string as_number(double number) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const bool is_whole = std::trunc(number) == number && std::abs(number) < kExact;
  return is_whole ? fmt::format("{}", static_cast<std::int64_t>(number)) : fmt::format("{}", number);
}

void write_experiment(const CausalExperiment& experiment, std::string& text) {
  text += fmt::format("experiment\tselected={}\tspeedup={}\tduration={}\tselected-samples={}",
                      as_field(experiment.selected), as_speedup(experiment.virtual_speedup),
                      as_number(experiment.duration_ns), experiment.selected_samples);
  if (experiment.delay_ns) text += "\tdelay=" + as_number(*experiment.delay_ns);
  text += '\n';
  for (const ProgressVisits& visits : experiment.visits) {
    const std::string name = as_field(visits.point);
    text += visits.is_latency ? fmt::format("latency-point\tname={}\tarrivals={}\tdepartures={}\tdifference={}\n", name,
                                            visits.arrivals, visits.departures, as_number(visits.difference))
                              : fmt::format("throughput-point\tname={}\tdelta={}\n", name, visits.arrivals);
  }
}

}  // namespace

Result<CausalExperiments> parse_coz(std::string_view text) {
  if (const std::string_view kind = binary_kind(text); !kind.empty()) {
    return Error{Error::Code::invalid_argument, fmt::format("read a causal profile: the file is {}", kind)};
  }
  CozReader reader;
  std::size_t number = 0;
  for (const std::string_view line : split_lines(text)) reader.read(line, ++number);
  return reader.take();
}

std::string to_coz_text(const CausalExperiments& experiments) {
  std::string text;
  for (const CausalRun& run : experiments.runs) {
    text += "startup\ttime=0\n";
    for (const CausalExperiment& experiment : run.experiments) write_experiment(experiment, text);
    if (run.runtime_ns > 0.0) text += fmt::format("runtime\ttime={}\n", as_number(run.runtime_ns));
    for (const auto& [location, count] : run.samples) {
      text += fmt::format("samples\tlocation={}\tcount={}\n", as_field(location), count);
    }
  }
  return text;
}

}  // namespace aiopt
