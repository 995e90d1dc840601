/// Places in programs that have ended, by what their build left: DWARF of every version, inlined calls, separate debug
/// files, symbols alone, nothing.

#include "profile/symbolizer.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"
#include "profile/unwinder.hpp"
#include "profile_programs.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

/// What places.cpp printed.
struct Places {
  std::map<std::string, std::uint64_t> addresses;  ///< By label.
  std::vector<Mapping> mappings;
};

Places run_places(const fs::path& program, const std::vector<std::string>& arguments = {}) {
  std::vector<std::string> all = {program.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const std::string out = run_tool(all, program.parent_path());
  Places places;
  places.mappings = parse_maps(out);
  for (const std::string_view line : split_lines(out)) {
    if (!line.starts_with("at ")) continue;
    const std::size_t space = line.rfind(' ');
    std::from_chars(line.data() + space + 1, line.data() + line.size(),
                    places.addresses[std::string(line.substr(3, space - 3))], 16);
  }
  return places;
}

using Names = std::vector<std::string>;

/// "function file:line", with a '*' in front of those that are inlined. The file without its folder.
Names described(const std::vector<StackFrame>& frames) {
  Names names;
  for (const StackFrame& frame : frames) {
    std::string name = frame.is_inlined ? "*" + frame.place.function : frame.place.function;
    if (!frame.place.file.empty()) {
      name += " " + fs::path(frame.place.file).filename().string() + ":" + std::to_string(frame.place.line);
    }
    names.push_back(std::move(name));
  }
  return names;
}

/// "NAME places.cpp:LINE", the line where `text` stands.
std::string at(const std::string& name, const std::string& text, const std::string& file = "places.cpp") {
  return name + " " + file + ":" + std::to_string(line_with(fixture_text(file), text));
}

void check_all_places(const Places& places, Symbolizer& symbolizer) {
  const auto frames_at = [&](const char* label) {
    REQUIRE(places.addresses.count(label) == 1);
    return described(symbolizer.frames(places.addresses.at(label)));
  };
  CHECK(frames_at("c") == Names{at("in_c", "mark(\"c\")")});
  CHECK(frames_at("hidden") == Names{at("walkv::(anonymous namespace)::hidden", "mark(\"hidden\")")});
  CHECK(frames_at("method") == Names{at("walkv::Wal::append", "mark(\"method\")")});
  CHECK(frames_at("middle") ==
        Names{at("*walkv::middle", "mark(\"middle\")"), at("walkv::Wal::append", "// calls middle")});
  CHECK(frames_at("innermost") == Names{at("*walkv::innermost", "mark(\"innermost\")"),
                                        at("*walkv::middle", "// calls innermost"),
                                        at("walkv::Wal::append", "// calls middle")});
  CHECK(frames_at("lambda") == Names{at("walkv::Wal::append::{lambda#1}", "mark(\"lambda\")")});
  CHECK(frames_at("template") == Names{at("walkv::summed<int>", "mark(\"template\")")});
  CHECK(frames_at("main") == Names{at("main", "mark(\"main\")")});
}

/// Builds and runs places.cpp, and looks at each of its places.
void check_build(const std::vector<std::string>& options, const std::string& compiler = "") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  build_fixture("places.cpp", options, program, compiler);
  const Places places = run_places(program);
  Symbolizer symbolizer(places.mappings);
  check_all_places(places, symbolizer);
  CHECK(symbolizer.objects().notes().empty());
}

}  // namespace

TEST_CASE("places have functions, files, lines and inlined calls in every version of DWARF") {
  for (const std::string version : {"-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"}) {
    CAPTURE(version);
    check_build({version, "-O2"});
  }
}

TEST_CASE("places are found whatever the program's kind") {
  for (const std::vector<std::string>& options : std::vector<std::vector<std::string>>{
           {"-no-pie"}, {"-static"}, {"-static-pie"}, {"-gz"}, {"-fuse-ld=gold"}, {"-Wl,-z,noseparate-code"}}) {
    CAPTURE(options[0]);
    std::vector<std::string> all = {"-g", "-O2", "-w"};
    all.insert(all.end(), options.begin(), options.end());
    if (options[0] == "-fuse-ld=gold" && !is_installed("ld.gold")) continue;
    check_build(all);
  }
}

TEST_CASE("places are found in what clang builds") {
  if (!is_installed("clang++")) return;
  check_build({"-g", "-O2"}, "clang++");
}

