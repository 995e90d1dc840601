/// The version of this aiopt, from Meson.

#pragma once

#include <string_view>

namespace aiopt {

inline constexpr std::string_view kVersion = AIOPT_VERSION;

}  // namespace aiopt
