/// Tests of what must stay free on a disk, and of a command that fills a small one.

#include "evaluate/disk_watch.hpp"

#include <sys/mount.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "base/files.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

TEST_CASE("a gigabyte stays free, of a small disk a twentieth, of a full one half of what is left") {
  constexpr std::uint64_t kGigabyte = std::uint64_t{1} << 30;
  CHECK(free_bytes_to_keep(100 * kGigabyte, 50 * kGigabyte) == kGigabyte);
  CHECK(free_bytes_to_keep(10 * kGigabyte, 5 * kGigabyte) == kGigabyte / 2);
  CHECK(free_bytes_to_keep(100 * kGigabyte, 1000) == 500);
}

TEST_CASE("who fills the disk is asked to stop, and who does not is not") {
  const TemporaryFolder folder;
  if (::mount("none", folder.path().c_str(), "tmpfs", 0, "size=16m") != 0) {
    MESSAGE("no tmpfs can be mounted by this user: not tried");
    return;
  }
  {
    const DiskWatch idle(folder.path(), {});
    std::this_thread::sleep_for(250ms);
    CHECK_FALSE(idle.was_full());
    const DiskWatch watch(folder.path(), {});
    std::this_thread::sleep_for(50ms);
    std::ofstream(folder.path() / "large") << std::string(16'300'000, 'x');
    for (int i = 0; i < 100 && !watch.token().stop_requested(); ++i) std::this_thread::sleep_for(20ms);
    CHECK(watch.token().stop_requested());
    CHECK(watch.was_full());
  }
  ::umount(folder.path().c_str());
}

TEST_CASE("what ends the command anyway ends it still") {
  std::stop_source stop;
  const DiskWatch watch("/", stop.get_token());
  CHECK_FALSE(watch.token().stop_requested());
  stop.request_stop();
  CHECK(watch.token().stop_requested());
  CHECK_FALSE(watch.was_full());
}
