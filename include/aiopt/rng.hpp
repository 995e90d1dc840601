/// Rng: the run's one source of randomness, passed to whoever needs it.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace aiopt {

/// xoshiro256++ (Blackman and Vigna, ACM TOMS 47(4), 2021), seeded by splitmix64.
/// 32 bytes of state, so that a run can write it down after each evaluation.
class Rng {
 public:
  using result_type = std::uint64_t;
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(std::uint64_t seed);
  /// @pre not all zero: from that state xoshiro never gets away
  explicit Rng(const State& state) : state_(state) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()();

  /// Uniform in [0, count); the same on every platform, unlike std::uniform_int_distribution.
  /// @pre count > 0
  std::size_t index(std::size_t count);

  /// Uniform in [0, 1).
  double uniform();

  /// Standard normal (Box-Muller).
  double normal();

  const State& state() const { return state_; }

 private:
  State state_;
};

}  // namespace aiopt
