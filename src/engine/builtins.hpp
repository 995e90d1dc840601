/// What comes with aiopt, by name. Registered by plain calls: static objects vanish from static libraries.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/emitter.hpp>
#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

std::vector<std::string> emitter_names();

/// Whether the emitter asks a model.
bool emitter_needs_model(std::string_view name);

/// Errors: invalid_argument for a name that is not there (with the nearest) or a task that lacks what the emitter
/// needs.
Result<std::unique_ptr<Emitter>> make_emitter(const std::string& name, const Task& task, const SourceTree& baseline);

/// The task's emitters; where it names none, "llm" with an endpoint, else those that need none and can work on this
/// task: "constants" only if the source has a number to tune or nothing else could propose.
std::vector<EmitterTask> emitters_of(const Task& task, const SourceTree& baseline, bool has_model);

}  // namespace aiopt
