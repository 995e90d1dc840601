/// The names of the classes of waits, and coz's arithmetic between time and throughput.

#include <aiopt/profile.hpp>

namespace aiopt {

std::string_view to_string(WaitClass kind) {
  switch (kind) {
    case WaitClass::io:
      return "io";
    case WaitClass::lock:
      return "lock";
    case WaitClass::scheduling:
      return "scheduling";
    case WaitClass::other:
      return "other";
  }
  return "other";
}

double CausalPoint::throughput_factor() const {
  return 1.0 / (1.0 - effect);
}

}  // namespace aiopt
