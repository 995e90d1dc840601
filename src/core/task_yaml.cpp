/// Reads task.yaml. Each section is a function from its node to its part of the Task.

#include "core/task_yaml.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/duration.hpp"
#include "base/files.hpp"
#include "base/glob.hpp"
#include "base/text.hpp"
#include "base/yaml.hpp"
#include "core/api_base.hpp"
#include "core/metric_regex.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::size_t kLargestTaskBytes = 1'048'576;
constexpr std::size_t kLongestCommandBytes = 100'000;  // Linux hands at most 128 KiB to `sh -c` (MAX_ARG_STRLEN).
constexpr std::size_t kLongestNameBytes = 200;
constexpr std::size_t kLongestTextBytes = 100'000;
constexpr std::size_t kLongestRegexBytes = 500;  // std::regex recurses, a level for each bracket.
constexpr std::size_t kMostRuns = 1'000;
constexpr std::size_t kMostCells = 1'000'000;
constexpr std::size_t kMostAxes = 8;
constexpr int kMostDepth = 100;
constexpr int kAutoCategories = 64;
constexpr double kLargestWeight = 1e6;

/// Reads the keys of one map into variables and keeps the first mistake, so that a section is a list of what it has.
/// The keys asked for are the ones that are known.
class Section {
 public:
  explicit Section(const YamlNode& node) : node_(node) {}

  /// Leaves `out` as it is where the key is not given. `read`: const YamlNode& -> Result<T>.
  template <typename T, typename Read>
  void optional(const std::string& key, T& out, const Read& read) {
    known_.push_back(key);
    const YamlNode* value = node_.find(key);
    if (!value || mistake_) return;
    auto result = read(*value);
    if (result) {
      out = *std::move(result);
    } else {
      mistake_ = result.error();
    }
  }

  /// @param what  Said of the key when it is missing.
  template <typename T, typename Read>
  void required(const std::string& key, T& out, const Read& read, std::string_view what) {
    optional(key, out, read);
    if (node_.find(key) || mistake_) return;
    const std::string where = node_.name().empty() ? "" : fmt::format(" in {}", quoted_for_message(node_.name()));
    mistake_ = node_.mistake(fmt::format("key '{}' is missing{}: {}", key, where, what));
  }

  /// The value, or the first mistake. A key that nobody knows comes first: it is often why another is missing.
  template <typename T>
  Result<T> result(T value) const {
    if (const Result<void> known = node_.check_keys(known_); !known) return known.error();
    if (mistake_) return *mistake_;
    return value;
  }

 private:
  const YamlNode& node_;
  std::vector<std::string> known_;
  std::optional<Error> mistake_;
};

/// Reads each child with `read`; stops at the first mistake.
template <typename T, typename Read>
Result<std::vector<T>> read_each(const YamlNode& node, const Read& read) {
  std::vector<T> values;
  for (const YamlNode& child : node.children()) {
    Result<T> value = read(child);
    if (!value) return value.error();
    values.push_back(*std::move(value));
  }
  return values;
}

// Scalars.

Result<std::string> read_text(const YamlNode& node) {
  Result<std::string> text = node.text();
  if (text && text->size() > kLongestTextBytes) {
    return node.mistake(fmt::format("{} is longer than {} bytes", quoted_for_message(node.name()), kLongestTextBytes));
  }
  return text;
}

/// One line of a kind that may stand in a table or a terminal.
Result<std::string> read_name(const YamlNode& node) {
  const Result<std::string> text = node.text();
  if (!text) return text;
  const std::string subject = quoted_for_message(node.name());
  if (trim(*text).empty()) return node.mistake(subject + " is empty");
  if (text->size() > kLongestNameBytes) {
    return node.mistake(fmt::format("{} is longer than {} bytes", subject, kLongestNameBytes));
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(text->begin(), text->end(), is_control)) {
    return node.mistake(subject + " has a line break or control character in it");
  }
  return text;
}

template <std::integral T>
auto whole_number(std::uint64_t lowest, std::uint64_t highest) {
  return [=](const YamlNode& node) -> Result<T> {
    const Result<std::uint64_t> number = node.whole_number(lowest, highest);
    if (!number) return number.error();
    return static_cast<T>(*number);
  };
}

