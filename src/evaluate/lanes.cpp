/// Lanes: one mutex, one condition variable.

#include "evaluate/lanes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "base/clock.hpp"
#include "base/cpu_set.hpp"

namespace aiopt {

namespace {

/// On fewer, a lane of its own would leave a benchmark or the builds a single core.
constexpr std::size_t kCpusToKeepApart = 4;

/// `cpus` dealt out to `count` lanes, neighbours together; the first ones get what does not divide.
std::vector<std::vector<int>> deal(const std::vector<int>& cpus, std::size_t count) {
  std::vector<std::vector<int>> lanes(count);
  std::size_t at = 0;
  for (std::size_t lane = 0; lane < count; ++lane) {
    const std::size_t share = cpus.size() / count + (lane < cpus.size() % count ? 1 : 0);
    lanes[lane].assign(cpus.begin() + static_cast<std::ptrdiff_t>(at),
                       cpus.begin() + static_cast<std::ptrdiff_t>(at + share));
    at += share;
  }
  return lanes;
}

Error too_many(std::size_t lanes, std::size_t cpus) {
  return {Error::Code::invalid_argument,
          fmt::format("{} lanes need a CPU each, and there are {} for them; give --lanes={} or more --lane-cpus", lanes,
                      cpus, std::max<std::size_t>(cpus, 1))};
}

}  // namespace

std::string LanePlan::describe(std::size_t cpus) const {
  std::string text = fmt::format("{} lane{} on ", lanes.size(), lanes.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    if (i > 0) text += " and ";
    text += lanes[i].empty() ? fmt::format("all {} CPUs", cpus) : fmt::format("CPUs {}", cpu_list_text(lanes[i]));
  }
  if (builds_pause) return text + "; builds pause while it measures";
  return text + fmt::format("; builds on {}", cpu_list_text(builds));
}

Result<LanePlan> plan_lanes(const std::vector<int>& cpus, int lanes, const std::vector<int>& lane_cpus) {
  const auto count = static_cast<std::size_t>(std::max(lanes, 1));
  for (const int cpu : lane_cpus) {
    if (std::find(cpus.begin(), cpus.end(), cpu) == cpus.end()) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("CPU {} is none that aiopt may use; it may use {}", cpu, cpu_list_text(cpus))};
    }
  }
  LanePlan plan;
  std::vector<int> measuring = lane_cpus;
  if (measuring.empty()) {
    const bool keep_apart = cpus.size() >= kCpusToKeepApart;
    if (!keep_apart && count == 1) return plan;
    if (!keep_apart) return too_many(count, cpus.size() / 2);
    // The upper half: the kernel's own work gathers on the first CPUs.
    measuring.assign(cpus.begin() + static_cast<std::ptrdiff_t>(cpus.size() / 2), cpus.end());
  }
  if (count > measuring.size()) return too_many(count, measuring.size());
  plan.lanes = deal(measuring, count);
  for (const int cpu : cpus) {
    if (std::find(measuring.begin(), measuring.end(), cpu) == measuring.end()) plan.builds.push_back(cpu);
  }
  plan.builds_pause = plan.builds.empty();
  if (plan.builds_pause && count > 1) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("{} lanes on all CPUs leave none for builds; leave one out of --lane-cpus", count)};
  }
  return plan;
}

Lanes::Lanes(LanePlan plan)
    : plan_(std::move(plan)), is_busy_(plan_.lanes.size(), false), made_(monotonic_now()), added_up_(made_) {}

/// Adds the time since the last change to what was measured and built meanwhile. @pre mutex_ is held
void Lanes::add_up() {
  const Time now = monotonic_now();
  const std::chrono::duration<double> passed = now - added_up_;
  measured_ += passed * measuring_;
  built_ += passed * building_;
  added_up_ = now;
}

Lanes::Turn Lanes::build() {
  std::unique_lock lock(mutex_);
  if (plan_.builds_pause) changed_.wait(lock, [this] { return measuring_ == 0 && waiting_to_measure_ == 0; });
  add_up();
  ++building_;
  return {this, -1};
}

Lanes::Turn Lanes::measure() {
  std::unique_lock lock(mutex_);
  ++waiting_to_measure_;
  changed_.wait(lock, [this] {
    const bool is_free = measuring_ < static_cast<int>(is_busy_.size());
    return is_free && (!plan_.builds_pause || building_ == 0);
  });
  --waiting_to_measure_;
  add_up();
  ++measuring_;
  const auto lane = std::find(is_busy_.begin(), is_busy_.end(), false);
  *lane = true;
  return {this, static_cast<int>(lane - is_busy_.begin())};
}

const std::vector<int>& Lanes::Turn::cpus() const {
  return lane_ < 0 ? lanes_->plan_.builds : lanes_->plan_.lanes[static_cast<std::size_t>(lane_)];
}

Lanes::Turn::~Turn() {
  if (lanes_ == nullptr) return;
  {
    const std::lock_guard lock(lanes_->mutex_);
    lanes_->add_up();
    if (lane_ < 0) {
      --lanes_->building_;
    } else {
      --lanes_->measuring_;
      lanes_->is_busy_[static_cast<std::size_t>(lane_)] = false;
    }
  }
  lanes_->changed_.notify_all();
}

Lanes::Occupancy Lanes::occupancy() const {
  const std::lock_guard lock(mutex_);
  const Time now = monotonic_now();
  const std::chrono::duration<double> since = now - added_up_;
  const double total = std::chrono::duration<double>(now - made_).count();
  if (!(total > 0.0)) return {};
  const double measured = (measured_ + since * measuring_).count();
  return {measured / total / static_cast<double>(is_busy_.size()), (built_ + since * building_).count() / total};
}

}  // namespace aiopt
