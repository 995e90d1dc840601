/// The log, on spdlog.

#include "base/log.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/text.hpp"

namespace aiopt {
namespace {

spdlog::logger& logger() {
  // Never destroyed: a thread may log while the process ends.
  static spdlog::logger& stderr_logger = *[] {
    auto made = std::make_unique<spdlog::logger>("aiopt", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%H:%M:%S.%e %l: %v");
    made->set_level(spdlog::level::off);
    return made.release();
  }();
  return stderr_logger;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::off:
      break;
  }
  return spdlog::level::off;
}

void log(LogLevel level, std::string_view line) {
  if (!logger().should_log(to_spdlog(level))) return;
  std::string text = valid_utf8(line);
  const auto acts_on_a_terminal = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  std::replace_if(text.begin(), text.end(), acts_on_a_terminal, ' ');
  logger().log(to_spdlog(level), text);
}

}  // namespace

void set_log_level(LogLevel least) {
  logger().set_level(to_spdlog(least));
}

void log_debug(std::string_view line) {
  log(LogLevel::debug, line);
}

void log_info(std::string_view line) {
  log(LogLevel::info, line);
}

}  // namespace aiopt