auto number(double lowest, double highest) {
  return [=](const YamlNode& node) { return node.number(lowest, highest); };
}

Result<bool> read_boolean(const YamlNode& node) {
  return node.boolean();
}

Result<double> read_weight(const YamlNode& node) {
  return node.number(0.0, kLargestWeight);
}

Result<milliseconds> read_duration(const YamlNode& node) {
  const Result<std::string> text = node.text();
  if (!text) return text.error();
  if (const std::optional<milliseconds> duration = parse_duration(*text)) return *duration;
  return node.mistake(fmt::format("{} must be a time of at most 168h, like 500ms, 300s, 2m or 1h, not {}",
                                  quoted_for_message(node.name()), quoted_for_message(*text)));
}

/// A text that is one of the names.
auto name_among(std::string what, std::vector<std::string> known) {
  return [what = std::move(what), known = std::move(known)](const YamlNode& node) -> Result<std::string> {
    Result<std::string> name = read_name(node);
    if (!name) return name;
    if (std::find(known.begin(), known.end(), *name) == known.end()) return node.unknown(what, *name, known);
    return name;
  };
}

// Stages.

Result<std::string> read_command_line(const YamlNode& node) {
  const Result<std::string> text = node.text();
  if (!text) return text;
  if (trim(*text).empty())
    return node.mistake(fmt::format("the command of {} is empty", quoted_for_message(node.name())));
  if (text->size() > kLongestCommandBytes) {
    return node.mistake(fmt::format("the command is longer than {} bytes; put it into a script", kLongestCommandBytes));
  }
  return std::string(trim(*text));
}

auto stage_command(milliseconds default_timeout) {
  return [=](const YamlNode& node) -> Result<StageCommand> {
    StageCommand stage{"", default_timeout};
    if (node.kind() == YamlNode::Kind::scalar) {
      const Result<std::string> command = read_command_line(node);
      if (!command) return command.error();
      stage.command = *command;
      return stage;
    }
    if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("a command or {command, timeout}");
    Section section(node);
    section.required("command", stage.command, read_command_line, "what to run");
    section.optional("timeout", stage.timeout, read_duration);
    return section.result(stage);
  };
}

Result<std::string> read_pattern(const YamlNode& node) {
  const Result<std::string> pattern = node.text();
  if (!pattern) return pattern;
  const std::string subject = fmt::format("the pattern of {}", quoted_for_message(node.name()));
  if (pattern->size() > kLongestRegexBytes) {
    return node.mistake(fmt::format("{} is longer than {} bytes", subject, kLongestRegexBytes));
  }
  try {
    if (std::regex(*pattern, kMetricRegexSyntax).mark_count() == 1) return pattern;
  } catch (const std::regex_error& error) {
    if (error.code() == std::regex_constants::error_complexity) {
      return node.mistake(subject + " has a back-reference, like \\1; they are not read: a match could take for ever");
    }
    return node.mistake(fmt::format("{} is no ECMAScript regex: {}", subject, error.what()));
  }
  return node.mistake(subject + " must have exactly one group, (...), around the number; (?:...) groups beside it");
}

Result<std::map<std::string, std::string>> read_patterns(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("a map from metric to regex");
  std::map<std::string, std::string> patterns;
  for (const YamlNode& child : node.children()) {
    const Result<std::string> pattern = read_pattern(child);
    if (!pattern) return pattern.error();
    patterns[child.name()] = *pattern;
  }
  return patterns;
}

/// The regex parser finds what it has patterns for; the others have none.
Result<void> check_patterns(const YamlNode& node, const BenchmarkTask& benchmark) {
  if (benchmark.parser != "regex") {
    if (benchmark.patterns.empty()) return {};
    return node.find("patterns")->mistake("'patterns' are for 'parser: regex' only");
  }
  for (const std::string& metric : {benchmark.throughput, benchmark.latency}) {
    if (!metric.empty() && !benchmark.patterns.contains(metric)) {
      return node.mistake(fmt::format("'patterns' has no regex for the metric {}", quoted_for_message(metric)));
    }
  }
  return {};
}

