/// Guesses how a source tree is built, tested and benchmarked, from the names in it.

#include "core/init_yaml.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestFolder = 24;
constexpr std::size_t kMostEntries = 100'000;
constexpr std::size_t kMostGlobs = 300;
constexpr std::size_t kLargestTextBytes = 4'194'304;

/// A C or C++ file, by its path relative to the folder, with '/'.
struct SourceName {
  std::string path;
  bool is_protected = false;  ///< A test, a benchmark, somebody else's code (what judges must not be changed), or a
                              ///< name that is not plain.
};

bool is_source(const fs::path& file) {
  constexpr std::array<std::string_view, 10> kEndings = {".c", ".cc", ".cpp", ".cxx", ".c++",
                                                         ".h", ".hh", ".hpp", ".hxx", ".inl"};
  return std::find(kEndings.begin(), kEndings.end(), file.extension().string()) != kEndings.end();
}

bool is_header(const fs::path& file) {
  return file.extension().string().starts_with(".h") || file.extension() == ".inl";
}

/// Safe to write into YAML, a glob and a command without quoting.
bool is_plain(std::string_view path) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+/").find(c) != std::string_view::npos;
  };
  return !path.empty() && std::all_of(path.begin(), path.end(), plain);
}

/// "db_bench" has the word "bench", "latest" does not have "test".
bool has_word(std::string_view stem, std::string_view word) {
  for (std::size_t at = stem.find(word); at != std::string_view::npos; at = stem.find(word, at + 1)) {
    if (at == 0 || std::string_view("_-.").find(stem[at - 1]) != std::string_view::npos) return true;
  }
  return false;
}

bool is_test(const fs::path& file) {
  return has_word(file.stem().string(), "test") || has_word(file.stem().string(), "unittest");
}

bool is_benchmark(const fs::path& file) {
  return has_word(file.stem().string(), "bench");
}

bool is_protected_folder(const std::string& name) {
  static const std::set<std::string> names = {
      "test", "tests",       "testing",     "unittests", "bench",  "benchmark", "benchmarks",  "fuzz",     "vendor",
      "deps", "third_party", "third-party", "external",  "extern", "contrib",   "subprojects", "examples", "docs"};
  return names.contains(name);
}

bool is_build_folder(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "CMakeCache.txt", error) || fs::exists(folder / "meson-private", error) ||
         folder.filename().string().starts_with("build");
}

/// All source files, sorted. Symlinks are not followed, hidden and build folders not entered.
Result<std::vector<SourceName>> find_sources(const fs::path& folder) {
  std::vector<SourceName> sources;
  std::error_code error;
  std::size_t entries = 0;
  auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::recursive_directory_iterator() && ++entries <= kMostEntries; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    const fs::file_type type = entry->symlink_status(ignored).type();
    if (type == fs::file_type::directory) {
      if (name.starts_with('.') || is_build_folder(entry->path()) || entry.depth() >= kDeepestFolder) {
        entry.disable_recursion_pending();
      }
      continue;
    }
    const fs::path path = entry->path().lexically_relative(folder);
    if (type != fs::file_type::regular || !is_source(path)) continue;
    const fs::path parent = path.parent_path();
    const bool is_protected = !is_plain(path.generic_string()) || is_test(path) || is_benchmark(path) ||
                              std::any_of(parent.begin(), parent.end(),
                                          [](const fs::path& part) { return is_protected_folder(part.string()); });
    sources.push_back({path.generic_string(), is_protected});
  }
  if (error) {
    return Error{Error::Code::io, fmt::format("cannot list {}: {}", folder.string(), error.message())};
  }
  std::sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return sources;
}

/// What is in one folder of the tree.
struct FolderSources {
  std::vector<std::string> files;  ///< That may change.
  std::set<std::string> endings;   ///< Of those.
  bool has_protected = false;      ///< Right in it.
  bool has_protected_below = false;
  bool has_folders = false;
  std::set<std::string> endings_below;  ///< Its own, too.
};

