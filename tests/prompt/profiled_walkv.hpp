/// Profiles of walkv, a small storage engine, as profilers would give them; for tests of the card and of prompts.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include <aiopt/profile.hpp>
#include <aiopt/source_tree.hpp>

namespace aiopt {

inline std::string walkv_db_source() {
  return "#include \"db_impl.h\"\n"
         "\n"
         "namespace walkv {\n"
         "\n"
         "Status DbImpl::get(std::string_view key, std::string* value) {\n"
         "  WriteLock lock(mutex_);\n"
         "  return memtable_->find(key, value);\n"
         "}\n"
         "\n"
         "Status DbImpl::put(const WriteOptions& options, std::string_view key, std::string_view value) {\n"
         "  WriteLock lock(mutex_);\n"
         "  const std::string record = encode_wal_record(Kind::value, key, value);\n"
         "  return commit(lock, options, Kind::value, key, value, record);\n"
         "}\n"
         "\n"
         "}  // namespace walkv\n";
}

inline std::string walkv_wal_source() {
  return "#include \"wal.h\"\n"
         "\n"
         "namespace walkv {\n"
         "\n"
         "Status WalWriter::append(std::string_view record, bool sync) {\n"
         "  const uint32_t crc = crc_of(record);\n"
         "  buffer_.append(reinterpret_cast<const char*>(&crc), sizeof crc);\n"
         "  buffer_.append(record);\n"
         "  if (!sync) return {};\n"
         "  file_->append(buffer_);\n"
         "  buffer_.clear();\n"
         "  return file_->sync();\n"
         "}\n"
         "\n"
         "}  // namespace walkv\n";
}

/// Functions within a class, and after them what is of no use to a reader of sync().
inline std::string walkv_env_source() {
  std::string source =
      "#include \"env.h\"\n"
      "\n"
      "namespace walkv {\n"
      "\n"
      "class PosixFile : public WritableFile {\n"
      " public:\n"
      "  explicit PosixFile(int fd) : fd_(fd) {}\n"
      "  ~PosixFile() override { ::close(fd_); }\n"
      "\n"
      "  Status sync() override {\n"
      "    return ::fsync(fd_) == 0 ? Status() : Status::io_error(errno);\n"
      "  }\n"
      "\n";
  for (int i = 0; i < 60; ++i) source += "  int counter_" + std::to_string(i) + "_ = 0;\n";
  return source + "};\n\n}  // namespace walkv\n";
}

inline SourceTree walkv_tree() {
  return {{"src/db_impl.cc", make_source_file(walkv_db_source())},
          {"src/env.cc", make_source_file(walkv_env_source())},
          {"src/wal.cc", make_source_file(walkv_wal_source())}};
}

inline Blocker blocker_of(CodePlace place, WaitClass kind, double share, std::string kernel_function,
                          std::vector<CodePlace> callers = {}) {
  return {std::move(place), kind, share, std::move(kernel_function), std::move(callers)};
}

/// Counts that fit the shares of 10,000 samples, none of them idle.
inline OffCpuProfile off_cpu_of(double io, double lock, double scheduling, double other) {
  const auto count = [](double share) { return static_cast<std::uint64_t>(share * 10'000.0 + 0.5); };
  OffCpuProfile profile;
  profile.source = "sampler";
  profile.samples = 10'000;
  profile.by_class = {count(io), count(lock), count(scheduling), count(other)};
  for (const std::uint64_t samples : profile.by_class) profile.off_cpu_samples += samples;
  profile.ratio = static_cast<double>(profile.off_cpu_samples) / 10'000.0;
  profile.ratio_with_idle = profile.ratio;
  return profile;
}

/// A curve of 0, 50 and 100 %, with +-4 points.
inline CausalTarget target_of(CodePlace place, double effect, std::string scope = "line") {
  CausalTarget target;
  target.place = std::move(place);
  target.scope = std::move(scope);
  target.progress_point = "op";
  target.curve = {{0.0, 0.0, 0.0, 0.0, 12},
                  {0.5, effect / 2.0, effect / 2.0 - 0.04, effect / 2.0 + 0.04, 11},
                  {1.0, effect, effect - 0.04, effect + 0.04, 10}};
  target.slope = effect;
  target.max_effect = effect > 0.04 ? effect : 0.0;
  target.contention = effect < -0.04;
  return target;
}

inline const CodePlace kMain{"main", "/tmp/aiopt-7Gx/walkv/bench/main.cc", 88};
inline const CodePlace kFill{"walkv::Bench::fill", "/tmp/aiopt-7Gx/walkv/bench/bench.cc", 51};
inline const CodePlace kRead{"walkv::Bench::read", "/tmp/aiopt-7Gx/walkv/bench/bench.cc", 70};
inline const CodePlace kInvoke{"std::__invoke_impl<...>", "/usr/include/c++/12/bits/invoke.h", 61};
inline const CodePlace kGet{"walkv::DbImpl::get", "/tmp/aiopt-7Gx/walkv/src/db_impl.cc", 6};
inline const CodePlace kPut{"walkv::DbImpl::put", "/tmp/aiopt-7Gx/walkv/src/db_impl.cc", 11};
inline const CodePlace kCommit{"walkv::DbImpl::put", "/tmp/aiopt-7Gx/walkv/src/db_impl.cc", 13};
inline const CodePlace kAppend{"walkv::WalWriter::append", "/tmp/aiopt-7Gx/walkv/src/wal.cc", 12};
inline const CodePlace kSync{"walkv::PosixFile::sync", "/tmp/aiopt-7Gx/walkv/src/env.cc", 11};
inline const CodePlace kCrc{"walkv::crc_of", "/tmp/aiopt-7Gx/walkv/src/crc.cc", 9};

/// Seven of eight threads wait for the one that syncs with the lock held.
inline Profile lock_bound_walkv() {
  Profile profile;
  OffCpuProfile& waits = profile.off_cpu.emplace(off_cpu_of(0.17, 0.71, 0.02, 0.003));
  waits.samples += 2'500;
  waits.idle_samples = 2'500;
  waits.off_cpu_samples += 2'500;
  waits.top_blockers = {
      blocker_of(kPut, WaitClass::lock, 0.48, "futex_do_wait", {kFill, kInvoke, kMain}),
      blocker_of(kGet, WaitClass::lock, 0.23, "futex_do_wait", {kRead, kInvoke, kMain}),
      blocker_of(kSync, WaitClass::io, 0.16, "jbd2_log_wait_commit", {kAppend, kCommit, kFill, kInvoke, kMain}),
      blocker_of(kPut, WaitClass::scheduling, 0.01, "", {kFill, kInvoke, kMain}),
  };
  CausalProfile& causal = profile.causal.emplace();
  causal.source = "causal";
  causal.experiments = 412;
  causal.targets = {target_of(kSync, 0.62), target_of(kAppend, 0.11), target_of(kPut, -0.12), target_of(kCrc, 0.01),
                    target_of(kGet, -0.02)};
  causal.max_speedup = 62.0;
  causal.max_speedup_location = "src/env.cc:11";
  return profile;
}

/// Before it had a lock for each half of the keys.
inline Profile walkv_before() {
  Profile profile;
  OffCpuProfile& waits = profile.off_cpu.emplace(off_cpu_of(0.08, 0.86, 0.02, 0.003));
  waits.top_blockers = {
      blocker_of(kPut, WaitClass::lock, 0.60, "futex_do_wait", {kFill, kInvoke, kMain}),
      blocker_of({"walkv::DbImpl::flush_memtable", "/tmp/aiopt-1Ab/walkv/src/db_files.cc", 14}, WaitClass::lock, 0.26,
                 "futex_do_wait", {kFill, kInvoke, kMain}),
      blocker_of(kSync, WaitClass::io, 0.07, "jbd2_log_wait_commit", {kAppend, kCommit, kFill, kInvoke, kMain}),
  };
  return profile;
}

}  // namespace aiopt