/// The keys that a workload has, whatever it is for. `benchmark` holds what they are where they are not given.
void read_workload(Section& section, BenchmarkTask& benchmark) {
  section.required("command", benchmark.run.command, read_command_line, "what to run");
  section.optional("timeout", benchmark.run.timeout, read_duration);
  section.optional("parser", benchmark.parser, name_among("parser", {"db_bench", "json", "regex", "lines"}));
  section.optional("latency", benchmark.latency, read_name);
  section.optional("patterns", benchmark.patterns, read_patterns);
  section.optional("operations", benchmark.operations, read_name);
  section.optional("warmup", benchmark.warmup, whole_number<int>(0, kMostRuns));
}

/// "build/store.db": below the source, and no part of it a step up.
Result<std::string> read_data_path(const YamlNode& node) {
  const Result<std::string> name = read_name(node);
  if (!name) return name;
  const fs::path path = fs::path(*name).lexically_normal();
  const bool leaves = path.is_absolute() || path.empty() || *path.begin() == ".." || *path.begin() == ".";
  if (leaves) return node.mistake(fmt::format("data: {} does not lie below 'source'", quoted_for_message(*name)));
  std::string text = path.string();
  while (text.ends_with('/')) text.pop_back();
  return text;
}

Result<std::vector<std::string>> read_data(const YamlNode& node) {
  if (node.kind() == YamlNode::Kind::sequence) return read_each<std::string>(node, read_data_path);
  Result<std::string> path = read_data_path(node);
  if (!path) return path.error();
  return std::vector<std::string>{std::move(*path)};
}

/// What `benchmark` says beside the workload itself.
struct BenchmarkSection {
  BenchmarkTask workload;
  SamplingTask sampling;
  std::vector<std::string> data;
};

Result<BenchmarkSection> read_benchmark(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("{command, throughput, ...}");
  BenchmarkSection benchmark;
  benchmark.workload.run.timeout = std::chrono::seconds(300);
  SamplingTask& sampling = benchmark.sampling;
  Section section(node);
  read_workload(section, benchmark.workload);
  section.required("throughput", benchmark.workload.throughput, read_name,
                   "the name of the metric to maximise, as the parser finds it");
  section.optional("data", benchmark.data, read_data);
  section.optional("min_pairs", sampling.min_pairs, whole_number<int>(1, kMostRuns));
  // A task that asks for many pairs at least need not say how many at most.
  sampling.max_pairs = std::max(sampling.max_pairs, sampling.min_pairs);
  section.optional("max_pairs", sampling.max_pairs, whole_number<int>(1, kMostRuns));
  const bool says_how_many = node.find("max_pairs") != nullptr;
  sampling.max_pairs_compared = std::max(sampling.max_pairs, says_how_many ? 0 : sampling.max_pairs_compared);
  section.optional("max_time", sampling.max_time, read_duration);
  section.optional("half_width", sampling.half_width, number(0.0, 10.0));
  Result<BenchmarkSection> result = section.result(std::move(benchmark));
  if (!result) return result;
  if (const Result<void> checked = check_patterns(node, result->workload); !checked) return checked.error();
  if (result->sampling.max_pairs < result->sampling.min_pairs) {
    return node.find("max_pairs")
        ->mistake(fmt::format("'max_pairs' is below 'min_pairs', which is {}", result->sampling.min_pairs));
  }
  return result;
}

/// What it does not say is as in `benchmark`.
auto holdout_beside(const BenchmarkTask& benchmark) {
  return [benchmark](const YamlNode& node) -> Result<std::optional<BenchmarkTask>> {
    if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("{command, ...}");
    BenchmarkTask holdout = benchmark;
    Section section(node);
    read_workload(section, holdout);
    section.optional("throughput", holdout.throughput, read_name);
    Result<BenchmarkTask> result = section.result(std::move(holdout));
    if (!result) return result.error();
    if (const Result<void> checked = check_patterns(node, *result); !checked) return checked.error();
    return std::optional(std::move(*result));
  };
}

// Gates.

Result<std::vector<std::string>> read_gates_off(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::sequence) return node.wrong_kind("a list of gates, like [cpu]");
  return read_each<std::string>(node, name_among("gate", gate_names()));
}

