/// Chains of callers out of copies of real stacks, of programs built without frame pointers.

#include "profile/unwinder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "profile/symbolizer.hpp"
#include "profile_programs.hpp"
#include "stack_sampler.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

struct Chains {
  std::set<Names> named;  ///< Each distinct chain, innermost first.
  bool is_allowed = true;
};

Names names_of(const std::vector<std::uint64_t>& addresses, Symbolizer& symbolizer) {
  Names names;
  for (const std::uint64_t address : addresses) {
    for (const StackFrame& frame : symbolizer.frames(address)) names.push_back(frame.place.function);
  }
  return names;
}

/// Builds waits.cpp, runs it, and unwinds from every place where it was switched out.
Chains chains_of(const std::string& kind, const std::vector<std::string>& options, std::uint32_t stack_bytes = 8192) {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "waits";
  build_fixture("waits.cpp", options, program);
  const auto run = sample_switches({program.string(), kind, (folder.path() / "file").string()}, stack_bytes);
  Chains chains;
  chains.is_allowed = run.has_value();
  if (!run) {
    MESSAGE("not checked: this user may not sample context switches");
    return chains;
  }
  CHECK(!run->switches.empty());
  const std::vector<Mapping> mappings = parse_maps(run->out);
  const auto objects = std::make_shared<CodeObjects>();
  Symbolizer symbolizer(mappings, objects);
  Unwinder unwinder(mappings, objects);
  for (const SampledSwitch& sample : run->switches) {
    chains.named.insert(
        names_of(unwinder.unwind({sample.registers, sample.sp, sample.stack}, sample.chain), symbolizer));
  }
  return chains;
}

/// Some chain has these next to each other, innermost first.
bool has_chain(const Chains& chains, const Names& part) {
  return std::any_of(chains.named.begin(), chains.named.end(), [&](const Names& names) {
    return std::search(names.begin(), names.end(), part.begin(), part.end()) != names.end();
  });
}

std::string all_of(const Chains& chains) {
  std::string text;
  for (const Names& names : chains.named) {
    for (const std::string& name : names) text += name + " < ";
    text += "\n";
  }
  return text;
}

const std::vector<std::string> kWithoutFramePointers = {"-g", "-O2", "-fomit-frame-pointer"};

}  // namespace

TEST_CASE("the caller of fsync is there, though neither keeps a frame pointer") {
  const Chains chains = chains_of("fsync", kWithoutFramePointers);
  if (!chains.is_allowed) return;
  INFO(all_of(chains));
  CHECK(has_chain(chains, {"fsync", "(anonymous namespace)::io_heavy", "main"}));
}

TEST_CASE("the way to a lock goes through what was inlined and the lambda") {
  const Chains chains = chains_of("lock", kWithoutFramePointers);
  if (!chains.is_allowed) return;
  INFO(all_of(chains));
  CHECK(has_chain(chains, {"pthread_mutex_lock", "__gthread_mutex_lock", "std::mutex::lock"}));
  CHECK(has_chain(chains, {"(anonymous namespace)::hot", "(anonymous namespace)::wait_for_lock::{lambda#2}"}));
}

TEST_CASE("a signal's frame is gone through, down to what it interrupted") {
  const Chains chains = chains_of("signal", kWithoutFramePointers);
  if (!chains.is_allowed) return;
  INFO(all_of(chains));
  CHECK(has_chain(chains, {"syscall", "(anonymous namespace)::nap", "(anonymous namespace)::on_signal"}));
  CHECK(has_chain(chains, {"raise", "(anonymous namespace)::interrupted", "main"}));
}

TEST_CASE("where the dump ends, frame pointers lead on to the outermost caller") {
  const Names deep(21, "(anonymous namespace)::deep");
  Names whole = {"(anonymous namespace)::nap"};
  whole.insert(whole.end(), deep.begin(), deep.end());
  whole.push_back("main");
  const Chains chains = chains_of("deep", {"-g", "-O1", "-fno-omit-frame-pointer", "-fno-inline"}, 2048);
  if (!chains.is_allowed) return;
  INFO(all_of(chains));
  CHECK(has_chain(chains, whole));

  // Without them, it ends with the dump.
  const Chains cut = chains_of("deep", {"-g", "-O1", "-fomit-frame-pointer", "-fno-inline"}, 2048);
  INFO(all_of(cut));
  CHECK(has_chain(cut, {"(anonymous namespace)::nap", "(anonymous namespace)::deep", "(anonymous namespace)::deep"}));
  CHECK(!has_chain(cut, deep));
}

TEST_CASE("code that lies in .debug_frame alone is unwound") {
  const Chains chains = chains_of("fsync", {"-g", "-O2", "-fomit-frame-pointer", "-fno-exceptions",
                                            "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"});
  if (!chains.is_allowed) return;
  INFO(all_of(chains));
  CHECK(has_chain(chains, {"fsync", "(anonymous namespace)::io_heavy", "main"}));
}

TEST_CASE("without a dump the frame pointers' chain is all there is; callers are named by their calls") {
  Unwinder unwinder({});
  const std::vector<std::uint64_t> chain = {0x1000, 0x2000, 0x3000};
  CHECK(unwinder.unwind({}, chain) == std::vector<std::uint64_t>{0x1000, 0x1fff, 0x2fff});
  CHECK(unwinder.unwind({}, {}).empty());
}
