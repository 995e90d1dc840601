/// The skiplist (W. Pugh, "Skip lists: a probabilistic alternative to balanced trees", 1990).

#include "memtable.h"

namespace walkv {

Memtable::Memtable() : head_(new Node{{}, {}, std::vector<Node*>(kMaxHeight)}) {}

Memtable::~Memtable() {
  for (Node* node = head_; node != nullptr;) {
    Node* const next = node->next[0];
    delete node;
    node = next;
  }
}

int Memtable::random_height() {
  int height = 1;
  while (height < kMaxHeight) {
    random_ ^= random_ << 13;  // Marsaglia's xorshift.
    random_ ^= random_ >> 17;
    random_ ^= random_ << 5;
    if (random_ % kBranching != 0) break;
    ++height;
  }
  return height;
}

Memtable::Node* Memtable::seek(std::string_view key, Node** before) const {
  Node* node = head_;
  for (int level = kMaxHeight - 1; level >= 0; --level) {
    while (node->next[level] != nullptr && node->next[level]->key < key) node = node->next[level];
    before[level] = node;
  }
  return node->next[0];
}

void Memtable::insert(Kind kind, std::string_view key, std::string_view value) {
  Node* before[kMaxHeight];
  Node* found = seek(key, before);
  if (found != nullptr && found->key == key) {
    bytes_ += value.size();
    bytes_ -= found->entry.value.size();
    found->entry.kind = kind;
    found->entry.value = value;
    return;
  }
  const int height = random_height();
  Node* node = new Node{std::string(key), {kind, std::string(value)}, std::vector<Node*>(height)};
  for (int level = 0; level < height; ++level) {
    node->next[level] = before[level]->next[level];
    before[level]->next[level] = node;
  }
  bytes_ += key.size() + value.size() + sizeof(Node);
}

std::optional<Entry> Memtable::find(std::string_view key) const {
  Node* before[kMaxHeight];
  const Node* node = seek(key, before);
  if (node == nullptr || node->key != key) return std::nullopt;
  return node->entry;
}

}  // namespace walkv