Result<GatesTask> read_gates(const YamlNode& node) {
  constexpr double kLargestRatio = 1e6;
  GatesTask gates;
  Section section(node);
  section.optional("writers", gates.writers, whole_number<int>(1, 1'000'000));
  section.optional("bytes_per_operation", gates.bytes_per_operation, number(0.0, 1e12));
  section.optional("memory_ratio", gates.memory_ratio, number(1.0, kLargestRatio));
  section.optional("cpu_ratio", gates.cpu_ratio, number(1.0, kLargestRatio));
  section.optional("off", gates.off, read_gates_off);
  return section.result(std::move(gates));
}

Result<SanitizeTask> read_sanitize(const YamlNode& node) {
  SanitizeTask sanitize;
  if (node.kind() != YamlNode::Kind::map) {
    const Result<bool> on = node.boolean();
    if (!on) return node.wrong_value("true, false or {build, test}");
    sanitize.on = *on;
    return sanitize;
  }
  sanitize.on = true;
  Section section(node);
  section.optional("build", sanitize.build, stage_command(std::chrono::seconds(600)));
  section.optional("test", sanitize.test, stage_command(std::chrono::seconds(300)));
  return section.result(std::move(sanitize));
}

// Files and folders.

Result<std::string> read_glob(const YamlNode& node) {
  const Result<std::string> name = read_name(node);
  if (!name || glob_is_valid(*name)) return name;
  const std::string subject = fmt::format("editable: {}", quoted_for_message(*name));
  if (name->front() == '/') return node.mistake(subject + " is absolute; globs are relative to 'source'");
  const bool goes_up = ("/" + *name + "/").find("/../") != std::string::npos;
  if (goes_up) return node.mistake(subject + " leaves 'source' by '..'");
  return node.mistake(subject + " is no glob: a bracket or brace is not closed");
}

Result<std::vector<std::string>> read_editable(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::sequence) return node.wrong_kind("a list of globs, like [\"src/*.cc\"]");
  if (node.children().empty()) return node.mistake("'editable' is empty: nothing could be changed");
  return read_each<std::string>(node, read_glob);
}

/// An existing folder, relative to `base`.
auto folder_below(fs::path base) {
  return [base = std::move(base)](const YamlNode& node) -> Result<fs::path> {
    const Result<std::string> name = read_name(node);
    if (!name) return name.error();
    std::error_code error;
    fs::path folder = fs::weakly_canonical(base / *name, error);
    if (!error && fs::is_directory(folder, error)) return folder;
    return node.mistake(fmt::format("'{}' names no folder: {}", node.name(), quoted_for_message(*name)));
  };
}

// The archive.

/// Axes whose cells are names.
const std::vector<std::string>& category_axes() {
  static const std::vector<std::string> names = {"function", "causal_hotspot", "offcpu_class", "offcpu_function"};
  return names;
}

Result<Axis> read_category_axis(const YamlNode& node) {
  Axis axis{node.name(), Axis::Kind::category, kAutoCategories, 0.0, 1.0};
  if (node.kind() == YamlNode::Kind::map) {
    Section section(node);
    section.required("category", axis.cells, whole_number<int>(1, kMostCells),
                     "how many names have a cell of their own");
    return section.result(std::move(axis));
  }
  if (const Result<std::string> text = node.text(); text && *text == "auto") return axis;
  const Result<std::uint64_t> cells = node.whole_number(1, kMostCells);
  if (!cells) return node.wrong_value("auto, a number of cells or {category: N}");
  axis.cells = static_cast<int>(*cells);
  return axis;
}

Result<Axis> read_linear_axis(const YamlNode& node) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  Axis axis{node.name(), Axis::Kind::linear, 0, 0.0, 1.0};
  const bool has_bounds = axis.measure == "offcpu_ratio";
  if (node.kind() != YamlNode::Kind::map) {
    if (!has_bounds) {
      std::vector<std::string> known = category_axes();
      known.emplace_back("offcpu_ratio");
      return node.unknown("short form of axis", axis.measure, known);
    }
    const Result<int> cells = whole_number<int>(1, kMostCells)(node);
    if (!cells) return cells.error();
    axis.cells = *cells;
    return axis;
  }
  if (node.find("category"))
    return node.find("category")
        ->mistake(fmt::format("only the axes {} have categories", fmt::join(category_axes(), ", ")));
  Section section(node);
  section.required("cells", axis.cells, whole_number<int>(1, kMostCells), "how many there are");
  section.optional("lower", axis.lower, number(-kLargest, kLargest));
  section.optional("upper", axis.upper, number(-kLargest, kLargest));
  const Result<Axis> result = section.result(axis);
  if (!result) return result;
  if (!has_bounds && !(node.find("lower") && node.find("upper"))) {
    return node.mistake(fmt::format("the axis {} needs 'lower' and 'upper'", quoted_for_message(axis.measure)));
  }
  if (axis.lower < axis.upper && axis.upper - axis.lower <= kLargest) return result;
  return node.mistake(fmt::format("the axis {} must have 'lower' below 'upper'", quoted_for_message(axis.measure)));
}