/// Globs that match what may change and nothing of what judges: a folder that holds both is listed file by file.
std::vector<std::string> editable_globs(const std::vector<SourceName>& sources) {
  std::map<std::string, FolderSources> folders;  // Sorted: a folder comes before what is below it.
  for (const SourceName& source : sources) {
    const fs::path path = source.path;
    const std::string ending = path.extension().string();
    const std::string own = path.parent_path().generic_string();
    FolderSources& folder = folders[own];
    (source.is_protected ? folder.has_protected : folder.has_protected_below) |= source.is_protected;
    if (!source.is_protected) folder.files.push_back(source.path);
    if (!source.is_protected) folder.endings.insert(ending);
    for (fs::path up = path.parent_path();; up = up.parent_path()) {
      FolderSources& above = folders[up.generic_string()];
      above.has_protected_below |= source.is_protected;
      above.has_folders |= up.generic_string() != own;
      if (!source.is_protected) above.endings_below.insert(ending);
      if (up.empty()) break;
    }
  }
  std::vector<std::string> globs;
  std::vector<std::string> covered;  // Folders whose "**" has what is below them.
  for (const auto& [name, folder] : folders) {
    const auto is_above = [&name = name](const std::string& prefix) { return name.starts_with(prefix); };
    if (std::any_of(covered.begin(), covered.end(), is_above)) continue;
    const std::string prefix = name.empty() ? "" : name + "/";
    if (!name.empty() && folder.has_folders && !folder.has_protected_below) {
      for (const std::string& ending : folder.endings_below) globs.push_back(fmt::format("{}**/*{}", prefix, ending));
      covered.push_back(prefix);
    } else if (folder.has_protected) {
      globs.insert(globs.end(), folder.files.begin(), folder.files.end());
    } else {
      for (const std::string& ending : folder.endings) globs.push_back(fmt::format("{}*{}", prefix, ending));
    }
  }
  return globs;
}

/// How the tree is built and judged: command lines, all guessed.
struct Guess {
  std::string origin;  ///< "meson.build".
  std::string build;
  std::string test;
  std::string benchmark;
  std::string program_folder;  ///< Where its programs come to lie, with '/' at the end.
  std::string makefile;        ///< Its text: it may say better where a program comes to lie.
};

/// The file's text; empty if it can't be read, for all that is wanted is a hint.
std::string text_of(const fs::path& file) {
  Result<std::string> text = read_file(file, kLargestTextBytes);
  return text ? *std::move(text) : std::string();
}

bool has_make_target(const std::string& makefile, std::string_view target) {
  for (const std::string_view line : split_lines(makefile)) {
    if (!line.starts_with(target)) continue;
    const std::string_view rest = trim(line.substr(target.size()));
    if (rest.starts_with(':') && !rest.starts_with(":=")) return true;
  }
  return false;
}

Guess guess_make(const fs::path& makefile) {
  const std::string text = text_of(makefile);
  Guess guess{makefile.filename().string(), "make -j2", "", "", "", text};
  for (const std::string_view target : {"check", "test", "tests"}) {
    if (guess.test.empty() && has_make_target(text, target)) guess.test = fmt::format("make {}", target);
  }
  for (const std::string_view target : {"bench", "benchmark"}) {
    if (guess.benchmark.empty() && has_make_target(text, target)) guess.benchmark = fmt::format("make -s {}", target);
  }
  return guess;
}

/// No build file: everything that is no test goes into one program.
Guess guess_compiler(const std::vector<SourceName>& sources) {
  std::string files;
  bool is_c = true;
  for (const SourceName& source : sources) {
    const fs::path path = source.path;
    if (is_header(path) || is_test(path) || !is_plain(source.path)) continue;
    files += " " + source.path;
    is_c = is_c && path.extension() == ".c";
  }
  const std::string compiler = is_c ? "cc -O2" : "c++ -std=c++20 -O2";
  return {"no build file", fmt::format("{} -pthread -o program{}", compiler, files), "", "./program", "", ""};
}

Guess guess_build(const fs::path& folder, const std::vector<SourceName>& sources) {
  std::error_code error;
  if (fs::exists(folder / "meson.build", error)) {
    return {"meson.build",
            "test -f build/build.ninja || meson setup build --buildtype=release && ninja -C build",
            "meson test -C build --no-rebuild --print-errorlogs",
            "",
            "build/",
            ""};
  }
  if (fs::exists(folder / "CMakeLists.txt", error)) {
    return {"CMakeLists.txt",
            "cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build --parallel 2",
            "ctest --test-dir build --output-on-failure",
            "",
            "build/",
            ""};
  }
  for (const char* name : {"GNUmakefile", "makefile", "Makefile"}) {
    if (fs::exists(folder / name, error)) return guess_make(folder / name);
  }
  return guess_compiler(sources);
}

