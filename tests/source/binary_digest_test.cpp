/// Tests of the digest of programs, with programs that g++ makes.

#include "source/binary_digest.hpp"

#include <elf.h>

#include <cstring>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "workspace_place.hpp"

using namespace aiopt;
using namespace aiopt::test;

namespace {

const std::string kProgram =
    "#include <cmath>\n#include <cstdio>\n"
    "int table[] = {1, 2, 3};\n"
    "int main(int n, char**) { std::printf(\"%d %f\\n\", table[n] * 7, std::sin(n)); }\n";

std::string with_other(const std::string& from, const std::string& to) {
  std::string text = kProgram;
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

struct Compiler {
  TemporaryFolder folder;

  /// The program's bytes.
  std::string build(const std::string& text, const std::string& options = "-O1 -g -Wl,--build-id") const {
    write(folder.path() / "program.cc", text);
    shell(folder.path(), "g++ " + options + " -o program program.cc");
    return read(folder.path() / "program");
  }
};

}  // namespace

TEST_CASE("a program from a text with another comment has the same digest, though its bytes differ") {
  const Compiler compiler;
  const std::string program = compiler.build(kProgram);
  const std::string other = compiler.build("// A comment.\n\n" + kProgram);
  CHECK(program != other);  // Line numbers in the debug information, the build id.
  REQUIRE(binary_digest(program));
  CHECK(binary_digest(program) == binary_digest(other));
  CHECK(binary_digest(compiler.build(kProgram, "-O1")) == binary_digest(compiler.build(kProgram, "-O1 -s")));
}

TEST_CASE("unwind tables are no part of what a program does") {
  const Compiler compiler;
  const std::string without = "-O1 -fno-exceptions -fno-asynchronous-unwind-tables";
  const std::string program = compiler.build(kProgram);
  const std::string other = compiler.build(kProgram, without + " -g -Wl,--build-id");
  CHECK(program != other);
  CHECK(binary_digest(program) == binary_digest(other));
}

TEST_CASE("a changed constant, string, table, size or called function is another digest") {
  const Compiler compiler;
  const auto digest = binary_digest(compiler.build(kProgram));
  REQUIRE(digest);
  CHECK(binary_digest(compiler.build(with_other("* 7", "* 9"))) != digest);
  CHECK(binary_digest(compiler.build(with_other("%d %f", "%d-%f"))) != digest);
  CHECK(binary_digest(compiler.build(with_other("2, 3", "2, 4"))) != digest);
  CHECK(binary_digest(compiler.build(with_other("sin(n)", "cos(n)"))) != digest);
  CHECK(binary_digest(compiler.build("char room[100];\n" + kProgram)) != digest);
  CHECK(binary_digest(compiler.build(kProgram, "-O1 -fno-pie -no-pie")) != digest);
}

TEST_CASE("a shared library has a digest, an object file has none") {
  const Compiler compiler;
  CHECK(binary_digest(compiler.build(kProgram, "-shared -fPIC")));
  CHECK_FALSE(binary_digest(compiler.build(kProgram, "-c")));
}

TEST_CASE("a 32-bit library has a digest too") {
  const Compiler compiler;
  const auto build = [&](const std::string& value) {
    write(compiler.folder.path() / "a.cc", "int answer() { return " + value + "; }\n");
    shell(compiler.folder.path(), "g++ -m32 -nostdlib -shared -fPIC -o a.so a.cc || true");
    return binary_digest_of_file(compiler.folder.path() / "a.so");
  };
  const auto digest = build("1");
  if (!digest) return;  // This compiler makes none.
  CHECK(build("1 // one\n") == digest);
  CHECK(build("2") != digest);
}

TEST_CASE("what is no program has no digest") {
  const Compiler compiler;
  CHECK_FALSE(binary_digest(std::string_view("")));
  CHECK_FALSE(binary_digest(std::string_view("#!/bin/sh\nexit 0\n")));
  CHECK_FALSE(binary_digest(std::string_view(ELFMAG)));
  CHECK_FALSE(binary_digest_of_file(compiler.folder.path() / "missing"));
  CHECK_FALSE(binary_digest_of_file(compiler.folder.path()));
  std::string big_endian = compiler.build(kProgram);
  CHECK(binary_digest_of_file(compiler.folder.path() / "program"));
  big_endian[EI_DATA] = ELFDATA2MSB;
  CHECK_FALSE(binary_digest(big_endian));
}

TEST_CASE("a broken or hostile program does no harm") {
  const Compiler compiler;
  const std::string program = compiler.build(kProgram, "-O1 -s");
  Elf64_Ehdr header{};
  std::memcpy(&header, program.data(), sizeof(header));
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return;
  for (std::size_t size = 0; size < program.size(); size += 1 + size / 50) {
    // To the last byte of its own, so that a sanitizer sees a step beyond.
    const std::string cut(program.data(), size);
    CHECK_FALSE(binary_digest(cut));
  }
  // Each byte of the header and of the section headers, in turn, all ones.
  const std::size_t sections = static_cast<std::size_t>(header.e_shoff);
  for (std::size_t at = 0; at < program.size(); at = at + 1 == sizeof(header) ? sections : at + 1) {
    std::string changed = program;
    changed[at] = '\xff';
    static_cast<void>(binary_digest(changed));
  }
  // Every section is the whole file.
  std::string changed = program;
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section{};
    std::memcpy(&section, program.data() + sections + i * sizeof(section), sizeof(section));
    if (i == header.e_shstrndx) continue;
    section.sh_offset = 0;
    section.sh_size = program.size();
    section.sh_type = SHT_PROGBITS;
    section.sh_flags = SHF_ALLOC;
    std::memcpy(changed.data() + sections + i * sizeof(section), &section, sizeof(section));
  }
  CHECK_FALSE(binary_digest(changed));
}