Result<Axis> read_axis(const YamlNode& node) {
  const auto& categories = category_axes();
  const bool is_category = std::find(categories.begin(), categories.end(), node.name()) != categories.end();
  return is_category ? read_category_axis(node) : read_linear_axis(node);
}

struct ArchiveForm {
  std::vector<Axis> axes = default_axes();
  int depth = Task().archive_depth;
};

/// `depth` stands among the axes: no axis can have that name.
Result<ArchiveForm> read_archive(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("a map from measure to cells");
  if (node.children().empty()) return node.mistake("'archive' has no axis");
  ArchiveForm archive;
  std::vector<Axis> axes;
  for (const YamlNode& child : node.children()) {
    if (child.name() == "depth") {
      const Result<int> depth = whole_number<int>(1, kMostDepth)(child);
      if (!depth) return depth.error();
      archive.depth = *depth;
      continue;
    }
    Result<Axis> axis = read_axis(child);
    if (!axis) return axis.error();
    axes.push_back(*std::move(axis));
  }
  if (axes.size() > kMostAxes) return node.mistake(fmt::format("'archive' has more than {} axes", kMostAxes));
  if (!axes.empty()) archive.axes = std::move(axes);
  return archive;
}

// Fitness, emitters, models.

Result<FitnessTask> read_weights(const YamlNode& node) {
  FitnessTask fitness;
  Section section(node);
  section.optional("throughput", fitness.throughput_weight, read_weight);
  section.optional("latency", fitness.latency_weight, read_weight);
  section.optional("causal", fitness.causal_weight, read_weight);
  section.optional("offcpu", fitness.offcpu_weight, read_weight);
  Result<FitnessTask> result = section.result(fitness);
  const double sum = fitness.throughput_weight + fitness.latency_weight + fitness.causal_weight + fitness.offcpu_weight;
  if (result && sum <= 0.0) return node.mistake("the weights of 'fitness' are all 0");
  return result;
}

/// From 1, which is what the unmodified program gets on each term.
Result<double> read_cap(const YamlNode& node) {
  if (const Result<std::string> text = node.text(); text && *text == "none") {
    return std::numeric_limits<double>::infinity();
  }
  const Result<double> cap = node.number(1.0, kLargestWeight);
  if (!cap) return node.wrong_value(fmt::format("none or a number from 1 to {:.0f}", kLargestWeight));
  return cap;
}

/// `fitness` with the caps that the node gives.
auto caps_into(FitnessTask& fitness) {
  return [&fitness](const YamlNode& node) -> Result<FitnessTask> {
    FitnessTask capped = fitness;
    Section section(node);
    section.optional("throughput", capped.throughput_cap, read_cap);
    section.optional("latency", capped.latency_cap, read_cap);
    section.optional("causal", capped.causal_cap, read_cap);
    section.optional("offcpu", capped.offcpu_cap, read_cap);
    return section.result(std::move(capped));
  };
}

Result<FitnessTask> read_fitness(const YamlNode& node) {
  const auto read_fitness_name = name_among("fitness", {"causal", "causal_capped"});
  FitnessTask fitness;
  if (node.kind() == YamlNode::Kind::scalar) {
    const Result<std::string> name = read_fitness_name(node);
    if (!name) return name.error();
    fitness.name = *name;
    return fitness;
  }
  if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("a name or {name, weights, caps}");
  std::string name = fitness.name;
  Section section(node);
  section.optional("name", name, read_fitness_name);
  section.optional("weights", fitness, read_weights);
  section.optional("caps", fitness, caps_into(fitness));
  fitness.name = name;
  Result<FitnessTask> result = section.result(std::move(fitness));
  const YamlNode* caps = node.find("caps");
  if (result && caps != nullptr && name == "causal") {
    return caps->mistake("'caps' are for 'name: causal_capped' only");
  }
  return result;
}

