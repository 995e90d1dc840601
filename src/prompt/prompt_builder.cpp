/// Fills the prompt texts in with the task, the parent, the last failures and other elites.

#include "prompt/prompt_builder.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/text.hpp"
#include "prompt/bottleneck_card.hpp"
#include "prompt/markdown_text.hpp"
#include "prompt/prompt_library.hpp"
#include "prompt/template.hpp"
#include "prompt/tree_changes.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kSourceBudgetBytes = 120 * 1024;
constexpr std::size_t kMaxFailures = 5;
constexpr std::size_t kFailureReasonBytes = 1000;
constexpr std::size_t kFailurePatchBytes = 1500;
constexpr std::size_t kMaxElites = 2;
constexpr std::size_t kElitePatchBytes = 3000;
constexpr std::size_t kMaxCutFilesNamed = 100;

/// JSON can carry nothing but UTF-8. Nearly every message is ASCII, and looking costs a tenth of rewriting.
ChatMessage message(const char* role, std::string text) {
  const bool ascii = std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
  return {role, ascii ? std::move(text) : valid_utf8(text)};
}

std::string number(double value) {
  return value >= 100.0 || value <= -100.0 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

std::string percent(std::optional<double> share) {
  return share ? fmt::format("{:.0f} %", *share * 100.0) : "";
}

std::string optional_number(std::optional<double> value) {
  return value ? number(*value) : "";
}

/// "offcpu_ratio 0.31, function Wal::append": where an elite lies in the archive.
std::string cell_in_words(const Task& task, const Fitness& fitness) {
  std::string words;
  for (std::size_t i = 0; i < std::min(task.axes.size(), fitness.measures.size()); ++i) {
    if (!words.empty()) words += ", ";
    words += task.axes[i].measure + " ";
    if (const double* value = std::get_if<double>(&fitness.measures[i])) {
      words += fmt::format("{:.2f}", *value);
    } else {
      const std::string& name = std::get<std::string>(fitness.measures[i]);
      words += name.empty() ? "none" : name;
    }
  }
  return inline_text(words);
}

void add_task(const Task& task, std::map<std::string, std::string>& texts) {
  texts["task_name"] = task.name;
  texts["task_description"] = task.description;
  texts["build_command"] = inline_text(task.build.command);
  texts["test_command"] = inline_text(task.test.command);
  texts["benchmark_command"] = inline_text(task.benchmark.run.command);
  texts["throughput_metric"] = inline_text(task.benchmark.throughput);
  texts["latency_metric"] = inline_text(task.benchmark.latency);
  std::string& globs = texts["editable"];
  for (const std::string& glob : task.editable) globs += (globs.empty() ? "`" : ", `") + inline_text(glob) + "`";
}

void add_measures(const PromptContext& context, std::map<std::string, std::string>& texts) {
  const Elite& parent = context.parent;
  texts["parent_id"] = std::to_string(to_number(parent.candidate->id));
  texts["is_baseline"] = parent.candidate->id == kBaselineId ? "yes" : "";
  texts["cell"] = cell_in_words(context.task, parent.fitness);
  if (context.baseline.benchmark && parent.candidate->id != kBaselineId) {
    texts["baseline_off_cpu"] = percent(context.baseline.benchmark->off_cpu_ratio());
  }
  if (!parent.evaluation->benchmark) return;
  const BenchmarkResult& benchmark = *parent.evaluation->benchmark;
  texts["throughput"] = number(benchmark.throughput_ops_sec());
  texts["latency"] = optional_number(benchmark.latency_us());
  texts["off_cpu"] = percent(benchmark.off_cpu_ratio());
  const std::size_t pairs = std::min(benchmark.candidate.size(), benchmark.baseline.size());
  if (pairs == 0) return;
  texts["baseline_throughput"] = number(benchmark.baseline_throughput_ops_sec());
  texts["baseline_latency"] = optional_number(benchmark.baseline_latency_us());
  const BenchmarkResult::Spread spread = benchmark.speedup_spread();
  texts["speedup"] = fmt::format("{:.2f}", benchmark.speedup());
  texts["speedup_lowest"] = fmt::format("{:.2f}", spread.lowest);
  texts["speedup_highest"] = fmt::format("{:.2f}", spread.highest);
  texts["pairs"] = std::to_string(pairs);
}

/// Files that a model should see before others: what the parent, or another elite, changed.
std::set<std::string_view> changed_files(const PromptContext& context) {
  std::set<std::string_view> changed;
  const auto compare = [&changed](const SourceTree& tree, const SourceTree& other) {
    for (const auto& [path, file] : tree) {
      const auto found = other.find(path);
      if (found == other.end() || found->second.sha256 != file.sha256) changed.insert(path);
    }
  };
  const SourceTree& parent = context.parent.candidate->tree;
  if (context.baseline_tree != nullptr) {
    compare(parent, *context.baseline_tree);
  } else {
    for (const Elite* elite : context.inspirations) compare(parent, elite->candidate->tree);
  }
  return changed;
}

/// The files in the order in which they get a share of the budget: changed ones first, then small before large.
std::vector<const SourceTree::value_type*> by_importance(const PromptContext& context) {
  const std::set<std::string_view> changed = changed_files(context);
  std::vector<const SourceTree::value_type*> files;
  for (const auto& file : context.parent.candidate->tree) files.push_back(&file);
  std::stable_sort(files.begin(), files.end(), [&changed](const auto* a, const auto* b) {
    const bool a_changed = changed.contains(a->first);
    const bool b_changed = changed.contains(b->first);
    return a_changed != b_changed ? a_changed : a->second.text->size() < b->second.text->size();
  });
  return files;
}

/// @return the paths of those that are shown whole; they live in the parent's tree
std::set<std::string_view> add_source(const PromptContext& context, TemplateValues& values) {
  std::set<std::string_view> whole;
  std::map<std::string_view, std::string> shown;  // By path, whole or shortened.
  std::size_t left = kSourceBudgetBytes;
  std::vector<TemplateValues>& cut = values.lists["cut_files"];
  for (const auto* file : by_importance(context)) {
    const std::string& text = *file->second.text;
    if (text.size() <= left) {
      left -= text.size();
      shown.emplace(file->first, text);
      whole.insert(file->first);
      continue;
    }
    // Something has to be shown, even of a task whose every file is too long.
    if (shown.empty()) {
      shown.emplace(file->first, shorten_middle(text, left));
      left = 0;
    }
    if (cut.size() < kMaxCutFilesNamed) {
      cut.push_back({{{"cut_path", inline_text(file->first)}, {"cut_bytes", std::to_string(text.size())}}, {}});
    }
  }
  values.texts["has_cut_files"] = cut.empty() ? "" : "yes";
  std::vector<TemplateValues>& files = values.lists["files"];
  for (const auto& [path, text] : shown) {
    files.push_back({{{"file_path", inline_text(path)}, {"file_text", fenced(text, language_of(path))}}, {}});
  }
  return whole;
}

void add_bottleneck(const PromptContext& context, std::set<std::string_view> shown_files, TemplateValues& values) {
  CardContext card{context.parent.evaluation->profile, context.parent.candidate->tree};
  if (context.parents_parent != nullptr) {
    card.previous = &context.parents_parent->profile;
    card.previous_id = context.parents_parent->id;
  }
  card.edits = context.edits;
  card.shown_files = std::move(shown_files);
  values.texts["bottleneck"] = bottleneck_card(card);
}

void add_failures(const PromptContext& context, TemplateValues& values) {
  std::vector<TemplateValues>& failures = values.lists["failures"];
  const std::size_t count = std::min(context.failures.size(), kMaxFailures);
  for (std::size_t i = context.failures.size() - count; i < context.failures.size(); ++i) {
    const Failure& failure = context.failures[i];
    failures.push_back(
        {{{"failure_id", std::to_string(to_number(failure.id))},
          {"failure_status", std::string(to_string(failure.status))},
          {"failure_reason", failure.reason.empty() ? "" : fenced(shorten_middle(failure.reason, kFailureReasonBytes))},
          {"failure_patch", failure.patch.empty() ? "" : fenced(shorten_middle(failure.patch, kFailurePatchBytes))}},
         {}});
  }
  values.texts["has_failures"] = failures.empty() ? "" : "yes";
}

void add_elites(const PromptContext& context, TemplateValues& values) {
  std::vector<TemplateValues>& elites = values.lists["elites"];
  const SourceTree& from = context.baseline_tree != nullptr ? *context.baseline_tree : context.parent.candidate->tree;
  values.texts["elite_compared_to"] = context.baseline_tree != nullptr ? "the baseline" : "the program above";
  for (const Elite* elite : context.inspirations) {
    if (elites.size() == kMaxElites) break;
    const auto& benchmark = elite->evaluation->benchmark;
    const bool measured = benchmark && !benchmark->baseline.empty();
    const std::string changes = describe_changes(from, elite->candidate->tree, kElitePatchBytes);
    elites.push_back({{{"elite_id", std::to_string(to_number(elite->candidate->id))},
                       {"elite_speedup", measured ? fmt::format("{:.2f}", benchmark->speedup()) : ""},
                       {"elite_cell", cell_in_words(context.task, elite->fitness)},
                       {"elite_function", inline_text(elite->candidate->changed_function)},
                       {"elite_changes", changes.empty() ? "" : fenced(changes)}},
                      {}});
  }
  values.texts["has_elites"] = elites.empty() ? "" : "yes";
}

}  // namespace

