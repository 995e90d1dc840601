/// Lanes: cores that one benchmark at a time has for itself, and the cores that builds and tests get.

#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// Which CPUs are for what. Numbers as the kernel has them.
struct LanePlan {
  std::vector<std::vector<int>> lanes = {{}};  ///< Of each lane its CPUs; none: all.
  std::vector<int> builds;                     ///< Of builds and tests; none: all.
  bool builds_pause = true;                    ///< The cores are shared, so nothing is built while a lane measures.

  /// "1 lane on CPUs 2-3; builds on 0-1", "1 lane on all 2 CPUs; builds pause while it measures".
  std::string describe(std::size_t cpus) const;
};

/// Shares `cpus` out. Without `lane_cpus` a machine of four or more gives half of them to its lanes; a smaller one has
/// one lane, on all, and builds pause while it measures. With `lane_cpus` the lanes have these, evenly, and builds have
/// the rest; without a rest they pause.
///
/// @param cpus       Those that aiopt may use, ascending.
/// @param lanes      How many; 0: one.
/// @param lane_cpus  May be empty.
/// @return invalid_argument if the lanes are more than there are CPUs for them, or a CPU is not in `cpus`.
Result<LanePlan> plan_lanes(const std::vector<int>& cpus, int lanes, const std::vector<int>& lane_cpus);

/// Hands out turns. A lane runs one benchmark at a time; builds go side by side, and where they share its cores a
/// measurement waits until they have ended and keeps new ones waiting: the lane is the scarce resource. Safe from any
/// thread.
class Lanes {
 public:
  /// A right that ends with the object.
  class [[nodiscard]] Turn {
   public:
    Turn(Turn&& other) noexcept : lanes_(other.lanes_), lane_(other.lane_) { other.lanes_ = nullptr; }
    Turn& operator=(Turn&&) = delete;
    ~Turn();

    /// Which lane, from 0; -1 for a build.
    int lane() const { return lane_; }
    /// What to run on; none: wherever. Valid as long as the Lanes.
    const std::vector<int>& cpus() const;

   private:
    friend class Lanes;
    Turn(Lanes* lanes, int lane) : lanes_(lanes), lane_(lane) {}
    Lanes* lanes_;
    int lane_;
  };

  explicit Lanes(LanePlan plan = {});

  Turn build();    ///< Where cores are shared: waits while somebody measures or waits to.
  Turn measure();  ///< Waits for a free lane and, where cores are shared, for the builds to end.

  const LanePlan& plan() const { return plan_; }

  /// Since the Lanes were made.
  struct Occupancy {
    double lanes = 0.0;   ///< Share of the lanes' time in which they measured, in [0, 1].
    double builds = 0.0;  ///< Builds and tests that ran at once, on average.
  };
  Occupancy occupancy() const;

 private:
  using Time = std::chrono::steady_clock::time_point;

  void add_up();

  const LanePlan plan_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> is_busy_;  ///< Of each lane.
  int measuring_ = 0;
  int building_ = 0;
  int waiting_to_measure_ = 0;
  const Time made_;
  Time added_up_;  ///< Until when the next two are right.
  std::chrono::duration<double> measured_{0};
  std::chrono::duration<double> built_{0};
};

}  // namespace aiopt