/// Names that come twice, or weights that leave nothing to draw from.
template <typename T>
Result<void> check_weighted(const YamlNode& node, const std::vector<T>& entries) {
  std::set<std::string> names;
  double sum = 0.0;
  for (const T& entry : entries) {
    if (!names.insert(entry.name).second) {
      return node.mistake(fmt::format("{} is there twice in '{}'", quoted_for_message(entry.name), node.name()));
    }
    sum += entry.weight;
  }
  if (entries.empty()) return node.mistake(fmt::format("'{}' is empty; leave it out for the default", node.name()));
  if (sum <= 0.0) return node.mistake(fmt::format("the weights of '{}' are all 0", node.name()));
  return {};
}

const std::vector<std::string>& emitter_names() {
  static const std::vector<std::string> names = {"llm", "patch_pool", "constants"};
  return names;
}

Result<EmitterTask> read_emitter(const YamlNode& node) {
  const auto read_emitter_name = name_among("emitter", emitter_names());
  EmitterTask emitter;
  if (node.kind() == YamlNode::Kind::map) {
    Section section(node);
    section.required("name", emitter.name, read_emitter_name, "which emitter");
    section.optional("weight", emitter.weight, read_weight);
    return section.result(std::move(emitter));
  }
  const Result<std::string> name = read_emitter_name(node);
  if (!name) return name.error();
  emitter.name = *name;
  return emitter;
}

/// "llm: 3" of the map form.
Result<EmitterTask> read_emitter_weight(const YamlNode& node) {
  const std::vector<std::string>& known = emitter_names();
  if (std::find(known.begin(), known.end(), node.name()) == known.end()) {
    return node.unknown("emitter", node.name(), known);
  }
  const Result<double> weight = read_weight(node);
  if (!weight) return weight.error();
  return EmitterTask{node.name(), *weight};
}

Result<std::vector<EmitterTask>> read_emitters(const YamlNode& node) {
  const bool is_map = node.kind() == YamlNode::Kind::map;
  if (!is_map && node.kind() != YamlNode::Kind::sequence) return node.wrong_kind("a list of emitters");
  Result<std::vector<EmitterTask>> emitters = read_each<EmitterTask>(node, is_map ? read_emitter_weight : read_emitter);
  if (!emitters) return emitters;
  if (const Result<void> checked = check_weighted(node, *emitters); !checked) return checked.error();
  return emitters;
}

Result<std::string> read_api_base(const YamlNode& node) {
  const Result<std::string> url = read_name(node);
  if (!url) return url;
  if (const auto mistake = mistake_in_api_base(*url)) return node.mistake(fmt::format("'api_base' {}", *mistake));
  return url;
}

/// The name of the variable in "${NAME}". The message does not quote the text: it may be the key itself.
Result<std::string> read_api_key(const YamlNode& node) {
  const Result<std::string> text = node.text();
  if (!text) return text;
  static const std::regex reference(R"(\$\{([A-Za-z_][A-Za-z0-9_]{0,99})\})");
  std::smatch match;
  if (text->size() < kLongestNameBytes && std::regex_match(*text, match, reference)) return match[1].str();
  return node.mistake(
      "'api_key' must be ${NAME}, an environment variable and nothing beside it; a key itself does not belong in a "
      "task file");
}

Result<ModelTask> read_model(const YamlNode& node) {
  constexpr double kMostUsd = 1e6;
  ModelTask model;
  if (node.kind() == YamlNode::Kind::scalar) {
    const Result<std::string> name = read_name(node);
    if (!name) return name.error();
    model.name = *name;
    return model;
  }
  if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("{name, weight}");
  Section section(node);
  section.required("name", model.name, read_name, "the model as the endpoint knows it");
  section.optional("weight", model.weight, read_weight);
  section.optional("temperature", model.temperature, number(0.0, 2.0));
  section.optional("max_tokens", model.max_tokens, whole_number<std::uint32_t>(1, 10'000'000));
  section.optional("usd_per_million_prompt_tokens", model.usd_per_million_prompt_tokens, number(0.0, kMostUsd));
  section.optional("usd_per_million_completion_tokens", model.usd_per_million_completion_tokens, number(0.0, kMostUsd));
  return section.result(std::move(model));
}

