/// Whether coz can profile a program: what its file says.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

#include "profile/coz.hpp"

namespace aiopt {

/// Why coz would end this program, or find no line or progress point in it: one sentence each, with what to do about
/// it. Empty: nothing is known against it. Read from the ELF file and its debug information, that of a file beside it
/// or below /usr/lib/debug included, which coz looks for in the same places; nothing is run.
///
/// A progress point shows by the name that coz.h asks dlsym(3) for, "_coz_get_counter", among the constants: it is
/// there in a stripped program, too.
///
/// What is not seen: whether the progress point is reached; what dlopen(3) loads.
///
/// @param libraries shared ones that the plan has in its binary_scope: a progress point or lines may be there instead
/// Errors: a file that can't be read, or is no ELF file ("coz profiles programs, not scripts").
Result<std::vector<std::string>> problems_for_coz(const CozInstallation& coz, const std::filesystem::path& program,
                                                  const std::vector<std::filesystem::path>& libraries = {});

}  // namespace aiopt