TEST_CASE("a library that was loaded late has names, and an address that it took has its new name") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  const fs::path library = folder.path() / "libplaces.so";
  build_fixture("places.cpp", {"-g", "-O2"}, program);
  build_fixture("places_library.cpp", {"-g", "-O2", "-shared", "-fPIC"}, library);
  const Places places = run_places(program, {library.string()});

  Symbolizer symbolizer({});
  const std::uint64_t address = places.addresses.at("library inlined");
  CHECK(described(symbolizer.frames(address)) == Names{"[unknown]"});
  for (const Mapping& mapping : places.mappings) symbolizer.add(mapping);
  CHECK(described(symbolizer.frames(address)) ==
        Names{at("*(anonymous namespace)::Marker::inlined", "mark(\"library inlined\")", "places_library.cpp"),
              at("(anonymous namespace)::within", "// calls inlined", "places_library.cpp")});
  CHECK(symbolizer.frames(address)[0].object == library.string());
  CHECK(described(symbolizer.frames(places.addresses.at("library entry"))) ==
        Names{at("library_entry", "mark(\"library entry\")", "places_library.cpp")});
}

TEST_CASE("debug information is found by build id and by link") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  const fs::path debug_file = folder.path() / "places.debug";
  CodeObjectOptions options;
  options.debug_folder = folder.path() / "debug";

  SUBCASE("beside the program, with a build id") {
    build_fixture("places.cpp", {"-g", "-O2", "-Wl,--build-id"}, program);
    run_tool({"objcopy", "--only-keep-debug", program.string(), debug_file.string()}, folder.path());
    run_tool({"objcopy", "--strip-all", "--add-gnu-debuglink=places.debug", program.string()}, folder.path());
  }
  SUBCASE("beside the program, without one: by checksum") {
    build_fixture("places.cpp", {"-g", "-O2", "-Wl,--build-id=none"}, program);
    run_tool({"objcopy", "--only-keep-debug", program.string(), debug_file.string()}, folder.path());
    run_tool({"objcopy", "--strip-all", "--add-gnu-debuglink=places.debug", program.string()}, folder.path());
  }
  SUBCASE("by build id") {
    build_fixture("places.cpp", {"-g", "-O2", "-Wl,--build-id=0xabcdef12"}, program);
    fs::create_directories(options.debug_folder / ".build-id/ab");
    run_tool({"objcopy", "--only-keep-debug", program.string(),
              (options.debug_folder / ".build-id/ab/cdef12.debug").string()},
             folder.path());
    run_tool({"strip", program.string()}, folder.path());
  }
  const Places places = run_places(program);
  Symbolizer symbolizer(places.mappings, std::make_shared<CodeObjects>(options));
  check_all_places(places, symbolizer);
}

TEST_CASE("a debug file of another build is not believed") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  const fs::path debug_file = folder.path() / "places.debug";
  build_fixture("places.cpp", {"-g", "-O0", "-Wl,--build-id=none"}, program);
  run_tool({"objcopy", "--only-keep-debug", program.string(), debug_file.string()}, folder.path());
  build_fixture("places.cpp", {"-g", "-O2", "-Wl,--build-id=none"}, program);
  run_tool({"objcopy", "--only-keep-debug", program.string(), folder.path() / "right.debug"}, folder.path());
  run_tool({"objcopy", "--strip-debug", "--add-gnu-debuglink=right.debug", program.string()}, folder.path());
  fs::rename(debug_file, folder.path() / "right.debug");
  const Places places = run_places(program);
  Symbolizer symbolizer(places.mappings);
  CHECK(described(symbolizer.frames(places.addresses.at("method"))) == Names{"walkv::Wal::append"});
}

TEST_CASE("with symbols alone, functions have names") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  build_fixture("places.cpp", {"-O2"}, program);
  const Places places = run_places(program);
  Symbolizer symbolizer(places.mappings);
  CHECK(described(symbolizer.frames(places.addresses.at("innermost"))) == Names{"walkv::Wal::append"});
  CHECK(described(symbolizer.frames(places.addresses.at("lambda"))) == Names{"walkv::Wal::append::{lambda#1}"});
  CHECK(described(symbolizer.frames(places.addresses.at("hidden"))) == Names{"walkv::(anonymous namespace)::hidden"});
}

TEST_CASE("in a stripped object, a function is called by where it begins") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  build_fixture("places.cpp", {"-O2", "-no-pie"}, program);
  const std::string symbols = run_tool({"nm", "-C", program.string()}, folder.path());
  run_tool({"strip", program.string()}, folder.path());
  const Places places = run_places(program);
  Symbolizer symbolizer(places.mappings);
  // "00000000004012f0 W walkv::Wal::append(...)"
  const std::size_t line = symbols.rfind('\n', symbols.find("walkv::Wal::append(std")) + 1;
  const std::string start = symbols.substr(symbols.find_first_not_of('0', line), 6);
  const std::string expected = "places+0x" + start;
  CHECK(described(symbolizer.frames(places.addresses.at("method"))) == Names{expected});
  CHECK(described(symbolizer.frames(places.addresses.at("middle"))) == Names{expected});
  CHECK(symbolizer.frames(places.addresses.at("method"))[0].object == program.string());
}

