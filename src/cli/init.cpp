/// aiopt init: writes a task.yaml for a source tree.

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "core/init_yaml.hpp"

namespace aiopt {

int init_command(const std::string& folder, bool json) {
  const std::filesystem::path file = std::filesystem::path(folder) / "task.yaml";
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    return fail({Error::Code::invalid_argument,
                 fmt::format("{} is there already; edit it, or move it away first", file.string())});
  }
  Result<std::string> yaml = initial_task_yaml(folder);
  if (!yaml) return fail(yaml.error());
  if (auto written = write_file_atomic(file, *yaml); !written) return fail(written.error());
  if (json) return print_result(nlohmann::ordered_json{{"task", file.string()}}.dump() + "\n");
  return print_result(
      fmt::format("wrote {0}\nRead what is marked `check:`, then: aiopt doctor {1} && aiopt evaluate {1}\n",
                  file.string(), folder));
}

}  // namespace aiopt
