/// Causal experiments: the raw data of coz and its kin, one run of the program after another.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

/// How often a progress point was visited during an experiment.
struct ProgressVisits {
  std::string point;
  bool is_latency = false;
  std::uint64_t arrivals = 0;    ///< Visits; of a latency point, begins.
  std::uint64_t departures = 0;  ///< Of a latency point, ends.
  double difference = 0.0;       ///< Of a latency point: in flight when the experiment ended.
};

struct CausalExperiment {
  std::string selected;          ///< As the profiler writes it: "/src/wal.cc:47", "IO", "SCHEDULING(IO,0.50%|)".
  double virtual_speedup = 0.0;  ///< In [0, 1].
  double duration_ns = 0.0;      ///< Without the delays that were put in.
  std::uint64_t selected_samples = 0;
  std::vector<ProgressVisits> visits;
  std::optional<double> delay_ns;  ///< Put into every other thread, altogether; bcoz alone writes it.
};

/// What one run of the program left.
struct CausalRun {
  std::vector<CausalExperiment> experiments;
  double runtime_ns = 0.0;                       ///< 0: it was killed before it could say.
  std::map<std::string, std::uint64_t> samples;  ///< Of each place seen, over the whole run. Empty as above.
};

/// What a file of a causal profiler held.
struct CausalExperiments {
  std::string source;              ///< "coz", "bcoz".
  std::vector<CausalRun> runs;     ///< Appended ones, in their order.
  std::vector<std::string> notes;  ///< Lines that could not be read, and how many: not an error.
};

/// Leaves the visits to that point alone.
void keep_progress_point(CausalExperiments& experiments, std::string_view point);

/// Leaves the experiments of those lines alone. The program that is profiled can write where the profiler does: those
/// that nobody asked for are not the profiler's. Experiments of lines that were asked for it can forge all the same.
///
/// @param lines   "src/wal.cc:47", relative to `folder` or absolute, as those that were selected may be
/// @return        how many it took out
std::size_t keep_lines(CausalExperiments& experiments, const std::vector<std::string>& lines,
                       const std::filesystem::path& folder);

}  // namespace aiopt
