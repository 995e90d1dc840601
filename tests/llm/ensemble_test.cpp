/// The choice of a model, and what it cost.

#include "llm/ensemble.hpp"

#include <limits>
#include <map>
#include <string>
#include <utility>

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

ModelTask model(std::string name, double weight = 1) {
  ModelTask task;
  task.name = std::move(name);
  task.weight = weight;
  return task;
}

}  // namespace

TEST_CASE("models are drawn by weight") {
  const std::vector<ModelTask> models = {model("often", 3), model("never", 0), model("seldom", 1)};
  Rng rng(5);
  std::map<std::string, int> drawn;
  for (int i = 0; i < 40'000; ++i) ++drawn[choose_model(models, rng).name];
  CHECK(drawn["never"] == 0);
  CHECK(drawn["often"] > 29'500);
  CHECK(drawn["often"] < 30'500);
  CHECK(drawn["seldom"] == 40'000 - drawn["often"]);
}

TEST_CASE("the same seed draws the same models") {
  const std::vector<ModelTask> models = {model("a"), model("b"), model("c")};
  Rng one(6);
  Rng other(6);
  for (int i = 0; i < 100; ++i) CHECK(choose_model(models, one).name == choose_model(models, other).name);
}

TEST_CASE("a weight that is no number draws nothing") {
  const std::vector<ModelTask> models = {model("a", std::numeric_limits<double>::quiet_NaN()), model("b", 1e-9),
                                         model("c", -1)};
  Rng rng(7);
  for (int i = 0; i < 100; ++i) CHECK(choose_model(models, rng).name == "b");
}
