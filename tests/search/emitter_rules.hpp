/// What the emitters' patches may change in these tests: every file.

#pragma once

#include "source/patch_apply.hpp"

namespace aiopt {

inline const PatchRules kRules{{"**"}, 262'144};

}  // namespace aiopt
