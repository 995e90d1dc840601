/// PromptLibrary: the texts of prompts/, each checked for the placeholders it may use.

#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

#include "prompt/template.hpp"

namespace aiopt {

inline constexpr std::string_view kSystemPrompt = "system";

inline constexpr std::string_view kRepairPrompt = "repair_user";

/// The placeholders that a text may use, sorted. "system" speaks of the task alone, "repair_user" of a build too; every
/// other text is a question about a parent. prompts/README.md lists the same names for people; a test compares them.
const std::vector<std::string>& allowed_placeholders(std::string_view text_name);

class PromptLibrary {
 public:
  /// Every *.md of the folders but README.md, each name from the first folder that has it. A folder that is not there
  /// is passed over.
  static Result<PromptLibrary> load(const std::vector<std::filesystem::path>& folders);

  /// Null if there is none of that name.
  const Template* find(std::string_view name) const;

  std::vector<std::string> names() const;

 private:
  std::map<std::string, Template, std::less<>> texts_;
};

}  // namespace aiopt
