/// task.yaml: what a whole one gives, what a minimal one leaves to defaults, and each mistake with its place.

#include <doctest/doctest.h>

#include <cmath>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/rng.hpp>

#include "base/files.hpp"
#include "core/task_yaml.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kMinimal = R"(editable: ["*.cc"]
build: make
test: ./test
benchmark: {command: ./bench, throughput: fillrandom}
)";

constexpr std::string_view kFull = R"(# Everything that a task can say.
name: walkv
description: |
  A storage engine.
  Writes matter most.
source: code
editable:
  - "src/*.cc"
  - src/**/*.h
patches: patches
build: {command: "ninja -C build", timeout: 2m}
test: ./build/walkv_test
benchmark:
  command: ./build/walkv_bench --benchmarks=fillrandom
  timeout: 1h
  parser: regex
  throughput: fill
  latency: fill.P99
  patterns:
    fill: 'fill: ([0-9.]+) ops'
    fill.P99: 'P99: (?:about )?([0-9.]+)'
  operations: ops
  data: [build/fill.db, ./out//]
  min_pairs: 5
  max_pairs: 40
  max_time: 2m
  half_width: 0.01
  warmup: 1
holdout: {command: ./build/walkv_bench --benchmarks=readrandom, warmup: 0}
verify: ./build/walkv_bench --benchmarks=verify
gates: {writers: 16, bytes_per_operation: 4000, memory_ratio: 1.5, cpu_ratio: 3, off: [network, cpu]}
sanitize: {build: make asan, test: {command: ./asan_test, timeout: 2m}}
profile: {command: ./build/walkv_bench, offcpu: {duration: 30s}, causal: {duration: 60s, progress: op}}
fitness:
  name: causal_capped
  weights: {throughput: 1, latency: 0.5, causal: 0, offcpu: 0.25}
  caps: {throughput: 10, latency: none, causal: 1.5}
archive:
  depth: 5
  offcpu_ratio: 20
  function: {category: 8}
  fill.micros_per_op: {cells: 4, lower: -1.5, upper: 100}
emitters: {llm: 3, patch_pool: 1.5}
selection: uniform
llm:
  api_base: http://127.0.0.1:8080/v1
  api_key: ${LAB_KEY}
  models:
    - {name: large, weight: 0.8, temperature: 0.2, max_tokens: 9000,
       usd_per_million_prompt_tokens: 2.5, usd_per_million_completion_tokens: 10}
    - small
  temperature: 0.9
  top_p: 0.95
  max_tokens: 8192
  stream: true
  timeout: 90
  first_byte_timeout: 500ms
  connect_timeout: 1.5s
  retries: 7
  system_message: Be brief.
max_patch_bytes: 1000
)";

/// A folder with code/ and patches/ in it, in which texts are read as its task.yaml.
class TaskFolder {
 public:
  TaskFolder() {
    std::filesystem::create_directory(path() / "code");
    std::filesystem::create_directory(path() / "patches");
  }

  const std::filesystem::path& path() const { return folder_.path(); }
  Result<Task> parse(std::string_view yaml) const { return parse_task(yaml, path() / "task.yaml"); }

  Task task(std::string_view yaml) const {
    Result<Task> task = parse(yaml);
    REQUIRE_MESSAGE(task.has_value(), (task ? "" : task.error().message));
    return *std::move(task);
  }

  /// The error, from "task.yaml" on.
  std::string refusal(std::string_view yaml) const {
    const Result<Task> task = parse(yaml);
    if (task) return "(accepted)";
    CHECK(task.error().code == Error::Code::invalid_argument);
    const std::string prefix = path().string() + "/";
    const std::string& message = task.error().message;
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

 private:
  TemporaryFolder folder_;
};

std::string minimal_with(std::string_view more) {
  return std::string(kMinimal) + std::string(more);
}

}  // namespace