/// The first source file of that kind, or "".
std::string first_source(const std::vector<SourceName>& sources, bool (*is_kind)(const fs::path&)) {
  for (const SourceName& source : sources) {
    if (is_plain(source.path) && !is_header(source.path) && is_kind(source.path)) return source.path;
  }
  return {};
}

/// "build/db_bench" where the makefile speaks of that; else "db_bench".
std::string path_in_makefile(std::string_view makefile, const std::string& program) {
  constexpr std::string_view kBetweenWords = " \t\r\n:=";
  while (!makefile.empty()) {
    const std::string_view path = makefile.substr(0, makefile.find_first_of(kBetweenWords));
    const bool is_path = path.ends_with("/" + program) && path.front() != '/' && is_plain(path);
    if (is_path) return fs::path(path).lexically_normal().generic_string();
    makefile.remove_prefix(std::min(path.size() + 1, makefile.size()));
  }
  return program;
}

/// The program made of `source`; `otherwise` if there is none.
std::string program_of(const Guess& guess, const std::string& source, const std::string& otherwise) {
  const std::string program = source.empty() ? otherwise : fs::path(source).stem().string();
  return "./" + guess.program_folder + path_in_makefile(guess.makefile, program);
}

/// Whether a file that belongs to tests or benchmarks prints what db_bench prints.
bool prints_like_db_bench(const fs::path& folder, const std::vector<SourceName>& sources) {
  const auto prints = [&](const SourceName& source) {
    return source.is_protected && text_of(folder / source.path).find("micros/op") != std::string::npos;
  };
  return std::any_of(sources.begin(), sources.end(), prints);
}

/// One that prints db_bench's lines, or one whose output nobody knows yet.
std::string benchmark_section(const fs::path& folder, const Guess& guess, const std::vector<SourceName>& sources) {
  const std::string source = first_source(sources, is_benchmark);
  const bool is_db_bench = !source.empty() && prints_like_db_bench(folder, sources);
  std::string command = guess.benchmark.empty() ? program_of(guess, source, "benchmark") : guess.benchmark;
  if (is_db_bench && guess.benchmark.empty()) command += " --benchmarks=fillrandom --num=100000 --histogram=1";
  return fmt::format(R"(
# What is made faster. Candidate and unmodified tree run it in turn, so 2 to 10 seconds a run are best.
benchmark:
  command: "{}"  # check: the program, its flags, and how long it runs
  timeout: 300s
  parser: {}  # check: db_bench | lines ("name: value") | json | regex (with patterns: {{metric: 'ops: ([0-9.]+)'}})
  throughput: {}  # check: the metric to maximise, in operations a second
  {}latency: {}  # check: a metric in microseconds, lower is better; may be left out
  #data: build/store.db  # check: what it writes, relative to source; put back before each run
  min_pairs: 3  # How often both are run, in turn, before anything is decided.
  #max_pairs: 30  # And at most, where it is close; 14 in a search, 50 for `aiopt compare`, if you do not say.
  warmup: 0  # Runs of each that are thrown away first.
)",
                     command, is_db_bench ? "db_bench" : "lines", is_db_bench ? "fillrandom" : "ops_per_sec",
                     is_db_bench ? "" : "#", is_db_bench ? "fillrandom.P99" : "p99_us");
}

std::string editable_section(const std::vector<std::string>& globs) {
  std::string section =
      "\n# The files that a patch may change, as globs; nothing else may. Leave out tests and benchmarks: what "
      "judges\n# must not change. Markers EVOLVE-BLOCK-START and EVOLVE-BLOCK-END in a file narrow it further.\n"
      "editable:  # check: guessed from the names\n";
  const std::size_t shown = std::min(globs.size(), kMostGlobs);
  for (std::size_t i = 0; i < shown; ++i) section += fmt::format("  - \"{}\"\n", globs[i]);
  if (shown < globs.size()) section += fmt::format("  # check: {} more were found\n", globs.size() - shown);
  return section;
}

