/// MeasurementLane: while one benchmark runs, nothing else of aiopt builds or tests on its cores.

#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace aiopt {

/// Builds go side by side; a measurement waits until they have ended, keeps new ones waiting, and is alone. Safe from
/// any thread. Whoever waits to measure goes before whoever waits to build: the lane is the scarce resource.
class MeasurementLane {
 public:
  /// A right that ends with the object.
  class [[nodiscard]] Turn {
   public:
    Turn(Turn&& other) noexcept : lane_(other.lane_), measures_(other.measures_) { other.lane_ = nullptr; }
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    friend class MeasurementLane;
    Turn(MeasurementLane* lane, bool measures) : lane_(lane), measures_(measures) {}
    MeasurementLane* lane_;
    bool measures_;
  };

  MeasurementLane();

  Turn build();    ///< Waits while somebody measures or waits to.
  Turn measure();  ///< Waits for all others to end.

  /// Share of the time since the lane was made in which somebody measured, in [0, 1].
  double busy_share() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int building_ = 0;
  int waiting_to_measure_ = 0;
  bool measuring_ = false;
  std::chrono::steady_clock::time_point made_;
  std::chrono::steady_clock::time_point measuring_since_;
  std::chrono::steady_clock::duration measured_{0};
};

}  // namespace aiopt
