/// MeasurementLane: one mutex, one condition variable.

#include "evaluate/measurement_lane.hpp"

#include "base/clock.hpp"

namespace aiopt {

using std::chrono::steady_clock;

MeasurementLane::MeasurementLane() : made_(monotonic_now()) {}

MeasurementLane::Turn MeasurementLane::build() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !measuring_ && waiting_to_measure_ == 0; });
  ++building_;
  return {this, false};
}

MeasurementLane::Turn MeasurementLane::measure() {
  std::unique_lock lock(mutex_);
  ++waiting_to_measure_;
  changed_.wait(lock, [this] { return !measuring_ && building_ == 0; });
  --waiting_to_measure_;
  measuring_ = true;
  measuring_since_ = monotonic_now();
  return {this, true};
}

MeasurementLane::Turn::~Turn() {
  if (lane_ == nullptr) return;
  {
    const std::lock_guard lock(lane_->mutex_);
    if (measures_) {
      lane_->measuring_ = false;
      lane_->measured_ += monotonic_now() - lane_->measuring_since_;
    } else {
      --lane_->building_;
    }
  }
  lane_->changed_.notify_all();
}

double MeasurementLane::busy_share() const {
  const std::lock_guard lock(mutex_);
  const auto now = monotonic_now();
  const auto busy = measured_ + (measuring_ ? now - measuring_since_ : steady_clock::duration{0});
  const auto total = now - made_;
  return total.count() > 0 ? static_cast<double>(busy.count()) / static_cast<double>(total.count()) : 0.0;
}

}  // namespace aiopt
