/// db_bench's workloads.

#include "workload.h"

#include <cstdio>
#include <cstdlib>

namespace walkv {
namespace {

using Action = Workload::Action;

constexpr Workload kWorkloads[] = {
    {.name = "fillseq", .action = Action::write, .sequential = true, .fresh = true},
    {.name = "fillrandom", .action = Action::write, .fresh = true},
    {.name = "fillsync", .action = Action::write, .fresh = true, .sync = true},
    {.name = "overwrite", .action = Action::write},
    {.name = "deleteseq", .action = Action::erase, .sequential = true},
    {.name = "deleterandom", .action = Action::erase},
    {.name = "readseq", .action = Action::read, .sequential = true},
    {.name = "readrandom", .action = Action::read},
    {.name = "readmissing", .action = Action::read, .missing = true},
    {.name = "readwhilewriting", .action = Action::read, .background_writer = true},
    {.name = "readrandomwriterandom", .action = Action::mixed},
};

}  // namespace

const Workload& find_workload(const std::string& name) {
  for (const Workload& workload : kWorkloads) {
    if (name == workload.name) return workload;
  }
  std::fprintf(stderr, "walkv_bench: unknown benchmark '%s' (--help lists them)\n", name.c_str());
  std::exit(1);
}

Operations::Operations(const Flags& flags, const Workload& workload, const ValuePool& values, int thread)
    : flags_(flags),
      workload_(workload),
      values_(values),
      random_(thread < 0 ? flags.seed : flags.seed + 1000 * static_cast<uint64_t>(thread) + 1) {}

int64_t Operations::count() const {
  const int64_t asked = workload_.action == Action::read ? flags_.reads : flags_.writes;
  return asked >= 0 ? asked : flags_.num;
}

Operation Operations::next() {
  const auto keys = static_cast<uint64_t>(flags_.num);
  const uint64_t random = random_.next();
  Operation operation{workload_.action, workload_.sequential ? done_ % keys : random % keys, {}};
  ++done_;
  if (workload_.action == Action::mixed) operation.action = random_.next() % 10 != 0 ? Action::read : Action::write;
  if (operation.action == Action::write) operation.value = values_.value(&random_, flags_.value_size);
  return operation;
}

std::string make_key(uint64_t number, int key_size) {
  std::string key(static_cast<size_t>(key_size), '0');
  for (size_t i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (56 - 8 * i));
  return key;
}

}  // namespace walkv
