/// What tells a run.db from other SQLite files.

#pragma once

#include <cstdint>

namespace aiopt {

inline constexpr std::uint32_t kRunApplicationId = 0x61696F70;  ///< "aiop", in the file's header.

}  // namespace aiopt
