/// Which profilers a run uses: each is tried once before it starts, in the sandbox it would run in.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

#include "evaluate/sandbox.hpp"
#include "evaluate/stack_recorder.hpp"
#include "profile/coz.hpp"
#include "profile/perf_rings.hpp"

namespace aiopt {

/// What became of trying a profiler out.
struct ProviderTrial {
  std::string name;  ///< As ProfileTask has it: "perf".
  bool works = false;
  std::string what;    ///< What it gives here, or why it does not work: "not found in PATH".
  std::string remedy;  ///< How to get it; empty where it works.
};

/// For one kind of profile.
struct ProviderChoice {
  std::string chosen;                 ///< Empty: none is made.
  std::vector<ProviderTrial> trials;  ///< Of those that were tried, best first; the last one is what was chosen.

  /// "sampler, stacks of each wait (bperf: not found in PATH)", "off", "none works (...)".
  std::string describe() const;
};

struct ProfileProviders {
  ProviderChoice off_cpu;
  ProviderChoice causal;
  std::optional<StackRecorder> recorder;  ///< Empty: aiopt's own sampler.
  std::optional<CozInstallation> coz;     ///< Or bcoz. Empty: no causal profiles.

  bool makes_off_cpu() const { return !off_cpu.chosen.empty(); }
  bool makes_causal() const { return coz.has_value(); }
  /// One line to show at the start of a run.
  std::string describe() const;
};

/// A profiler that can be tried.
struct ProviderCandidate {
  std::string name;
  std::function<ProviderTrial()> attempt;  ///< Called once at most.
};

/// With "auto" the first that works, and those after it are not tried; "off" tries none. Of "auto" none may work.
/// Errors: unavailable, where the one that is asked for does not work: what was tried, why it failed, what to do.
Result<ProviderChoice> choose_provider(std::string_view asked, const std::vector<ProviderCandidate>& best_first);

/// For off-CPU profiles bperf is best, which works on a kernel made for it alone; then the sampler, where it may see
/// kernel stacks; then perf, where that may (installed with capabilities, say) and the sampler may not; then the
/// sampler with what it may see. For causal profiles bcoz, then coz.
///
/// What is not installed costs no time, nor does the sampler. What is runs for a third of a second on a small command
/// and must give samples.
/// Errors: unavailable, as choose_provider().
Result<ProfileProviders> choose_providers(const ProfileTask& profile, const Sandbox& sandbox);

/// Of "bperf", "perf", "sampler", "bcoz" or "coz".
ProviderTrial try_provider(std::string_view name, const Sandbox& sandbox);

/// What the sampler may see of this process, by opening its events.
SamplerLevel reached_sampler_level();

}  // namespace aiopt
