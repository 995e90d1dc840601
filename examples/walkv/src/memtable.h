/// Memtable: the newest entries, sorted by key, in a skiplist.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "entry.h"

namespace walkv {

/// Not synchronised: inserts need exclusive access, everything else shared.
class Memtable {
 public:
  Memtable();
  ~Memtable();
  Memtable(const Memtable&) = delete;
  Memtable& operator=(const Memtable&) = delete;

  /// Replaces what is there for the key.
  void insert(Kind kind, std::string_view key, std::string_view value);
  std::optional<Entry> find(std::string_view key) const;

  bool empty() const { return bytes_ == 0; }
  /// Keys and values held, roughly what a run made of it takes on disk.
  size_t bytes() const { return bytes_; }

 private:
  struct Node {
    std::string key;
    Entry entry;
    std::vector<Node*> next;
  };

 public:
  /// In key order. Valid as long as nothing is inserted.
  class Cursor {
   public:
    explicit Cursor(const Memtable& memtable) : node_(memtable.head_->next[0]) {}
    bool valid() const { return node_ != nullptr; }
    void next() { node_ = node_->next[0]; }
    std::string_view key() const { return node_->key; }
    Kind kind() const { return node_->entry.kind; }
    std::string_view value() const { return node_->entry.value; }

   private:
    const Node* node_;
  };

 private:
  static constexpr int kMaxHeight = 12;
  static constexpr uint32_t kBranching = 4;

  int random_height();
  /// First node whose key is not less; `before` (kMaxHeight slots) gets the node before it on each level.
  Node* seek(std::string_view key, Node** before) const;

  Node* const head_;
  size_t bytes_ = 0;
  uint32_t random_ = 2463534242;
};

}  // namespace walkv
