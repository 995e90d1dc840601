/// A merge of few runs: the smallest key is found by looking at each.

#include "merge.h"

namespace walkv {

Status merge_runs(const std::vector<std::shared_ptr<SortedRun>>& runs, RunBuilder* builder) {
  std::vector<SortedRun::Cursor> cursors;
  cursors.reserve(runs.size());
  for (const auto& run : runs) cursors.emplace_back(*run);

  while (true) {
    SortedRun::Cursor* newest = nullptr;
    for (auto& cursor : cursors) {
      if (!cursor.status().ok()) return cursor.status();
      if (cursor.valid() && (newest == nullptr || cursor.key() <= newest->key())) newest = &cursor;
    }
    if (newest == nullptr) return {};
    if (newest->kind() == Kind::value) {
      const Status status = builder->add(Kind::value, newest->key(), newest->value());
      if (!status.ok()) return status;
    }
    const std::string key(newest->key());
    for (auto& cursor : cursors) {
      if (cursor.valid() && cursor.key() == key) cursor.next();
    }
  }
}

}  // namespace walkv
