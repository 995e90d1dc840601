/// Rng: xoshiro256++ and what is drawn from it.

#include <aiopt/rng.hpp>

#include <bit>
#include <cassert>
#include <cmath>
#include <numbers>

namespace aiopt {
namespace {

/// One step of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), which xoshiro's authors advise for seeding.
std::uint64_t splitmix64(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : state_() {
  for (std::uint64_t& word : state_) word = splitmix64(seed);
}

Rng::result_type Rng::operator()() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::size_t Rng::index(std::size_t count) {
  assert(count > 0);
  const std::uint64_t bound = count;
  // The lowest 2^64 mod bound values would make some remainders likelier than others: they are drawn again.
  const std::uint64_t threshold = (0 - bound) % bound;
  for (;;) {
    const std::uint64_t drawn = (*this)();
    if (drawn >= threshold) return static_cast<std::size_t>(drawn % bound);
  }
}

double Rng::uniform() {
  return static_cast<double>((*this)() >> 11) * 0x1.0p-53;
}

double Rng::normal() {
  // The second value that Box-Muller gives is thrown away: kept, it would be state that state() does not show.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - [0, 1) is never 0.
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace aiopt
