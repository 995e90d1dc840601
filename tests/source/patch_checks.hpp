/// What the tests of patches share: which files a patch may change, and whether an error says something.

#pragma once

#include <string>
#include <string_view>

#include "source/patch_apply.hpp"

namespace aiopt {

inline const PatchRules kRules{{"src/**"}, 262'144};

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace aiopt