TEST_CASE("a task file that says everything is read whole") {
  const TaskFolder folder;
  const Task task = folder.task(kFull);
  CHECK(task.name == "walkv");
  CHECK(task.description == "A storage engine.\nWrites matter most.\n");
  CHECK(task.file == std::filesystem::canonical(folder.path()) / "task.yaml");
  CHECK(task.source == std::filesystem::canonical(folder.path() / "code"));
  CHECK(task.patches == std::filesystem::canonical(folder.path() / "patches"));
  CHECK(task.editable == std::vector<std::string>{"src/*.cc", "src/**/*.h"});
  CHECK(task.build.command == "ninja -C build");
  CHECK(task.build.timeout == 2min);
  CHECK(task.test.command == "./build/walkv_test");
  CHECK(task.test.timeout == 60s);
  CHECK(task.benchmark.run.command == "./build/walkv_bench --benchmarks=fillrandom");
  CHECK(task.benchmark.run.timeout == 1h);
  CHECK(task.benchmark.parser == "regex");
  CHECK(task.benchmark.throughput == "fill");
  CHECK(task.benchmark.latency == "fill.P99");
  CHECK(task.benchmark.patterns.at("fill.P99") == "P99: (?:about )?([0-9.]+)");
  CHECK(task.benchmark.operations == "ops");
  CHECK(task.data == std::vector<std::string>{"build/fill.db", "out"});
  CHECK(task.sampling.min_pairs == 5);
  CHECK(task.sampling.max_pairs == 40);
  CHECK(task.sampling.max_pairs_compared == 40);
  CHECK(task.sampling.max_time == 2min);
  CHECK(task.sampling.half_width == 0.01);
  REQUIRE(task.holdout);
  CHECK(task.holdout->run.command == "./build/walkv_bench --benchmarks=readrandom");
  CHECK(task.holdout->run.timeout == 1h);
  CHECK(task.holdout->throughput == "fill");
  CHECK(task.holdout->patterns == task.benchmark.patterns);
  CHECK(task.holdout->warmup == 0);
  CHECK(task.verify.command == "./build/walkv_bench --benchmarks=verify");
  CHECK(task.gates.writers == 16);
  CHECK(task.gates.bytes_per_operation == 4000.0);
  CHECK(task.gates.memory_ratio == 1.5);
  CHECK(task.gates.cpu_ratio == 3.0);
  CHECK(task.gates.off == std::vector<std::string>{"network", "cpu"});
  CHECK(task.sanitize.on);
  CHECK(task.sanitize.build->command == "make asan");
  CHECK(task.sanitize.test->timeout == 2min);
  CHECK(task.benchmark.warmup == 1);
  CHECK(task.fitness.name == "causal_capped");
  CHECK(task.fitness.throughput_cap == 10.0);
  CHECK(std::isinf(task.fitness.latency_cap));
  CHECK(task.fitness.causal_cap == 1.5);
  CHECK(task.fitness.offcpu_cap == 1.25);
  CHECK(task.fitness.throughput_weight == 1.0);
  CHECK(task.fitness.latency_weight == 0.5);
  CHECK(task.fitness.causal_weight == 0.0);
  CHECK(task.fitness.offcpu_weight == 0.25);
  CHECK(task.selection == "uniform");
  CHECK(task.max_patch_bytes == 1000);
}

TEST_CASE("the archive's axes are those of the file, in its order") {
  const Task task = TaskFolder().task(kFull);
  REQUIRE(task.axes.size() == 3);
  CHECK(task.axes[0].measure == "offcpu_ratio");
  CHECK(task.axes[0].kind == Axis::Kind::linear);
  CHECK(task.axes[0].cells == 20);
  CHECK(task.axes[0].lower == 0.0);
  CHECK(task.axes[0].upper == 1.0);
  CHECK(task.axes[1].measure == "function");
  CHECK(task.axes[1].kind == Axis::Kind::category);
  CHECK(task.axes[1].cells == 8);
  CHECK(task.axes[2].measure == "fill.micros_per_op");
  CHECK(task.axes[2].cells == 4);
  CHECK(task.axes[2].lower == -1.5);
  CHECK(task.axes[2].upper == 100.0);
  CHECK(task.archive_depth == 5);
}

