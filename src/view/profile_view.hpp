/// What a profile looks like on a terminal: tables of waits and of what would pay off.

#pragma once

#include <filesystem>
#include <string>

#include <aiopt/profile.hpp>

namespace aiopt {

/// The off-CPU ratio, a bar a class of waits, the top blockers; of the causal profile a row a target. Lines with '\n',
/// no colours; empty for an empty profile.
/// @param folder  Absolute: files below it are named relative to it. Or ".": all are named as they are.
std::string describe(const Profile& profile, const std::filesystem::path& folder);

}  // namespace aiopt
