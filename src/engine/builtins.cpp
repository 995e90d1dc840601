/// The emitters by name.

#include "engine/builtins.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.hpp"
#include "search/emitters.hpp"

namespace aiopt {

std::vector<std::string> emitter_names() {
  return {"llm", "patch_pool", "constants"};
}

bool emitter_needs_model(std::string_view name) {
  return name == "llm";
}

Result<std::unique_ptr<Emitter>> make_emitter(const std::string& name, const Task& task, const SourceTree& baseline) {
  const PatchRules rules{task.editable, task.max_patch_bytes};
  if (name == "llm") return make_llm_emitter();
  if (name == "constants") return make_constants_emitter(baseline, rules);
  if (name == "patch_pool") {
    if (task.patches.empty()) {
      return Error{Error::Code::invalid_argument,
                   "the emitter 'patch_pool' needs a folder of patches: `patches:` in the task"};
    }
    Result<std::vector<PoolPatch>> pool = load_patch_pool(task.patches);
    if (!pool) return pool.error();
    return make_patch_pool_emitter(std::move(*pool), baseline, rules);
  }
  const std::string near = nearest_name(name, emitter_names());
  return Error{Error::Code::invalid_argument, fmt::format("unknown emitter '{}'{}; there are {}", name,
                                                          near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                                                          fmt::join(emitter_names(), ", "))};
}

std::vector<EmitterTask> emitters_of(const Task& task, const SourceTree& baseline, bool has_model) {
  if (!task.emitters.empty()) return task.emitters;
  if (has_model) return {{"llm", 1.0}};
  if (task.patches.empty()) return {{"constants", 1.0}};
  if (!make_emitter("constants", task, baseline)) return {{"patch_pool", 1.0}};
  return {{"patch_pool", 3.0}, {"constants", 1.0}};
}

}  // namespace aiopt
