/// Progress points for causal profilers (coz, BCOZ, aiopt): without one in the process, a visit costs a load and a
/// branch.
#pragma once

#include <dlfcn.h>

#include <cstddef>

/// The visits of a point, as the profiler counts them: the first member of what its _coz_get_counter(kind, name) gives.
/// Null if there is no profiler.
inline std::size_t* progress_counter(const char* name) {
  using GetCounter = void* (*)(int kind, const char* name);
  constexpr int kThroughput = 1;
  const auto get_counter = reinterpret_cast<GetCounter>(dlsym(RTLD_DEFAULT, "_coz_get_counter"));
  return get_counter == nullptr ? nullptr : static_cast<std::size_t*>(get_counter(kThroughput, name));
}

/// Counts a visit here; `name` is a string literal. Any thread.
#define COZ_PROGRESS(name)                                                  \
  do {                                                                      \
    static std::size_t* const visits = progress_counter(name);              \
    if (visits != nullptr) __atomic_fetch_add(visits, 1, __ATOMIC_RELAXED); \
  } while (false)