Result<std::vector<ModelTask>> read_models(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::sequence) return node.wrong_kind("a list of {name, weight}");
  Result<std::vector<ModelTask>> models = read_each<ModelTask>(node, read_model);
  if (!models) return models;
  if (const Result<void> checked = check_weighted(node, *models); !checked) return checked.error();
  return models;
}

/// Keys as OpenEvolve has them, where it has them.
Result<LlmTask> read_llm(const YamlNode& node) {
  LlmTask llm;
  Section section(node);
  section.optional("api_base", llm.api_base, read_api_base);
  section.optional("api_key", llm.api_key_env, read_api_key);
  section.optional("models", llm.models, read_models);
  section.optional("temperature", llm.temperature, number(0.0, 2.0));
  section.optional("top_p", llm.top_p, number(0.0, 1.0));
  section.optional("max_tokens", llm.max_tokens, whole_number<std::uint32_t>(1, 10'000'000));
  section.optional("stream", llm.stream, read_boolean);
  section.optional("connect_timeout", llm.connect_timeout, read_duration);
  section.optional("first_byte_timeout", llm.first_byte_timeout, read_duration);
  section.optional("timeout", llm.timeout, read_duration);
  section.optional("retries", llm.retries, whole_number<int>(0, 100));
  section.optional("system_message", llm.system_message, read_text);
  return section.result(std::move(llm));
}

// Profiles.

Result<ProfileTask::When> read_when(const YamlNode& node) {
  const Result<std::string> name = name_among("time to profile", {"always", "promising", "elites", "never"})(node);
  if (!name) return name.error();
  if (*name == "always") return ProfileTask::When::always;
  if (*name == "promising") return ProfileTask::When::promising;
  return *name == "elites" ? ProfileTask::When::elites : ProfileTask::When::never;
}

Result<milliseconds> read_profile_duration(const YamlNode& node) {
  const Result<milliseconds> duration = read_duration(node);
  if (duration && *duration < std::chrono::seconds(1)) return node.mistake("a profile of less than 1s says nothing");
  return duration;
}

Result<std::vector<std::string>> read_idle(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::sequence) return node.wrong_kind("a list of functions, like [\"*::BGThread\"]");
  return read_each<std::string>(node, read_name);
}

/// `profile` with what the node says.
auto offcpu_into(const ProfileTask& profile) {
  return [&profile](const YamlNode& node) -> Result<ProfileTask> {
    ProfileTask with = profile;
    Section section(node);
    section.optional("duration", with.offcpu_duration, read_profile_duration);
    section.optional("provider", with.offcpu_provider,
                     name_among("provider", {"auto", "sampler", "bperf", "perf", "off"}));
    section.optional("idle", with.idle, read_idle);
    return section.result(std::move(with));
  };
}

auto causal_into(const ProfileTask& profile) {
  return [&profile](const YamlNode& node) -> Result<ProfileTask> {
    ProfileTask with = profile;
    Section section(node);
    section.optional("duration", with.causal_duration, read_profile_duration);
    section.optional("provider", with.causal_provider, name_among("provider", {"auto", "coz", "bcoz", "off"}));
    section.optional("progress", with.progress, read_name);
    return section.result(std::move(with));
  };
}

Result<ProfileTask> read_profile(const YamlNode& node) {
  if (node.kind() != YamlNode::Kind::map) return node.wrong_kind("{command, offcpu, causal}");
  ProfileTask profile;
  Section section(node);
  section.optional("command", profile.command, read_command_line);
  section.optional("offcpu", profile, offcpu_into(profile));
  section.optional("causal", profile, causal_into(profile));
  section.optional("when", profile.when, read_when);
  return section.result(std::move(profile));
}

// The whole.