/// The fitness, and keys that have good defaults, as comments without a space after '#'.
constexpr std::string_view kFitnessAndOptionalKeys = R"(
# How the objective is made: a weighted sum of four terms, each 1 for the unmodified program. No term counts beyond its
# cap, and waiting less not beyond the gain in throughput: a program that spins instead of sleeping gains nothing.
fitness:
  name: causal_capped
  weights: {throughput: 0.30, latency: 0.20, causal: 0.30, offcpu: 0.20}
  caps: {throughput: none, latency: 2.0, causal: none, offcpu: 1.25}

# A model's patch that does not build goes back to it once, with what the compiler said.
repair: 1

# The cells of the archive: how much a candidate waits, times the function in which a line pays off most (of
# --mode=full; without profiles, the function that it changes most).
archive: {offcpu_ratio: 10, causal_hotspot: auto}  # depth: 3 keeps three that measurement can't tell apart in a cell

# What --mode=full does with each candidate that passes, beside the runs that measure it. Causal profiles are made by coz,
# which needs a progress point in the program, COZ_PROGRESS_NAMED("op") of coz.h where an operation is done, and a build
# with CXXFLAGS='-O2 -g -gdwarf-4 -gno-variable-location-views -gstrict-dwarf -fno-omit-frame-pointer'
# and LDFLAGS='-ldl'; `aiopt doctor .` looks whether they are there. Without, there are off-CPU profiles alone.
profile:
  #command: "./build/my_bench --seconds=60"  # Runs longer than the benchmark, which is used if you do not say.
  offcpu: {duration: 30s}  # At most; the command may end sooner. idle: ["*::BGThread"] says what waits for work only.
  causal: {duration: 60s}  # Of all runs together: a minute gives some 100 experiments. progress: op, where there are more.
  when: promising  # always | promising: causal profiles of what is not slower than its parent or opens a cell | elites | never

# Below is what may be left out. Take the '#' away to change it.

# A folder of *.patch files that the emitter patch_pool combines.
#patches: patches

# Where patches come from, with weights: llm (a model), patch_pool (a folder of patches), constants (numbers in the code).
#emitters: {llm: 3, constants: 1}

# How parents are picked: tournament or uniform.
#selection: tournament

# Any OpenAI-compatible endpoint. The key comes from the environment and never stands here.
#llm:
#  api_base: http://127.0.0.1:8080/v1
#  api_key: ${OPENAI_API_KEY}
#  models: [{name: my-model, weight: 1.0}]
#  temperature: 0.7
#  max_tokens: 4096
#  timeout: 300s

# A patch that adds more bytes is refused.
#max_patch_bytes: 262144
)";

}  // namespace

Result<std::string> initial_task_yaml(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return Error{Error::Code::not_found, fmt::format("{} is no folder", folder.string())};
  }
  const Result<std::vector<SourceName>> sources = find_sources(folder);
  if (!sources) return sources.error();
  const std::vector<std::string> globs = editable_globs(*sources);
  if (globs.empty()) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("{} holds no C or C++ sources outside tests and benchmarks", folder.string())};
  }
  const Guess guess = guess_build(folder, *sources);
  const std::string test = guess.test.empty() ? program_of(guess, first_source(*sources, is_test), "test") : guess.test;
  const std::string name = fs::weakly_canonical(folder, error).filename().string();
  return fmt::format(
      R"(# What aiopt evolves, and how a candidate is judged. Look at each line marked "check:" first, then try
# `aiopt evaluate .` on the unmodified tree.

name: "{}"

# What the program does and what matters; a model reads it.
description: ""  # check: nobody but you can write this

# A git tree or a plain folder, relative to this file. It is copied for each candidate and never written to.
source: .
{}
# Run by /bin/sh in a copy of the source. What it leaves there stays, so that the next build is incremental.
build:
  command: "{}"  # check: guessed from {}
  timeout: 300s

# Exit status 0 means that the candidate is right. All that you rely on should be in it: what is not tested gets lost.
test:
  command: "{}"  # check: {}
  timeout: 60s
{}{})",
      is_plain(name) ? name : "task", editable_section(globs), guess.build, guess.origin, test,
      guess.test.empty() ? "nothing shows how the tests are run" : "guessed from " + guess.origin,
      benchmark_section(folder, guess, *sources), kFitnessAndOptionalKeys);
}

}  // namespace aiopt
