/// The emitters that come with aiopt, one file each.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <aiopt/emitter.hpp>
#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

#include "source/patch_apply.hpp"

namespace aiopt {

/// Asks the model to change a parent that the selection strategy picks, two other elites shown beside it.
std::unique_ptr<Emitter> make_llm_emitter();

/// One patch of a pool.
struct PoolPatch {
  std::string name;  ///< The file's name without its ending.
  Patch patch;
};

/// Reads every *.patch and *.diff of the folder, by name. Errors name the file that is no patch.
Result<std::vector<PoolPatch>> load_patch_pool(const std::filesystem::path& folder);

/// A GA over which patches of the pool are applied to the baseline together: each alone first, then uniform crossover
/// and bit-flip mutation of the best sets (Holland 1975). Patches are applied in pool order; one that does not apply
/// after those before it is dropped. A set that gives a tree already proposed is not proposed again.
std::unique_ptr<Emitter> make_patch_pool_emitter(std::vector<PoolPatch> pool, SourceTree baseline, PatchRules rules);

/// Changes numeric literals of a parent's editable code by a log-normal step whose size adapts (1/5th rule, Rechenberg
/// 1973). invalid_argument if the baseline has no literal to tune.
Result<std::unique_ptr<Emitter>> make_constants_emitter(const SourceTree& baseline, PatchRules rules);

}  // namespace aiopt
