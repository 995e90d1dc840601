/// aiopt export: a run as JSON lines.

#include <iostream>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "store/run_export.hpp"
#include "store/run_store.hpp"

namespace aiopt {

int export_command(const ExportArguments& arguments) {
  Result<std::unique_ptr<RunStore>> store = RunStore::open(arguments.folder, RunStore::Access::read_only);
  if (!store) return fail(store.error());
  if (auto exported = export_run(**store, std::cout, {arguments.timings}); !exported) return fail(exported.error());
  return print_result("");
}

}  // namespace aiopt
