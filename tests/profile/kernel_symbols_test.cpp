/// The kernel's functions by address.

#include "profile/kernel_symbols.hpp"

#include <doctest/doctest.h>

#include "base/files.hpp"

using namespace aiopt;

namespace {

constexpr std::string_view kKallsyms =
    "ffffffff81000000 T _stext\n"
    "ffffffff81000100 t __schedule\n"
    "ffffffff81000180 D some_data\n"
    "ffffffff81000200 T schedule\n"
    "ffffffff81000200 T schedule_alias\n"
    "ffffffffc0001000 t jbd2_log_wait_commit\t[jbd2]\n"
    "ffffffffc0000000 t ext4_sync_file\t[ext4]\n"
    "no symbol\n"
    "ffffffff8100";

}  // namespace

TEST_CASE("a kernel address is named after the function before it, a module's too") {
  const KernelSymbols symbols = KernelSymbols::parse(kKallsyms);
  CHECK(symbols.size() == 6);
  CHECK(symbols.name_at(0xffffffff81000100) == "__schedule");
  CHECK(symbols.name_at(0xffffffff810001ff) == "__schedule");
  CHECK(symbols.name_at(0xffffffff81000210) == "schedule");
  CHECK(symbols.name_at(0xffffffffc0000fff) == "ext4_sync_file");
  CHECK(symbols.name_at(0xffffffffc0001010) == "jbd2_log_wait_commit");
}

TEST_CASE("what lies before the first function or far behind one has no name") {
  const KernelSymbols symbols = KernelSymbols::parse(kKallsyms);
  CHECK(symbols.name_at(0x401000) == "");
  CHECK(symbols.name_at(0xffffffff90000000) == "");
  CHECK(KernelSymbols().name_at(0xffffffff81000100) == "");
}

TEST_CASE("a kernel that hides its addresses is told of, with the remedy") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "kallsyms";
  REQUIRE(write_file_atomic(file, "0000000000000000 T _stext\n0000000000000000 t __schedule\n").has_value());
  const Result<KernelSymbols> symbols = KernelSymbols::load(file);
  REQUIRE(!symbols);
  CHECK(symbols.error().code == Error::Code::unavailable);
  CHECK(symbols.error().message.find("kernel.kptr_restrict=0") != std::string::npos);
}

TEST_CASE("without the file there is an error") {
  const TemporaryFolder folder;
  CHECK(!KernelSymbols::load(folder.path() / "none"));
}
