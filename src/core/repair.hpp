/// A model's patch that did not build, asked for once more: a proposal like any other, by an emitter of its own.

#pragma once

#include <string_view>

namespace aiopt {

/// Proposal::emitter of such a proposal. Its parent is that of the patch that failed, ModelQuestion::repairs says
/// which.
inline constexpr std::string_view kRepairEmitter = "repair";

}  // namespace aiopt
