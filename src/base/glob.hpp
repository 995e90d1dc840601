/// Path patterns, as .gitignore and editors have them.

#pragma once

#include <string_view>

namespace aiopt {

/// `*` and `?` stop at '/', `**` does not ("src/**/*.cc" also matches "src/a.cc"), `[abc]` and
/// `{a,b}` as in bash. Both are relative paths with '/'.
bool glob_matches(std::string_view pattern, std::string_view path);

/// Whether the pattern can be read: brackets closed, nothing absolute, no "..".
bool glob_is_valid(std::string_view pattern);

}  // namespace aiopt
