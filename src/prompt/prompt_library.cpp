/// Loads the prompt texts and holds the list of names that each may use.

#include "prompt/prompt_library.hpp"

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "prompt/prompt_builder.hpp"

namespace aiopt {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxTextBytes = 1 << 20;

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> task_names() {
  return {"task_name",         "task_description",  "build_command",  "test_command",
          "benchmark_command", "throughput_metric", "latency_metric", "editable"};
}

std::vector<std::string> repair_names() {
  std::vector<std::string> names = task_names();
  names.emplace_back("failure_reason");
  return names;
}

std::vector<std::string> question_names() {
  std::vector<std::string> names = task_names();
  for (const char* name : {"is_baseline",
                           "parent_id",
                           "throughput",
                           "baseline_throughput",
                           "speedup",
                           "speedup_lowest",
                           "speedup_highest",
                           "pairs",
                           "latency",
                           "baseline_latency",
                           "off_cpu",
                           "baseline_off_cpu",
                           "cell",
                           "bottleneck",
                           "files",
                           "file_path",
                           "file_text",
                           "cut_files",
                           "cut_path",
                           "cut_bytes",
                           "has_cut_files",
                           "failures",
                           "has_failures",
                           "failure_id",
                           "failure_status",
                           "failure_reason",
                           "failure_patch",
                           "elites",
                           "has_elites",
                           "elite_id",
                           "elite_speedup",
                           "elite_cell",
                           "elite_function",
                           "elite_changes",
                           "elite_compared_to"}) {
    names.emplace_back(name);
  }
  return names;
}

/// The *.md files of a folder, by path; none if it is not there.
Result<std::vector<fs::path>> texts_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return files;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".md" && path.filename() != "README.md") files.push_back(path);
  }
  if (error) {
    return Error{Error::Code::io, fmt::format("cannot list the prompts in {}: {}", folder.string(), error.message())};
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<void> check_names(const Template& text, std::string_view name, const fs::path& file) {
  const std::vector<std::string>& allowed = allowed_placeholders(name);
  for (const std::string& used : text.names()) {
    if (std::binary_search(allowed.begin(), allowed.end(), used)) continue;
    const std::string near = nearest_name(used, allowed);
    return Error{Error::Code::invalid_argument,
                 fmt::format("{}: unknown placeholder '{}'{}; prompts/README.md lists what it may use", file.string(),
                             used, near.empty() ? "" : fmt::format("; did you mean '{}'?", near))};
  }
  return {};
}

}  // namespace

const std::vector<std::string>& allowed_placeholders(std::string_view text_name) {
  static const std::vector<std::string> system = sorted(task_names());
  static const std::vector<std::string> repair = sorted(repair_names());
  static const std::vector<std::string> question = sorted(question_names());
  if (text_name == kSystemPrompt) return system;
  return text_name == kRepairPrompt ? repair : question;
}

Result<PromptLibrary> PromptLibrary::load(const std::vector<fs::path>& folders) {
  PromptLibrary library;
  for (const fs::path& folder : folders) {
    const Result<std::vector<fs::path>> files = texts_of(folder);
    if (!files) return files.error();
    for (const fs::path& file : *files) {
      const std::string name = file.stem().string();
      if (library.texts_.contains(name)) continue;
      const Result<std::string> bytes = read_file(file, kMaxTextBytes);
      if (!bytes) return bytes.error();
      Result<Template> text = Template::parse(*bytes);
      if (!text) {
        return Error{Error::Code::invalid_argument,
                     fmt::format("{}: cannot be read as a prompt: {}", file.string(), text.error().message)};
      }
      if (const Result<void> names = check_names(*text, name, file); !names) return names.error();
      library.texts_.emplace(name, *std::move(text));
    }
  }
  if (library.find(kSystemPrompt) == nullptr) {
    std::string looked;
    for (const fs::path& folder : folders) looked += (looked.empty() ? "" : ", ") + folder.string();
    return Error{Error::Code::not_found,
                 fmt::format("no prompt system.md in {}; set AIOPT_PROMPTS to aiopt's folder prompts/",
                             looked.empty() ? "no folder" : looked)};
  }
  return library;
}

const Template* PromptLibrary::find(std::string_view name) const {
  const auto found = texts_.find(name);
  return found == texts_.end() ? nullptr : &found->second;
}

std::vector<std::string> PromptLibrary::names() const {
  std::vector<std::string> names;
  for (const auto& [name, text] : texts_) names.push_back(name);
  return names;
}

fs::path default_prompt_folder() {
  if (const char* chosen = std::getenv("AIOPT_PROMPTS"); chosen != nullptr && *chosen != '\0') return chosen;
  std::error_code error;
  if (fs::is_directory(AIOPT_INSTALLED_PROMPTS, error)) return AIOPT_INSTALLED_PROMPTS;
  return AIOPT_SOURCE_PROMPTS;
}

}  // namespace aiopt