TEST_CASE("of a file that has changed since, or is gone, only the name is told") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  build_fixture("places.cpp", {"-g", "-O2", "-Wl,--build-id=0xabcdef12"}, program);
  Places places = run_places(program);
  const std::uint64_t address = places.addresses.at("main");
  Mapping mapping;
  for (const Mapping& candidate : places.mappings) {
    if (candidate.start <= address && address < candidate.end) mapping = candidate;
  }
  const std::string offset = fmt::format("{:#x}", mapping.file_offset + address - mapping.start);

  mapping.build_id = "abcdef12";
  CHECK(described(Symbolizer({&mapping, 1}).frames(address)) == Names{at("main", "mark(\"main\")")});
  mapping.build_id = "abcdef13";
  Symbolizer changed({&mapping, 1});
  CHECK(described(changed.frames(address)) == Names{"places+" + offset});
  REQUIRE(changed.objects().notes().size() == 1);
  CHECK(changed.objects().notes()[0] == program.string() + " has changed since it ran: its functions have no names");

  mapping.build_id.clear();
  mapping.path += " (deleted)";
  Symbolizer deleted({&mapping, 1});
  CHECK(described(deleted.frames(address)) == Names{"places+" + offset});
  CHECK(deleted.frames(address)[0].object == program.string() + " (deleted)");
  CHECK(deleted.objects().notes().size() == 1);
}

TEST_CASE("what is no file is one place") {
  const std::vector<Mapping> mappings = {{0x1000, 0x2000, 0, "[heap]", ""},
                                         {0x2000, 0x3000, 0, "//anon", ""},
                                         {0x3000, 0x4000, 0, "", ""},
                                         {0x4000, 0x5000, 0x100, "/memfd:jit (deleted)", ""}};
  Symbolizer symbolizer(mappings);
  CHECK(described(symbolizer.frames(0x1800)) == Names{"[heap]"});
  CHECK(described(symbolizer.frames(0x2800)) == Names{"[anonymous]"});
  CHECK(described(symbolizer.frames(0x3800)) == Names{"[anonymous]"});
  CHECK(described(symbolizer.frames(0x4010)) == Names{"memfd:jit+0x110"});
  CHECK(described(symbolizer.frames(0x5000)) == Names{"[unknown]"});
}

TEST_CASE("files are absolute though the compiler was given relative ones") {
  const TemporaryFolder folder;
  REQUIRE(write_file_atomic(folder.path() / "src/places.cpp", fixture_text("places.cpp")).has_value());
  for (const std::string version : {"-gdwarf-4", "-gdwarf-5"}) {
    CAPTURE(version);
    run_tool({"c++", version, "-O2", "src/places.cpp", "-o", "places", "-ldl"}, folder.path());
    const Places places = run_places(folder.path() / "places");
    Symbolizer symbolizer(places.mappings);
    for (const StackFrame& frame : symbolizer.frames(places.addresses.at("innermost"))) {
      CHECK(frame.place.file == (folder.path() / "src/places.cpp").string());
    }
  }
}

TEST_CASE("damaged files do no harm") {
  const TemporaryFolder folder;
  const fs::path program = folder.path() / "places";
  build_fixture("places.cpp", {"-g", "-O2"}, program);
  const Places places = run_places(program);
  const std::string sound = *read_file(program);
  std::mt19937_64 random(7);
  for (int mutant = 0; mutant < 200; ++mutant) {
    std::string damaged = sound;
    for (int i = 0; i < 40; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    // Headers are so few bytes that chance would spare them.
    if (mutant % 3 == 0) damaged[16 + random() % 800] = static_cast<char>(random());
    if (mutant % 5 == 0) damaged.resize(random() % damaged.size());
    REQUIRE(write_file_atomic(program, damaged).has_value());
    const auto objects = std::make_shared<CodeObjects>();
    Symbolizer symbolizer(places.mappings, objects);
    Unwinder unwinder(places.mappings, objects);
    std::vector<std::byte> stack(512, std::byte{0x40});
    for (const auto& [label, address] : places.addresses) {
      CHECK(!symbolizer.frames(address).empty());
      std::vector<std::uint64_t> registers(static_cast<std::size_t>(__builtin_popcountll(Unwinder::kRegisters)),
                                           address);
      CHECK(!unwinder.unwind({registers, address, stack}, {}).empty());
    }
  }
}
