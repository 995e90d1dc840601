/// What a profile looks like on a terminal.

#include <doctest/doctest.h>

#include <string>

#include "view/profile_view.hpp"

using namespace aiopt;

namespace {

OffCpuProfile waiting_profile() {
  OffCpuProfile profile;
  profile.source = "sampler";
  profile.ratio = 0.8;
  profile.ratio_with_idle = 0.9;
  profile.samples = 2000;
  profile.off_cpu_samples = 1800;
  profile.idle_samples = 1000;
  profile.by_class = {500, 250, 50, 0};
  profile.top_blockers = {
      {{"walkv::Wal::append", "/home/me/walkv/src/wal.cc", 47}, WaitClass::io, 0.5, "jbd2_log_wait_commit", {}},
      {{"", "", 0}, WaitClass::lock, 0.25, "", {}}};
  return profile;
}

CausalTarget target(const std::string& file, double effect, double lower, double upper, double max_effect) {
  CausalTarget target;
  target.place = {"walkv::crc32", file, 12};
  target.scope = "line";
  target.progress_point = "op";
  target.curve = {{0.0, 0.0, 0.0, 0.0, 10}, {0.25, effect, lower, upper, 10}, {0.5, effect / 2, lower, upper, 10}};
  target.max_effect = max_effect;
  return target;
}

std::string text_of(const Profile& profile) {
  return describe(profile, "/home/me/walkv");
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("shares of classes and of blockers are of what is not idle, and add up to the ratio") {
  const std::string text = text_of({waiting_profile(), {}});
  CAPTURE(text);
  CHECK(has_line(text, "off-CPU  80.0 % of the threads' time (90.0 % with 1000 idle samples), 2000 samples, sampler"));
  CHECK(has_line(text, "  io          50.0 %  ####################"));
  CHECK(has_line(text, "  lock        25.0 %  ##########"));
  CHECK(has_line(text, "  scheduling   5.0 %  ##"));
  CHECK(has_line(text, "  other        0.0 %"));
  CHECK(has_line(text, "  50.0 %  io     walkv::Wal::append  src/wal.cc:47  jbd2_log_wait_commit"));
  CHECK(has_line(text, "  25.0 %  lock   ?"));
}

TEST_CASE("a name out of debug information can't steer the terminal") {
  OffCpuProfile profile = waiting_profile();
  profile.top_blockers[0].place.function = "a\x1b[2Jb\nc";
  const std::string text = text_of({profile, {}});
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\nc") == std::string::npos);
}

TEST_CASE("a profile without a sample divides by nothing") {
  OffCpuProfile profile;
  profile.samples = profile.idle_samples = 7;
  CHECK(has_line(text_of({profile, {}}), "  io           0.0 %"));
}

TEST_CASE("a causal target shows its credible point, with the interval and the factor on throughput") {
  CausalProfile profile;
  profile.source = "coz";
  profile.experiments = 30;
  profile.discarded = 2;
  profile.targets = {target("/home/me/walkv/src/crc.cc", 0.5, 0.4, 0.6, 0.5),
                     target("/usr/include/x.h", 0.1, -1, 1, 0)};
  profile.targets.push_back(profile.targets[1]);
  profile.targets[2].contention = true;
  const std::string text = text_of({{}, profile});
  CAPTURE(text);
  CHECK(has_line(text, "causal   coz, 30 experiments, 2 not used"));
  CHECK(text.find("  src/crc.cc:12        walkv::crc32  op        25 %          +50.0 % (+40.0 to +60.0)") !=
        std::string::npos);
  CHECK(text.find("  2.00x       pays off\n") != std::string::npos);
  // No point of it is: the last of its curve.
  CHECK(text.find("50 %          +5.0 % (-100.0 to +100.0)  1.05x       not told from 0\n") != std::string::npos);
  CHECK(text.find("makes it slower\n") != std::string::npos);
}

TEST_CASE("of a latency there is no factor on throughput, and a class stands in place of a line") {
  CausalProfile profile;
  profile.targets = {target("/a.cc", 0.5, 0.4, 0.6, 0.5)};
  profile.targets[0].is_latency = true;
  profile.targets[0].scope = "lock";
  profile.targets[0].given = "IO,0.50%";
  const std::string text = text_of({{}, profile});
  CAPTURE(text);
  CHECK(text.find("  lock  IO,0.50%  op ") != std::string::npos);
  CHECK(text.find("  latency     pays off\n") != std::string::npos);
  CHECK(text.find("2.00x") == std::string::npos);
}

TEST_CASE("of many targets the first twenty are shown, and the others counted") {
  CausalProfile profile;
  profile.targets.assign(23, target("/a.cc", 0.5, 0.4, 0.6, 0.5));
  CHECK(has_line(text_of({{}, profile}), "  and 3 more; --json has all"));
}

TEST_CASE("an empty profile is an empty text") {
  CHECK(text_of({}).empty());
}