TEST_CASE("the llm section is read with OpenEvolve's keys, and times may be bare seconds") {
  const LlmTask llm = TaskFolder().task(kFull).llm;
  CHECK(llm.api_base == "http://127.0.0.1:8080/v1");
  CHECK(llm.api_key_env == "LAB_KEY");
  REQUIRE(llm.models.size() == 2);
  CHECK(llm.models[0].name == "large");
  CHECK(llm.models[0].weight == 0.8);
  CHECK(llm.models[0].temperature == 0.2);
  CHECK(llm.models[0].max_tokens == 9000U);
  CHECK(llm.models[0].usd_per_million_prompt_tokens == 2.5);
  CHECK(llm.models[0].usd_per_million_completion_tokens == 10.0);
  CHECK(llm.models[1].name == "small");
  CHECK(llm.models[1].weight == 1.0);
  CHECK_FALSE(llm.models[1].temperature);
  CHECK(llm.temperature == 0.9);
  CHECK(llm.top_p == 0.95);
  CHECK(llm.max_tokens == 8192);
  CHECK(llm.stream);
  CHECK(llm.timeout == 90s);
  CHECK(llm.first_byte_timeout == 500ms);
  CHECK(llm.connect_timeout == 1500ms);
  CHECK(llm.retries == 7);
  CHECK(llm.system_message == "Be brief.");
}

