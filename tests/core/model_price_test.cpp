/// Tests of what replies cost.

#include "core/model_price.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

TEST_CASE("dollars follow the model's own prices, and an unknown model costs nothing") {
  ModelTask priced;
  priced.name = "m";
  priced.usd_per_million_prompt_tokens = 2.5;
  priced.usd_per_million_completion_tokens = 10;
  ModelTask free;
  free.name = "free";
  const std::vector<ModelTask> models = {priced, free};
  CHECK(usd(models, "m", {400'000, 100'000}) == doctest::Approx(2.0));
  CHECK(usd(models, "free", {400'000, 100'000}) == 0);
  CHECK(usd(models, "unknown", {400'000, 100'000}) == 0);
}
