/// Where a process stands among the control groups.

#include "base/tree_cgroup.hpp"

#include <filesystem>
#include <optional>
#include <string_view>

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

using Folder = std::optional<std::filesystem::path>;

constexpr std::string_view kHybridGroups =
    "9:name=systemd:/\n8:pids:/\n4:memory:/process/of:mine\n1:cpu,cpuacct:/\n0::/user.slice\n";
constexpr std::string_view kHybridMounts =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

}  // namespace

TEST_CASE("each controller of version 1 has a folder of its own, version 2 has one for all") {
  CHECK(cgroup_folder("memory", kHybridGroups, kHybridMounts) == Folder("/sys/fs/cgroup/memory/process/of:mine"));
  CHECK(cgroup_folder("pids", kHybridGroups, kHybridMounts) == Folder("/sys/fs/cgroup/pids"));
  CHECK(cgroup_folder("cpuacct", kHybridGroups, kHybridMounts) == Folder("/sys/fs/cgroup/cpu"));
  CHECK(cgroup_folder("", kHybridGroups, kHybridMounts) == Folder("/sys/fs/cgroup/unified/user.slice"));
  CHECK_FALSE(cgroup_folder("freezer", kHybridGroups, kHybridMounts));
}

TEST_CASE("a machine with version 2 alone has no folder of a controller") {
  constexpr std::string_view kGroups = "0::/user.slice/user-1000.slice/session-2.scope\n";
  constexpr std::string_view kMounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
  CHECK(cgroup_folder("", kGroups, kMounts) == Folder("/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope"));
  CHECK_FALSE(cgroup_folder("memory", kGroups, kMounts));
}

TEST_CASE("in a container the mount begins somewhere within the hierarchy") {
  constexpr std::string_view kGroups = "4:memory:/docker/abc/job\n";
  constexpr std::string_view kMounts =
      "900 1 0:32 /docker/abc /sys/fs/cgroup/memory ro master:9 - cgroup cgroup rw,memory\n";
  CHECK(cgroup_folder("memory", kGroups, kMounts) == Folder("/sys/fs/cgroup/memory/job"));
  CHECK_FALSE(cgroup_folder("memory", "4:memory:/elsewhere\n", kMounts));
}

TEST_CASE("texts that are no such lists give nothing") {
  for (const std::string_view text : {"", "\n", "4", "4:memory", ":::", " - ", "a b - cgroup"}) {
    CAPTURE(text);
    CHECK_FALSE(cgroup_folder("memory", text, kHybridMounts));
    CHECK_FALSE(cgroup_folder("memory", kHybridGroups, text));
  }
}