struct PromptBuilder::Impl {
  PromptLibrary library;

  Error no_prompt(std::string_view name) const {
    std::vector<std::string> questions = library.names();
    std::erase_if(questions, [](const std::string& text) { return text == kSystemPrompt || text == kRepairPrompt; });
    return {Error::Code::not_found, fmt::format("no prompt '{}'; there are: {}", name, fmt::join(questions, ", "))};
  }
};

Result<PromptBuilder> PromptBuilder::load(const std::vector<std::filesystem::path>& folders) {
  Result<PromptLibrary> library = PromptLibrary::load(folders);
  if (!library) return library.error();
  return PromptBuilder(std::make_unique<Impl>(Impl{*std::move(library)}));
}

PromptBuilder::PromptBuilder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PromptBuilder::PromptBuilder(PromptBuilder&&) noexcept = default;
PromptBuilder& PromptBuilder::operator=(PromptBuilder&&) noexcept = default;
PromptBuilder::~PromptBuilder() = default;

Result<std::vector<ChatMessage>> PromptBuilder::build(const std::string& prompt, const PromptContext& context) const {
  const bool is_question = prompt != kSystemPrompt && prompt != kRepairPrompt;
  const Template* question = is_question ? impl_->library.find(prompt) : nullptr;
  if (question == nullptr) return impl_->no_prompt(prompt);
  TemplateValues values;
  add_task(context.task, values.texts);
  std::string system = context.task.llm.system_message;
  if (!system.empty()) system += "\n\n";
  system += impl_->library.find(kSystemPrompt)->render(values);

  add_measures(context, values.texts);
  add_bottleneck(context, add_source(context, values), values);
  add_failures(context, values);
  add_elites(context, values);
  return std::vector<ChatMessage>{message("system", std::move(system)), message("user", question->render(values))};
}

Result<std::vector<ChatMessage>> PromptBuilder::build_repair(const Task& task, std::vector<ChatMessage> asked,
                                                             const std::string& reply, std::string_view reason) const {
  const Template* text = impl_->library.find(kRepairPrompt);
  if (text == nullptr) return impl_->no_prompt(kRepairPrompt);
  TemplateValues values;
  add_task(task, values.texts);
  values.texts["failure_reason"] = fenced(reason);
  asked.push_back(message("assistant", reply));
  asked.push_back(message("user", text->render(values)));
  return asked;
}

}  // namespace aiopt
