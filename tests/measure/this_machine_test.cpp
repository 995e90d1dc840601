/// The fingerprint of the machine that the tests run on.

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/files.hpp"
#include "measure/host_fingerprint.hpp"

using namespace aiopt;

namespace {

/// $CXX for the time being.
class Compiler {
 public:
  explicit Compiler(const char* command) {
    if (const char* old = std::getenv("CXX")) old_ = old;
    ::setenv("CXX", command, 1);
  }
  ~Compiler() { old_.empty() ? ::unsetenv("CXX") : ::setenv("CXX", old_.c_str(), 1); }
  Compiler(const Compiler&) = delete;
  Compiler& operator=(const Compiler&) = delete;

 private:
  std::string old_;
};

}  // namespace

TEST_CASE("this machine's fingerprint is what its system calls say") {
  const TemporaryFolder folder;
  const HostFingerprint host = read_host_fingerprint(folder.path());
  CHECK(host.cpu_model != "");
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  REQUIRE(::sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  CHECK(host.cpus == static_cast<std::uint64_t>(CPU_COUNT(&allowed)));
  utsname names{};
  REQUIRE(::uname(&names) == 0);
  CHECK(host.kernel == names.release);
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  CHECK(host.memory_bytes == pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  CHECK(host.file_system != "");
  CHECK(host.libc.starts_with("glibc 2."));
  CHECK(host.compiler != "");
  CHECK(*host_fingerprint_from_json(host_fingerprint_to_json(host)) == host);
  // What does not change from one moment to the next is no difference.
  CHECK(differences(host, read_host_fingerprint(folder.path())).empty());
}

TEST_CASE("a process that is held to one CPU has one CPU") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(read_host_files("/").cpus == 1);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
}

TEST_CASE("the compiler is the one that $CXX names, with its wrapper, and none where that does not run") {
  {
    const Compiler compiler("echo of two lines '\n' second");
    CHECK(read_host_fingerprint("/").compiler == "of two lines");
  }
  {
    const Compiler compiler("/no/such/compiler");
    CHECK(read_host_fingerprint("/").compiler == "");
  }
}
