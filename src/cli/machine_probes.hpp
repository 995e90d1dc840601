/// What `aiopt doctor` tries out on this machine: containment, counters, limits.

#pragma once

#include <string>

#include "base/containment.hpp"

namespace aiopt {

/// One thing that was looked at.
struct Finding {
  std::string name;
  bool works = false;
  bool needed = false;  ///< Nothing runs without it.
  std::string what;     ///< What was found, or what it would give.
  std::string remedy;   ///< How to get it, where it is missing.
};

// Each tries the thing itself, as this user, and takes what it made away again; what a file of settings says is but the
// reason that it names when the trial fails.

/// Runs `true` in a sandbox of bubblewrap's with namespaces of its own.
Finding probe_bubblewrap();

/// Makes a user namespace and is root in it (user_namespaces(7)).
Finding probe_user_namespaces();

/// Opens counters on itself (perf_event_open(2)): the time it computes, and where the hardware has them its cycles.
Finding probe_perf_events();

// What probe_containment() tried, in words.
Finding probe_fsync_count(const ContainmentLayers& layers);
Finding probe_cgroup_limits(const ContainmentLayers& layers);

/// The command that lets this user read what tracepoints there are (tracefs).
std::string tracefs_command();

}  // namespace aiopt
