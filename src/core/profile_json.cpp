/// Profiles to JSON and back.

#include "core/profile_json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"

namespace aiopt {
namespace {

using WrittenJson = nlohmann::ordered_json;
using ReadJson = nlohmann::json;  ///< ordered_json looks keys up one by one.

constexpr std::array<WaitClass, kWaitClasses> kAllClasses = {WaitClass::io, WaitClass::lock, WaitClass::scheduling,
                                                             WaitClass::other};

// ---- writing --------------------------------------------------------------------------------------------------------

WrittenJson written_place(const CodePlace& place) {
  return {{"function", valid_utf8(place.function)}, {"file", valid_utf8(place.file)}, {"line", place.line}};
}

WrittenJson written_blocker(const Blocker& blocker) {
  WrittenJson callers = WrittenJson::array();
  for (const CodePlace& caller : blocker.callers) callers.push_back(written_place(caller));
  return {{"function", valid_utf8(blocker.place.function)},
          {"file", valid_utf8(blocker.place.file)},
          {"line", blocker.place.line},
          {"class", to_string(blocker.kind)},
          {"share", blocker.share},
          {"kernel_function", valid_utf8(blocker.kernel_function)},
          {"callers", std::move(callers)}};
}

WrittenJson written_target(const CausalTarget& target) {
  WrittenJson curve = WrittenJson::array();
  WrittenJson experiments = WrittenJson::array();
  for (const CausalPoint& point : target.curve) {
    // dump() makes null of what is not finite.
    curve.push_back({point.virtual_speedup, point.effect, point.lower, point.upper});
    experiments.push_back(point.experiments);
  }
  return {{"function", valid_utf8(target.place.function)},
          {"file", valid_utf8(target.place.file)},
          {"line", target.place.line},
          {"class", valid_utf8(target.scope)},
          {"given", valid_utf8(target.given)},
          {"progress_point", valid_utf8(target.progress_point)},
          {"share", target.share},
          {"is_latency", target.is_latency},
          {"slope", target.slope},
          {"max_effect", target.max_effect},
          {"contention", target.contention},
          {"curve", std::move(curve)},
          {"curve_experiments", std::move(experiments)}};
}

// ---- reading --------------------------------------------------------------------------------------------------------

/// What is wrong with a document. Thrown and caught in this file alone.
struct BadProfile {
  std::string why;
};

/// Null if it is missing.
const ReadJson* optional_key(const ReadJson& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

const ReadJson& key_of(const ReadJson& object, const char* key) {
  const ReadJson* value = optional_key(object, key);
  if (value == nullptr) throw BadProfile{fmt::format("\"{}\" is missing", key)};
  return *value;
}

std::string text_in(const ReadJson& value, const char* key) {
  if (!value.is_string()) throw BadProfile{fmt::format("\"{}\" is no text", key)};
  return value.get<std::string>();
}

double number_in(const ReadJson& value, const char* key) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    throw BadProfile{fmt::format("\"{}\" is no number", key)};
  }
  return value.get<double>();
}

double number_in(const ReadJson& value, const char* key, double least, double most) {
  const double number = number_in(value, key);
  if (number < least || number > most) {
    throw BadProfile{fmt::format("\"{}\" is {}, not from {} to {}", key, number, least, most)};
  }
  return number;
}

std::uint64_t count_in(const ReadJson& value, const char* key) {
  if (!value.is_number_unsigned()) throw BadProfile{fmt::format("\"{}\" is no whole number from 0", key)};
  return value.get<std::uint64_t>();
}

int small_count_in(const ReadJson& value, const char* key) {
  const std::uint64_t count = count_in(value, key);
  if (count > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    throw BadProfile{fmt::format("\"{}\" is too large", key)};
  }
  return static_cast<int>(count);
}

bool flag_in(const ReadJson& value, const char* key) {
  if (!value.is_boolean()) throw BadProfile{fmt::format("\"{}\" is neither true nor false", key)};
  return value.get<bool>();
}

const ReadJson& list_in(const ReadJson& value, const char* key) {
  if (!value.is_array()) throw BadProfile{fmt::format("\"{}\" is no list", key)};
  return value;
}

WaitClass class_in(const ReadJson& value, const char* key) {
  const std::string name = text_in(value, key);
  for (const WaitClass kind : kAllClasses) {
    if (name == to_string(kind)) return kind;
  }
  throw BadProfile{fmt::format("\"{}\" is none of io, lock, scheduling, other", key)};
}

CodePlace place_in(const ReadJson& object) {
  CodePlace place;
  place.function = text_in(key_of(object, "function"), "function");
  place.file = text_in(key_of(object, "file"), "file");
  place.line = small_count_in(key_of(object, "line"), "line");
  return place;
}

const ReadJson& object_in(const ReadJson& value, const char* key) {
  if (!value.is_object()) throw BadProfile{fmt::format("\"{}\" holds something that is no object", key)};
  return value;
}

Blocker blocker_in(const ReadJson& object) {
  Blocker blocker;
  blocker.place = place_in(object);
  blocker.kind = class_in(key_of(object, "class"), "class");
  blocker.share = number_in(key_of(object, "share"), "share", 0.0, 1.0);
  if (const ReadJson* function = optional_key(object, "kernel_function")) {
    blocker.kernel_function = text_in(*function, "kernel_function");
  }
  if (const ReadJson* callers = optional_key(object, "callers")) {
    for (const ReadJson& caller : list_in(*callers, "callers")) {
      blocker.callers.push_back(place_in(object_in(caller, "callers")));
    }
  }
  return blocker;
}

OffCpuProfile off_cpu_in(const ReadJson& json) {
  OffCpuProfile profile;
  profile.source = text_in(key_of(json, "source"), "source");
  profile.ratio = number_in(key_of(json, "ratio"), "ratio", 0.0, 1.0);
  profile.ratio_with_idle = number_in(key_of(json, "ratio_with_idle"), "ratio_with_idle", 0.0, 1.0);
  profile.samples = count_in(key_of(json, "samples"), "samples");
  profile.off_cpu_samples = count_in(key_of(json, "off_cpu_samples"), "off_cpu_samples");
  if (const ReadJson* threads = optional_key(json, "threads"))
    profile.threads = number_in(*threads, "threads", 0.0, 1e9);
  if (const ReadJson* idle = optional_key(json, "idle_samples")) profile.idle_samples = count_in(*idle, "idle_samples");
  profile.lost = count_in(key_of(json, "lost"), "lost");
  const ReadJson& classes = object_in(key_of(json, "classes"), "classes");
  for (const WaitClass kind : kAllClasses) {
    const std::string name(to_string(kind));
    profile.by_class.at(static_cast<std::size_t>(kind)) = count_in(key_of(classes, name.c_str()), name.c_str());
  }
  for (const ReadJson& blocker : list_in(key_of(json, "top_blockers"), "top_blockers")) {
    profile.top_blockers.push_back(blocker_in(object_in(blocker, "top_blockers")));
  }
  return profile;
}

CausalPoint point_in(const ReadJson& numbers) {
  // The bounds may be unknown, and more may come behind them.
  if (!numbers.is_array() || numbers.size() < 4) {
    throw BadProfile{"\"curve\" holds something that is not [virtual_speedup, effect, lo, hi]"};
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  CausalPoint point;
  point.virtual_speedup = number_in(numbers[0], "curve", 0.0, 1.0);
  point.effect = number_in(numbers[1], "curve");
  point.lower = numbers[2].is_null() ? -kInfinity : number_in(numbers[2], "curve");
  point.upper = numbers[3].is_null() ? kInfinity : number_in(numbers[3], "curve");
  return point;
}

std::vector<CausalPoint> curve_in(const ReadJson& object) {
  std::vector<CausalPoint> curve;
  for (const ReadJson& numbers : list_in(key_of(object, "curve"), "curve")) curve.push_back(point_in(numbers));
  if (const ReadJson* counts = optional_key(object, "curve_experiments")) {
    if (list_in(*counts, "curve_experiments").size() != curve.size()) {
      throw BadProfile{"\"curve_experiments\" is not as long as \"curve\""};
    }
    for (std::size_t i = 0; i < curve.size(); ++i) {
      curve[i].experiments = small_count_in((*counts)[i], "curve_experiments");
    }
  }
  return curve;
}

CausalTarget target_in(const ReadJson& object) {
  CausalTarget target;
  target.place = place_in(object);
  target.scope = text_in(key_of(object, "class"), "class");
  target.curve = curve_in(object);
  if (const ReadJson* given = optional_key(object, "given")) target.given = text_in(*given, "given");
  if (const ReadJson* point = optional_key(object, "progress_point")) {
    target.progress_point = text_in(*point, "progress_point");
  }
  if (const ReadJson* share = optional_key(object, "share")) target.share = number_in(*share, "share", 0.0, 1.0);
  if (const ReadJson* latency = optional_key(object, "is_latency")) target.is_latency = flag_in(*latency, "is_latency");
  if (const ReadJson* slope = optional_key(object, "slope")) target.slope = number_in(*slope, "slope");
  if (const ReadJson* most = optional_key(object, "max_effect")) target.max_effect = number_in(*most, "max_effect");
  if (const ReadJson* worse = optional_key(object, "contention")) target.contention = flag_in(*worse, "contention");
  return target;
}

CausalProfile causal_in(const ReadJson& json) {
  CausalProfile profile;
  profile.source = text_in(key_of(json, "source"), "source");
  profile.max_speedup = number_in(key_of(json, "max_speedup"), "max_speedup");
  profile.max_speedup_location = text_in(key_of(json, "max_speedup_location"), "max_speedup_location");
  if (const ReadJson* used = optional_key(json, "experiments")) {
    profile.experiments = small_count_in(*used, "experiments");
  }
  if (const ReadJson* dropped = optional_key(json, "discarded")) {
    profile.discarded = small_count_in(*dropped, "discarded");
  }
  if (const ReadJson* notes = optional_key(json, "notes")) {
    for (const ReadJson& note : list_in(*notes, "notes")) profile.notes.push_back(text_in(note, "notes"));
  }
  for (const ReadJson& target : list_in(key_of(json, "targets"), "targets")) {
    profile.targets.push_back(target_in(object_in(target, "targets")));
  }
  return profile;
}

/// `read`: Profile(const ReadJson&), which throws BadProfile.
template <typename Reader>
auto from_json(std::string_view text, const char* what, Reader read) -> Result<decltype(read(ReadJson()))> {
  const ReadJson json = ReadJson::parse(text, nullptr, /*allow_exceptions=*/false);
  std::string why = "it is no JSON object";
  try {
    if (json.is_object()) return read(json);
  } catch (const BadProfile& bad) {
    why = bad.why;
  }
  return Error{Error::Code::corruption, fmt::format("read the JSON of {}: {}", what, why)};
}

WrittenJson written_off_cpu(const OffCpuProfile& profile) {
  WrittenJson classes = WrittenJson::object();
  for (const WaitClass kind : kAllClasses) {
    classes[std::string(to_string(kind))] = profile.by_class.at(static_cast<std::size_t>(kind));
  }
  WrittenJson blockers = WrittenJson::array();
  for (const Blocker& blocker : profile.top_blockers) blockers.push_back(written_blocker(blocker));
  return {{"source", valid_utf8(profile.source)},
          {"ratio", profile.ratio},
          {"ratio_with_idle", profile.ratio_with_idle},
          {"threads", profile.threads},
          {"samples", profile.samples},
          {"off_cpu_samples", profile.off_cpu_samples},
          {"idle_samples", profile.idle_samples},
          {"lost", profile.lost},
          {"classes", std::move(classes)},
          {"top_blockers", std::move(blockers)}};
}

WrittenJson written_causal(const CausalProfile& profile) {
  WrittenJson targets = WrittenJson::array();
  for (const CausalTarget& target : profile.targets) targets.push_back(written_target(target));
  WrittenJson notes = WrittenJson::array();
  for (const std::string& note : profile.notes) notes.push_back(valid_utf8(note));
  return {{"source", valid_utf8(profile.source)},
          {"max_speedup", profile.max_speedup},
          {"max_speedup_location", valid_utf8(profile.max_speedup_location)},
          {"experiments", profile.experiments},
          {"discarded", profile.discarded},
          {"notes", std::move(notes)},
          {"targets", std::move(targets)}};
}

}  // namespace

std::string off_cpu_to_json(const OffCpuProfile& profile) {
  return written_off_cpu(profile).dump();
}

std::string causal_to_json(const CausalProfile& profile) {
  return written_causal(profile).dump();
}

std::string profile_to_json(const Profile& profile) {
  WrittenJson json = WrittenJson::object();
  if (profile.off_cpu) json["off_cpu"] = written_off_cpu(*profile.off_cpu);
  if (profile.causal) json["causal"] = written_causal(*profile.causal);
  return json.dump();
}

Result<OffCpuProfile> off_cpu_from_json(std::string_view json) {
  return from_json(json, "an off-CPU profile", off_cpu_in);
}

Result<CausalProfile> causal_from_json(std::string_view json) {
  return from_json(json, "a causal profile", causal_in);
}

Result<Profile> profile_from_json(std::string_view json) {
  return from_json(json, "profiles", [](const ReadJson& object) {
    Profile profile;
    if (const ReadJson* part = optional_key(object, "off_cpu"))
      profile.off_cpu = off_cpu_in(object_in(*part, "off_cpu"));
    if (const ReadJson* part = optional_key(object, "causal")) profile.causal = causal_in(object_in(*part, "causal"));
    return profile;
  });
}

}  // namespace aiopt
