/// Parsing "--name=value", "--name value" and, for booleans, "--name" and "--noname".

#include "flags.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace walkv {
namespace {

constexpr char kUsage[] =
    "walkv_bench [--benchmarks=NAME,...] [--num=N] [--reads=N] [--writes=N] [--threads=N] [--value_size=BYTES]\n"
    "            [--key_size=BYTES] [--histogram] [--sync] [--seed=N] [--duration=SECONDS] [--use_existing_db] "
    "[--db=DIR]\n"
    "            [--write_buffer_size=BYTES] [--destroy_db_at_end] [--verify]\n"
    "benchmarks: fillseq fillrandom fillsync overwrite deleteseq deleterandom readseq readrandom readmissing\n"
    "            readwhilewriting readrandomwriterandom\n"
    "--verify: runs none; checks that --db holds what they leave when run with the other flags (1 if not)\n";

[[noreturn]] void fail(const std::string& flag, const char* why) {
  std::fprintf(stderr, "walkv_bench: flag %s: %s (--help lists the flags)\n", flag.c_str(), why);
  std::exit(1);
}

double parse_number(const std::string& flag, const std::string& text, double lowest, double highest) {
  errno = 0;
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || errno != 0) fail(flag, "not a number");
  if (!(number >= lowest && number <= highest)) fail(flag, "out of range");
  return number;
}

/// All 64 bits, which a double does not hold.
uint64_t parse_seed(const std::string& flag, const std::string& text) {
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (text.empty() || end != text.data() + text.size() || error != std::errc()) fail(flag, "not a number of 64 bits");
  return seed;
}

bool parse_bool(const std::string& flag, const std::string& text) {
  if (text == "1" || text == "true" || text == "t" || text == "yes" || text == "y") return true;
  if (text == "0" || text == "false" || text == "f" || text == "no" || text == "n") return false;
  fail(flag, "not a boolean");
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (start <= text.size()) {
    const size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) parts.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return parts;
}

bool* boolean_flag(Flags* flags, const std::string& name) {
  if (name == "histogram") return &flags->histogram;
  if (name == "sync") return &flags->sync;
  if (name == "use_existing_db") return &flags->use_existing_db;
  if (name == "destroy_db_at_end") return &flags->destroy_db_at_end;
  if (name == "verify") return &flags->verify;
  return nullptr;
}

void set_value(Flags* flags, const std::string& name, const std::string& text) {
  const std::string flag = "--" + name;
  const auto integer = [&](double lowest, double highest) {
    return static_cast<int64_t>(parse_number(flag, text, lowest, highest));
  };
  if (name == "benchmarks") {
    flags->benchmarks = split(text);
  } else if (name == "db") {
    if (text.empty()) fail(flag, "empty");
    flags->db = text;
  } else if (name == "num") {
    flags->num = integer(1, 1e12);
  } else if (name == "reads") {
    flags->reads = integer(-1, 1e12);
  } else if (name == "writes") {
    flags->writes = integer(-1, 1e12);
  } else if (name == "threads") {
    flags->threads = static_cast<int>(integer(1, 1024));
  } else if (name == "value_size") {
    flags->value_size = static_cast<int>(integer(0, 1 << 20));
  } else if (name == "key_size") {
    flags->key_size = static_cast<int>(integer(8, 1024));
  } else if (name == "seed") {
    flags->seed = parse_seed(flag, text);
  } else if (name == "duration") {
    flags->duration = parse_number(flag, text, 0, 1e9);
  } else if (name == "write_buffer_size") {
    flags->write_buffer_size = integer(0, 1e12);
  } else {
    fail(flag, "no such flag");
  }
}

}  // namespace

Flags parse_flags(int argc, char** argv) {
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_next = i + 1 < argc && std::strncmp(argv[i + 1], "--", 2) != 0;
    if (argument.rfind("--", 0) != 0) fail(argument, "not a flag");
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    bool* const boolean = boolean_flag(&flags, name);
    bool* const negated = name.rfind("no", 0) == 0 ? boolean_flag(&flags, name.substr(2)) : nullptr;
    if (negated != nullptr) {
      *negated = false;
    } else if (boolean != nullptr && equals == std::string::npos && !has_next) {
      *boolean = true;
    } else {
      if (equals == std::string::npos && !has_next) fail(argument, "needs a value");
      const std::string text = equals == std::string::npos ? argv[++i] : argument.substr(equals + 1);
      if (boolean != nullptr) {
        *boolean = parse_bool(argument, text);
      } else {
        set_value(&flags, name, text);
      }
    }
  }
  return flags;
}

}  // namespace walkv
