/// Files that are none, and the vdso.

#include "profile/object_file.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/files.hpp"
#include "profile/symbolizer.hpp"

using namespace aiopt;

namespace {

constexpr std::uint64_t kNoBound = UINT64_MAX;

}  // namespace

TEST_CASE("what is no regular file is not read") {
  const TemporaryFolder folder;
  const auto fifo = folder.path() / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(!ObjectFile::open(fifo, kNoBound));  // Would wait for a writer.
  CHECK(!ObjectFile::open("/dev/zero", kNoBound));
  CHECK(!ObjectFile::open(folder.path(), kNoBound));
  CHECK(ObjectFile::open(folder.path() / "none", kNoBound).error().code == Error::Code::not_found);
}

TEST_CASE("a file larger than the limit is not read") {
  const auto opened = ObjectFile::open("/proc/self/exe", 1000);
  REQUIRE(!opened);
  CHECK(opened.error().message.find("larger than 1000 bytes") != std::string::npos);
}

TEST_CASE("what is no ELF file gives an error") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "file";
  for (const std::string bytes : {"", "hello", "\x7f\x45LF", "!<arch>\n"}) {
    REQUIRE(write_file_atomic(file, bytes).has_value());
    CHECK(!ObjectFile::open(file, kNoBound));
  }
}

TEST_CASE("this program's own code is where its segments say") {
  const auto opened = ObjectFile::open("/proc/self/exe", kNoBound);
  REQUIRE(opened);
  const ObjectFile& file = **opened;
  REQUIRE(!file.segments().empty());
  for (const ObjectFile::Segment& segment : file.segments()) {
    CHECK(file.is_code(segment.address) == segment.is_code);
    if (segment.is_code) CHECK(file.address_of(segment.file_offset) == segment.address);
  }
  CHECK(!file.address_of(file.size() + 1));
  CHECK(file.bytes_at(1, 3) == "ELF");
  CHECK(file.bytes_at(file.size(), 3) == "");
}

TEST_CASE("the functions of the vdso have names") {
  void* const vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (vdso == nullptr) return;
  void* const function = dlsym(vdso, "__vdso_clock_gettime");
  REQUIRE(function != nullptr);
  const Result<std::string> maps = read_file("/proc/self/maps");
  REQUIRE(maps);
  Symbolizer symbolizer(parse_maps(*maps));
  const auto& frames = symbolizer.frames(reinterpret_cast<std::uint64_t>(function));
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].place.function.find("clock_gettime") != std::string::npos);
  CHECK(frames[0].object == "[vdso]");
  CHECK(symbolizer.objects().notes().empty());
}