Result<Task> read_task(const YamlNode& root, const fs::path& folder) {
  Task task;
  BenchmarkSection benchmark;
  ArchiveForm archive;
  task.source = folder;
  Section section(root);
  section.optional("name", task.name, read_name);
  section.optional("description", task.description, read_text);
  section.optional("source", task.source, folder_below(folder));
  section.required("editable", task.editable, read_editable, "a list of globs, the files that may change");
  section.optional("patches", task.patches, folder_below(folder));
  section.required("build", task.build, stage_command(std::chrono::seconds(300)),
                   "the command that builds a candidate");
  section.required("test", task.test, stage_command(std::chrono::seconds(60)),
                   "the command that says whether a candidate is right");
  section.required("benchmark", benchmark, read_benchmark, "{command, parser, throughput}");
  section.optional("holdout", task.holdout, holdout_beside(benchmark.workload));
  section.optional("verify", task.verify, stage_command(std::chrono::seconds(60)));
  section.optional("gates", task.gates, read_gates);
  section.optional("sanitize", task.sanitize, read_sanitize);
  section.optional("profile", task.profile, read_profile);
  section.optional("fitness", task.fitness, read_fitness);
  section.optional("archive", archive, read_archive);
  task.axes = std::move(archive.axes);
  task.archive_depth = archive.depth;
  section.optional("emitters", task.emitters, read_emitters);
  section.optional("selection", task.selection, read_name);
  section.optional("llm", task.llm, read_llm);
  section.optional("repair", task.repair, whole_number<int>(0, 1));
  section.optional("max_patch_bytes", task.max_patch_bytes, whole_number<std::uint64_t>(1, 67'108'864));
  task.benchmark = std::move(benchmark.workload);
  task.sampling = benchmark.sampling;
  task.data = std::move(benchmark.data);
  return section.result(std::move(task));
}

/// What no section can see alone.
Result<void> check_task(const YamlNode& root, const Task& task) {
  std::error_code error;
  if (!fs::is_directory(task.source, error)) {
    return root.mistake(fmt::format("the source folder is not there: {}", task.source.string()));
  }
  if (!task.verify.command.empty() && task.data.empty()) {
    return root.find("verify")->mistake("'verify' needs `benchmark: {data: ...}`, what the benchmark leaves behind");
  }
  const auto is_pool = [](const EmitterTask& emitter) { return emitter.name == "patch_pool"; };
  if (task.patches.empty() && std::any_of(task.emitters.begin(), task.emitters.end(), is_pool)) {
    return root.find("emitters")->mistake("the emitter 'patch_pool' needs 'patches', a folder of patch files");
  }
  return {};
}

}  // namespace

const std::vector<std::string>& gate_names() {
  static const std::vector<std::string> names = {
      "protected_files", "clock",      "work",    "syncs",      "writes", "after_clock", "memory",      "cpu",
      "left_processes",  "left_files", "network", "run_folder", "verify", "sanitizer",   "causal_bound"};
  return names;
}

std::vector<Axis> default_axes() {
  return {{"offcpu_ratio", Axis::Kind::linear, 10, 0.0, 1.0},
          {"causal_hotspot", Axis::Kind::category, kAutoCategories, 0.0, 1.0}};
}

Axis function_axis() {
  return {"function", Axis::Kind::category, kAutoCategories, 0.0, 1.0};
}

Result<Task> parse_task(std::string_view yaml, const fs::path& file) {
  Result<YamlNode> root = parse_yaml(yaml, file.string());
  if (!root) return root.error();
  std::error_code error;
  // The folder is resolved and the file is not: paths are relative to where a symlink to a task stands.
  const fs::path folder = fs::weakly_canonical(fs::absolute(file, error).parent_path(), error);
  if (error) return Error{Error::Code::io, fmt::format("cannot follow {}: {}", file.string(), error.message())};
  Result<Task> task = read_task(*root, folder);
  if (!task) return task;
  if (const Result<void> checked = check_task(*root, *task); !checked) return checked.error();
  task->file = folder / file.filename();
  if (task->name.empty()) task->name = one_line(task->source.filename().string(), kLongestNameBytes);
  return task;
}

Result<Task> load_task(const fs::path& file) {
  std::error_code error;
  const bool is_folder = fs::is_directory(file, error);
  const fs::path task_file = is_folder ? file / "task.yaml" : file;
  const Result<std::string> yaml = read_file(task_file, kLargestTaskBytes);
  if (yaml) return parse_task(*yaml, task_file);
  if (is_folder && yaml.error().code == Error::Code::not_found) {
    return Error{Error::Code::not_found,
                 fmt::format("{0} has no task.yaml; `aiopt init {0}` writes one", file.string())};
  }
  return yaml.error();
}

}  // namespace aiopt