TEST_CASE("a minimal task file gets the defaults") {
  const TaskFolder folder;
  const Task task = folder.task(kMinimal);
  CHECK(task.name == folder.path().filename().string());
  CHECK(task.source == std::filesystem::canonical(folder.path()));
  CHECK(task.patches.empty());
  CHECK(task.build.timeout == 300s);
  CHECK(task.test.timeout == 60s);
  CHECK(task.benchmark.run.timeout == 300s);
  CHECK(task.benchmark.parser == "db_bench");
  CHECK(task.benchmark.latency.empty());
  CHECK(task.data.empty());
  CHECK(task.sampling.min_pairs == 3);
  CHECK(task.sampling.max_pairs == 14);
  CHECK(task.sampling.max_pairs_compared == 50);
  CHECK_FALSE(task.holdout);
  CHECK(task.verify.command.empty());
  CHECK(task.gates.writers == 0);
  CHECK_FALSE(task.sanitize.on);
  REQUIRE(task.axes.size() == 2);
  CHECK(task.axes[0].measure == "offcpu_ratio");
  CHECK(task.axes[0].cells == 10);
  CHECK(task.axes[1].measure == "causal_hotspot");
  CHECK(task.axes[1].kind == Axis::Kind::category);
  CHECK(task.axes[1].cells == 64);
  CHECK(task.fitness.throughput_weight == 0.30);
  CHECK(task.emitters.empty());
  CHECK(task.selection == "tournament");
  CHECK(task.llm.api_base.empty());
  CHECK(task.llm.api_key_env == "OPENAI_API_KEY");
  CHECK(task.max_patch_bytes == 262'144);
}

TEST_CASE("emitters are a list of names, a list with weights, or a map to weights") {
  const TaskFolder folder;
  for (const std::string_view form : {"[llm, {name: constants, weight: 2}]", "{llm: 1, constants: 2}"}) {
    const Task task = folder.task(minimal_with("emitters: " + std::string(form)));
    REQUIRE(task.emitters.size() == 2);
    CHECK(task.emitters[0].name == "llm");
    CHECK(task.emitters[0].weight == 1.0);
    CHECK(task.emitters[1].name == "constants");
    CHECK(task.emitters[1].weight == 2.0);
  }
}

TEST_CASE("a function axis may be auto, a number, or {category: N}") {
  const TaskFolder folder;
  for (const auto& [form, cells] : {std::pair{"auto", 64}, {"12", 12}, {"{category: 5}", 5}}) {
    const Task task = folder.task(minimal_with("archive: {function: " + std::string(form) + "}"));
    REQUIRE(task.axes.size() == 1);
    CHECK(task.axes[0].kind == Axis::Kind::category);
    CHECK(task.axes[0].cells == cells);
  }
}

TEST_CASE("a depth alone leaves the archive its usual axes") {
  const TaskFolder folder;
  const Task task = folder.task(minimal_with("archive: {depth: 1}"));
  CHECK(task.archive_depth == 1);
  CHECK(task.axes.size() == 2);
  CHECK(folder.task(minimal_with("archive: {offcpu_ratio: 3}")).archive_depth == 3);
}

TEST_CASE("caps may come before weights, or the name alone") {
  const TaskFolder folder;
  const Task task =
      folder.task(minimal_with("fitness: {caps: {offcpu: 2}, weights: {offcpu: 0.5}, name: causal_capped}"));
  CHECK(task.fitness.offcpu_cap == 2.0);
  CHECK(task.fitness.offcpu_weight == 0.5);
  CHECK(folder.task(minimal_with("fitness: causal_capped")).fitness.latency_cap == 2.0);
}

TEST_CASE("a section whose keys are all commented out counts as left out") {
  const Task task = TaskFolder().task(minimal_with("llm:\n  # api_base: http://x\nfitness:\nname:\n"));
  CHECK(task.llm.api_base.empty());
  CHECK(task.fitness.name == "causal");
}

TEST_CASE("a command that YAML takes for a boolean is still a command") {
  CHECK(TaskFolder()
            .task("editable: [a]\nbuild: true\ntest: true\nbenchmark: {command: x, throughput: y}\n")
            .build.command == "true");
}

namespace {

struct Broken {
  std::string_view yaml;  ///< Added to the minimal file, so that its first line is the file's fifth.
  std::string_view error;
};

constexpr Broken kBrokenAdditions[] = {
    {"benchmrk: x", "task.yaml:5: unknown key 'benchmrk'; did you mean 'benchmark'?"},
    {"\n\nllm:\n  api_bse: http://x", "task.yaml:8: unknown key 'api_bse'; did you mean 'api_base'?"},
    {"build: cmake", "task.yaml:5: key 'build' is there twice"},
    {"name: [a]", "task.yaml:5: 'name' must be text, not a list"},
    {"name: ''", "task.yaml:5: 'name' is empty"},
    {"name: \"a\\nb\"", "task.yaml:5: 'name' has a line break or control character in it"},
    {"name: \"a\\0b\"", "task.yaml:5: holds a NUL character"},
    {"name: *x", "task.yaml:5: the referenced anchor is not defined"},
    {"a: &a [x]\nb: [*a, *a]", "task.yaml:6: aliases are not read; write the value out"},
    {"source: nowhere", "task.yaml:5: 'source' names no folder: 'nowhere'"},
    {"source: task.yaml", "task.yaml:5: 'source' names no folder: 'task.yaml'"},
    {"patches: nowhere", "task.yaml:5: 'patches' names no folder: 'nowhere'"},
    {"fitness: casual", "task.yaml:5: unknown fitness 'casual'; did you mean 'causal'?"},
    {"fitness: {weights: {throughput: -1}}", "task.yaml:5: 'throughput' must be a number from 0 to 1000000, not '-1'"},
    {"fitness: {weights: {latency: .nan}}", "task.yaml:5: 'latency' must be a number from 0 to 1000000, not '.nan'"},
    {"fitness: {weights: {latency: inf}}", "task.yaml:5: 'latency' must be a number from 0 to 1000000, not 'inf'"},
    {"fitness:\n  weights: {throughput: 0, latency: 0, causal: 0, offcpu: 0}",
     "task.yaml:6: the weights of 'fitness' are all 0"},
    {"fitness: {name: causal_capped, caps: {offcpu: 0.5}}",
     "task.yaml:5: 'offcpu' must be none or a number from 1 to 1000000, not '0.5'"},
    {"fitness:\n  name: causal_capped\n  caps: {latency: nan}",
     "task.yaml:7: 'latency' must be none or a number from 1 to 1000000, not 'nan'"},
    {"fitness: {name: causal_capped, caps: {offcpus: 2}}",
     "task.yaml:5: unknown key 'offcpus'; did you mean 'offcpu'?"},
    {"fitness:\n  caps: {offcpu: 2}", "task.yaml:6: 'caps' are for 'name: causal_capped' only"},
    {"archive: {depth: 0}", "task.yaml:5: 'depth' must be a whole number from 1 to 100, not '0'"},
    {"fitness: [causal]", "task.yaml:5: 'fitness' must be a name or {name, weights, caps}, not a list"},
    {"archive: {}", "task.yaml:5: 'archive' has no axis"},
    {"archive: [a]", "task.yaml:5: 'archive' must be a map from measure to cells, not a list"},
    {"archive: {offcpu_ratio: 0}", "task.yaml:5: 'offcpu_ratio' must be a whole number from 1 to 1000000, not '0'"},
    {"archive: {offcpu_ration: 3}",
     "task.yaml:5: unknown short form of axis 'offcpu_ration'; did you mean 'offcpu_ratio'?"},
    {"archive: {ops: {cells: 3}}", "task.yaml:5: the axis 'ops' needs 'lower' and 'upper'"},
    {"archive: {ops: {cells: 3, lower: 2, upper: 2}}", "task.yaml:5: the axis 'ops' must have 'lower' below 'upper'"},
    {"archive: {ops: {lower: 0, upper: 2}}", "task.yaml:5: key 'cells' is missing in 'ops': how many there are"},
    {"archive: {ops: {category: 3}}",
     "task.yaml:5: only the axes function, causal_hotspot, offcpu_class, offcpu_function have categories"},
    {"archive: {function: many}",
     "task.yaml:5: 'function' must be auto, a number of cells or {category: N}, not 'many'"},
    {"emitters: []", "task.yaml:5: 'emitters' is empty; leave it out for the default"},
    {"emitters: [lm]", "task.yaml:5: unknown emitter 'lm'; did you mean 'llm'?"},
    {"emitters:\n- llm\n- llm", "task.yaml:5: 'llm' is there twice in 'emitters'"},
    {"emitters: {constants: 0, llm: 0}", "task.yaml:5: the weights of 'emitters' are all 0"},
    {"emitters: {llm: much}", "task.yaml:5: 'llm' must be a number from 0 to 1000000, not 'much'"},
    {"emitters: llm", "task.yaml:5: 'emitters' must be a list of emitters, not text"},
    {"emitters: [patch_pool]", "task.yaml:5: the emitter 'patch_pool' needs 'patches', a folder of patch files"},
    {"llm: http://x", "task.yaml:5: 'llm' must be a map of keys, not text"},
    {"llm: {api_base: localhost}", "task.yaml:5: 'api_base' must be a URL like http://127.0.0.1:8080/v1"},
    {"llm: {stream: yes}", "task.yaml:5: 'stream' must be true or false, not 'yes'"},
    {"llm: {temperature: hot}", "task.yaml:5: 'temperature' must be a number from 0 to 2, not 'hot'"},
    {"llm: {max_tokens: 1.5}", "task.yaml:5: 'max_tokens' must be a whole number from 1 to 10000000, not '1.5'"},
    {"llm: {retries: '3'}", "task.yaml:5: 'retries' must be a whole number from 0 to 100, not text in quotes"},
    {"llm: {timeout: 5 parsecs}",
     "task.yaml:5: 'timeout' must be a time of at most 168h, like 500ms, 300s, 2m or 1h, not '5 parsecs'"},
    {"llm: {timeout: 0s}",
     "task.yaml:5: 'timeout' must be a time of at most 168h, like 500ms, 300s, 2m or 1h, not '0s'"},
    {"llm: {timeout: -3s}",
     "task.yaml:5: 'timeout' must be a time of at most 168h, like 500ms, 300s, 2m or 1h, not '-3s'"},
    {"llm: {timeout: nan}",
     "task.yaml:5: 'timeout' must be a time of at most 168h, like 500ms, 300s, 2m or 1h, not 'nan'"},
    {"llm: {timeout: 1e300h}",
     "task.yaml:5: 'timeout' must be a time of at most 168h, like 500ms, 300s, 2m or 1h, not '1e300h'"},
    {"llm:\n  models:\n  - {weight: 1}",
     "task.yaml:7: key 'name' is missing in 'models[1]': the model as the endpoint knows it"},
    {"llm: {models: [{name: a, weight: 0}]}", "task.yaml:5: the weights of 'models' are all 0"},
    {"llm: {models: []}", "task.yaml:5: 'models' is empty; leave it out for the default"},
    {"llm: {models: {a: 1}}", "task.yaml:5: 'models' must be a list of {name, weight}, not a map"},
    {"profile: fast", "task.yaml:5: 'profile' must be {command, offcpu, causal}, not text"},
    {"profile: {offcpu: {duration: long}}",
     "task.yaml:5: 'duration' must be a time of at most 168h, like 500ms, 300s, 2m or 1h, not 'long'"},
    {"profile: {offcpu: {duration: 300ms}}", "task.yaml:5: a profile of less than 1s says nothing"},
    {"profile: {offcpu: {provider: perv}}", "task.yaml:5: unknown provider 'perv'; did you mean 'perf'?"},
    {"profile: {offcpu: {idle: loop}}",
     "task.yaml:5: 'idle' must be a list of functions, like [\"*::BGThread\"], not text"},
    {"profile: {when: sometimes}",
     "task.yaml:5: unknown time to profile 'sometimes'; known: always, promising, elites, never"},
    {"profile: {casual: {}}", "task.yaml:5: unknown key 'casual'; did you mean 'causal'?"},
    {"max_patch_bytes: 0", "task.yaml:5: 'max_patch_bytes' must be a whole number from 1 to 67108864, not '0'"},
    {"---\nname: x", "task.yaml:5: a second document begins here; only one is read"},
    {"name: !!python/object x", "task.yaml:5: tags are not read; write the plain value"},
    {"name: [a", "task.yaml:5: end of sequence flow not found"},
    {"name: a: b", "task.yaml:5: illegal map value"},
    {"llm:\n\tapi_base: http://x", "task.yaml:6: illegal map value (indent by spaces: this line begins with a tab)"},
};

constexpr Broken kBrokenFiles[] = {
    {"", "task.yaml: the file must be a map of keys, not empty"},
    {"just words", "task.yaml:1: the file must be a map of keys, not text"},
    {"- a\n- b\n", "task.yaml:1: the file must be a map of keys, not a list"},
    {"# a comment\nname: x\n", "task.yaml:2: key 'editable' is missing: a list of globs, the files that may change"},
    {"editable: [a]\n", "task.yaml:1: key 'build' is missing: the command that builds a candidate"},
    {"editable: a\n", "task.yaml:1: 'editable' must be a list of globs, like [\"src/*.cc\"], not text"},
    {"editable: []\n", "task.yaml:1: 'editable' is empty: nothing could be changed"},
    {"editable: [/etc/passwd]\n", "task.yaml:1: editable: '/etc/passwd' is absolute; globs are relative to 'source'"},
    {"editable:\n- a\n- src/../../b\n", "task.yaml:3: editable: 'src/../../b' leaves 'source' by '..'"},
    {"editable: ['src/[ab']\n", "task.yaml:1: editable: 'src/[ab' is no glob: a bracket or brace is not closed"},
    {"editable: [a]\nbuild: ' '\n", "task.yaml:2: the command of 'build' is empty"},
    {"editable: [a]\nbuild: {timeout: 3s}\n", "task.yaml:2: key 'command' is missing in 'build': what to run"},
    {"editable: [a]\nbuild: [make]\n", "task.yaml:2: 'build' must be a command or {command, timeout}, not a list"},
    {"editable: [a]\nbuild: b\ntest:\n  command: t\n  timout: 3s\n",
     "task.yaml:5: unknown key 'timout'; did you mean 'timeout'?"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark: ./bench\n",
     "task.yaml:4: 'benchmark' must be {command, throughput, ...}, not text"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n",
     "task.yaml:4: key 'throughput' is missing in 'benchmark': the name of the metric to maximise, as the parser finds "
     "it"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  min_pairs: 0\n",
     "task.yaml:7: 'min_pairs' must be a whole number from 1 to 1000, not '0'"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  max_pairs: 2\n",
     "task.yaml:7: 'max_pairs' is below 'min_pairs', which is 3"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  data: ../db\n",
     "task.yaml:7: data: '../db' does not lie below 'source'"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  data: .\n",
     "task.yaml:7: data: '.' does not lie below 'source'"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark: {command: x, throughput: y}\nverify: v\n",
     "task.yaml:5: 'verify' needs `benchmark: {data: ...}`, what the benchmark leaves behind"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark: {command: x, throughput: y}\ngates: {off: [clok]}\n",
     "task.yaml:5: unknown gate 'clok'; did you mean 'clock'?"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark: {command: x, throughput: y}\nsanitize: perhaps\n",
     "task.yaml:5: 'sanitize' must be true, false or {build, test}, not 'perhaps'"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark: {command: x, throughput: y}\nholdout: ./x\n",
     "task.yaml:5: 'holdout' must be {command, ...}, not text"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  parser: dbbench\n",
     "task.yaml:7: unknown parser 'dbbench'; did you mean 'db_bench'?"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  parser: regex\n",
     "task.yaml:4: 'patterns' has no regex for the metric 'y'"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  patterns: {y: '(1)'}\n",
     "task.yaml:7: 'patterns' are for 'parser: regex' only"},
    {"editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  patterns: {y: '1'}\n",
     "task.yaml:7: the pattern of 'y' must have exactly one group, (...), around the number; (?:...) groups beside it"},
};

}  // namespace

TEST_CASE("what a task says of profiles is kept, and what it does not say is as for a database") {
  const TaskFolder folder;
  const Task said = folder.task(minimal_with(
      "profile:\n  command: ./long\n  when: always\n  offcpu: {duration: 4s, provider: sampler, idle: [\"*::loop\"]}\n"
      "  causal: {duration: 20s, provider: coz, progress: op}\n"));
  CHECK(said.profile.command == "./long");
  CHECK(said.profile.when == ProfileTask::When::always);
  CHECK(said.profile.offcpu_duration == 4s);
  CHECK(said.profile.offcpu_provider == "sampler");
  CHECK(said.profile.idle == std::vector<std::string>{"*::loop"});
  CHECK(said.profile.causal_duration == 20s);
  CHECK(said.profile.causal_provider == "coz");
  CHECK(said.profile.progress == "op");

  const Task silent = folder.task(minimal_with(""));
  CHECK(silent.profile.command.empty());
  CHECK(silent.profile.when == ProfileTask::When::promising);
  CHECK(silent.profile.offcpu_duration == 30s);
  CHECK(silent.profile.causal_duration == 60s);
  CHECK(silent.profile.offcpu_provider == "auto");
}

TEST_CASE("axes of names have a cell for each name") {
  const TaskFolder folder;
  const Task task =
      folder.task(minimal_with("archive: {causal_hotspot: auto, offcpu_class: 4, offcpu_function: {category: 9}}"));
  REQUIRE(task.axes.size() == 3);
  for (const Axis& axis : task.axes) CHECK(axis.kind == Axis::Kind::category);
  CHECK(task.axes[0].measure == "causal_hotspot");
  CHECK(task.axes[1].cells == 4);
  CHECK(task.axes[2].cells == 9);
}

TEST_CASE("each mistake in a task file is one line that names its place") {
  const TaskFolder folder;
  for (const Broken& broken : kBrokenAdditions) {
    CAPTURE(broken.yaml);
    CHECK(folder.refusal(minimal_with(broken.yaml)) == broken.error);
  }
  for (const Broken& broken : kBrokenFiles) {
    CAPTURE(broken.yaml);
    CHECK(folder.refusal(broken.yaml) == broken.error);
  }
}

TEST_CASE("a key in the task file is refused, and the message does not quote it") {
  const TaskFolder folder;
  const std::string expected =
      "task.yaml:5: 'api_key' must be ${NAME}, an environment variable and nothing beside it; a key itself does not "
      "belong in a task file";
  for (const std::string_view key :
       {"sk-hunter2", "${KEY}hunter2", "hunter2${KEY}", "$hunter2", "'${hunter 2}'", "''"}) {
    CHECK(folder.refusal(minimal_with("llm: {api_key: \"" + std::string(key) + "\"}")) == expected);
  }
  CHECK(folder.refusal(minimal_with("llm: {api_key: [hunter2]}")) == "task.yaml:5: 'api_key' must be text, not a list");
  CHECK(folder.refusal(minimal_with("llm: {api_base: 'http://user:hunter2@host/v1'}")) ==
        "task.yaml:5: 'api_base' must not hold a user or password; give the key by the environment");
  CHECK(folder.refusal(minimal_with("llm: {api_base: 'http://host/v1?key=hunter2'}")) ==
        "task.yaml:5: 'api_base' must end before any '?' or '#'");
  CHECK(folder.refusal(minimal_with("llm: {api_base: 'user:hunter2@host'}")).find("hunter2") == std::string::npos);
}

TEST_CASE("a pattern that is built to cost much is refused") {
  const TaskFolder folder;
  const std::string start =
      "editable: [a]\nbuild: b\ntest: t\nbenchmark:\n  command: x\n  throughput: y\n  parser: regex\n";
  const auto refusal_of = [&](const std::string& regex) {
    return folder.refusal(start + "  patterns: {y: '" + regex + "'}");
  };
  CHECK(refusal_of(std::string(501, 'a')) == "task.yaml:8: the pattern of 'y' is longer than 500 bytes");
  for (const std::string& regex : {std::string(500, '('), std::string("(a{100}{100}{100}{100})"),
                                   std::string("(a{9999999})"), std::string("([z-a])"), std::string("(a")}) {
    CHECK(refusal_of(regex).starts_with("task.yaml:8: the pattern of 'y' is no ECMAScript regex: "));
  }
  // The parser would refuse it at each benchmark.
  CHECK(refusal_of(R"((\d+)\1?)") ==
        "task.yaml:8: the pattern of 'y' has a back-reference, like \\1; they are not read: a match could take for "
        "ever");
}

TEST_CASE("a task is loaded by its file or by the folder it is in") {
  const TaskFolder folder;
  REQUIRE(write_file_atomic(folder.path() / "task.yaml", kMinimal));
  const Result<Task> by_folder = load_task(folder.path());
  const Result<Task> by_file = load_task(folder.path() / "task.yaml");
  REQUIRE(by_folder);
  REQUIRE(by_file);
  CHECK(by_folder->file == by_file->file);
}

TEST_CASE("a folder without a task file says what writes one") {
  const TaskFolder folder;
  const Result<Task> task = load_task(folder.path());
  REQUIRE_FALSE(task);
  CHECK(task.error().code == Error::Code::not_found);
  const std::string name = folder.path().string();
  CHECK(task.error().message == name + " has no task.yaml; `aiopt init " + name + "` writes one");
}

TEST_CASE("what is no task file cannot be loaded") {
  const TaskFolder folder;
  CHECK(load_task(folder.path() / "none.yaml").error().code == Error::Code::not_found);
  CHECK(load_task("/dev/zero").error().code == Error::Code::invalid_argument);
  REQUIRE(write_file_atomic(folder.path() / "big.yaml", std::string(1'048'577, '#')));
  CHECK(load_task(folder.path() / "big.yaml").error().code == Error::Code::invalid_argument);
}

TEST_CASE("a symlinked task file has its paths where the link is") {
  const TaskFolder folder;
  REQUIRE(write_file_atomic(folder.path() / "code" / "real.yaml", minimal_with("patches: patches\n")));
  std::filesystem::create_symlink("code/real.yaml", folder.path() / "task.yaml");
  const Result<Task> task = load_task(folder.path());
  REQUIRE(task);
  CHECK(task->source == std::filesystem::canonical(folder.path()));
}

TEST_CASE("2,000 damaged copies of a good task file are read or refused in one line") {
  const TaskFolder folder;
  const std::string_view pieces[] = {"\t", "\n", "'",  "\"", "[",  "]",    "{",    "}",     ": ",
                                     "- ", "&a", "*a", "|",  "!",  "%",    "-1",   "1e999", "\xff",
                                     "..", "/",  "\\", "#",  "? ", "<<: ", "---\n"};
  Rng rng(20'260'712);
  int refused = 0;
  for (int round = 0; round < 2'000; ++round) {
    std::string yaml(kFull);
    for (std::size_t damage = 0; damage <= rng.index(4); ++damage) {
      const std::size_t at = rng.index(yaml.size());
      const std::size_t length = std::min(rng.index(12), yaml.size() - at);
      const std::size_t from = rng.index(yaml.size());
      switch (rng.index(4)) {
        case 0:
          yaml.erase(at, length);
          break;
        case 1:
          yaml.insert(at, pieces[rng.index(std::size(pieces))]);
          break;
        case 2:
          yaml[at] = static_cast<char>(rng.index(256));
          break;
        default:
          yaml.insert(at, yaml.substr(from, rng.index(80)));
      }
    }
    const Result<Task> task = folder.parse(yaml);
    if (task) continue;
    ++refused;
    CAPTURE(yaml);
    REQUIRE(task.error().message.starts_with((folder.path() / "task.yaml:").string()));
    REQUIRE(task.error().message.find('\n') == std::string::npos);
    REQUIRE(task.error().message.size() < 600);
  }
  // Most damage is a mistake, and some is not: in a comment, or in a text.
  CHECK(refused > 1'000);
  CHECK(refused < 2'000);
}
