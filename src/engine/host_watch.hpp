/// HostWatch: what this machine can tell apart, and whether it stays what it was.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/evaluation.hpp>

#include "measure/host_fingerprint.hpp"

namespace aiopt {

/// What an A/A test, the unmodified program in pairs with itself, showed.
struct NoiseFloor {
  double detectable_effect = 0.0;  ///< 0.018: 1.8 % are told apart in `pairs` pairs, 4 times of 5.
  int pairs = 0;
  std::string sentence;  ///< "this host tells 1.8 % apart in 7 pairs"
  std::string json;      ///< For run.db: the log-ratios too.
};

/// A fingerprint for run.db, with its line for people.
std::string host_observation(const HostFingerprint& host);

/// Decides when the next A/A test is due: at the start of a sitting, every so many evaluations, and when the baseline's
/// throughput has found another level. Used by the coordinator thread alone.
class HostWatch {
 public:
  /// @param max_pairs  Of Task::sampling, for noise_floor().
  explicit HostWatch(int max_pairs) : max_pairs_(max_pairs) {}

  static constexpr int kPairs = 7;                    ///< Of an A/A test.
  static constexpr std::uint64_t kEvaluations = 100;  ///< From one test to the next.

  /// Whether a test is due, given how many evaluations were told. Once true, it stays so until begin_test().
  bool is_due(std::uint64_t told) const;
  void begin_test(std::uint64_t told);
  NoiseFloor end_test(const BenchmarkResult& both_the_baseline);

  /// What the last test says is told apart in max_pairs, as a fraction; 0 before the first.
  double noise_floor() const { return noise_floor_; }

  /// Takes note of the baseline's runs in a candidate's pairs, in the order of time.
  /// @return What to say if the machine is no longer what it was; a test is due then.
  std::optional<std::string> note(const BenchmarkResult& measured);

 private:
  const int max_pairs_;
  double noise_floor_ = 0.0;
  bool is_testing_ = false;
  bool wants_test_ = true;
  std::uint64_t last_test_ = 0;
  std::vector<double> baseline_throughputs_;  ///< Since the last change of level, one an evaluation.
};

}  // namespace aiopt
