#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/testing.h"
#include "healing/adamw.h"
#include "healing/schedule.h"

namespace plumb::healing {
namespace {

using plumb::testing::error_of;
using Json = nlohmann::json;

const Json& golden() {
  static const Json json =
      Json::parse(read_file(PLUMB_SOURCE_DIR "/fixtures/golden/optimizer.json"));
  return json;
}

std::vector<double> flat(const Json& values) {
  if (!values.is_array()) return {values.get<double>()};
  std::vector<double> out;
  for (const Json& value : values)
    for (const double number : flat(value)) out.push_back(number);
  return out;
}

std::vector<at::Tensor> tensors(const Json& arrays) {
  std::vector<at::Tensor> out;
  for (const Json& array : arrays) {
    const auto values = flat(array);
    out.push_back(at::empty({static_cast<int64_t>(values.size())}, at::kDouble));
    std::copy(values.begin(), values.end(), out.back().mutable_data_ptr<double>());
  }
  return out;
}

void expect_near(const std::vector<at::Tensor>& found, const Json& expected) {
  for (size_t i = 0; i < found.size(); ++i) {
    const auto values = flat(expected.at(i));
    for (size_t k = 0; k < values.size(); ++k)
      EXPECT_NEAR(found[i].const_data_ptr<double>()[k], values[k], 1e-13) << i << ", " << k;
  }
}

// fp64: what differs is the order of a few roundings.
TEST(OptimizerGolden, StepsAsTorchDoes) {
  for (const Json& one : golden().at("adamw")) {
    std::vector<at::Tensor> parameters = tensors(one.at("start"));
    AdamW adamw(parameters, {.weight_decay = one.at("weight_decay").get<double>()});
    for (const Json& step : one.at("steps")) {
      std::vector<at::Tensor> gradients = tensors(step.at("gradients"));
      EXPECT_NEAR(clip_norm(gradients, one.at("clip").get<double>()), step.at("norm").get<double>(),
                  1e-12);
      adamw.step(gradients, one.at("learning_rate").get<double>());
      expect_near(parameters, step.at("parameters"));
    }
    EXPECT_EQ(adamw.steps(), 4);
  }
}

TEST(Optimizer, GoesOnWhereItWas) {
  const Json& one = golden().at("adamw").at(0);
  std::vector<at::Tensor> parameters = tensors(one.at("start"));
  AdamW first(parameters, {});
  for (size_t step = 0; step < 2; ++step)
    first.step(tensors(one.at("steps").at(step).at("gradients")), 1e-2);
  std::vector<at::Tensor> copies;
  for (const at::Tensor& parameter : parameters) copies.push_back(parameter.clone());
  AdamW second(copies, {});
  second.restore(first.steps(), first.first_moments(), first.second_moments());
  const auto gradients = tensors(one.at("steps").at(2).at("gradients"));
  first.step(gradients, 1e-2);
  second.step(gradients, 1e-2);
  for (size_t i = 0; i < copies.size(); ++i) EXPECT_TRUE(copies[i].equal(parameters[i]));
}

TEST(Optimizer, RefusesWhatDoesNotFit) {
  std::vector<at::Tensor> parameters = tensors(golden().at("adamw").at(0).at("start"));
  AdamW adamw(parameters, {});
  EXPECT_EQ(error_of([&] { adamw.step({parameters[0]}, 1); }).kind(), ErrorKind::kInvariant);
  EXPECT_EQ(error_of([&] {
              adamw.step({parameters[1], parameters[0]}, 1);
            }).kind(),
            ErrorKind::kInvariant);
}

TEST(ScheduleGolden, IsTransformers) {
  for (const Json& one : golden().at("schedules")) {
    const Schedule schedule{one.at("peak"), one.at("steps"), one.at("warm_up")};
    for (int64_t step = 0; step < schedule.steps; ++step)
      EXPECT_NEAR(learning_rate(schedule, step),
                  one.at("rates").at(static_cast<size_t>(step)).get<double>(),
                  1e-15 * schedule.peak)
          << step;
  }
}

TEST(Schedule, RefusesWhatMakesNoSense) {
  for (const Schedule& schedule : {Schedule{0, 5, 0}, Schedule{-1, 5, 0}, Schedule{1, 0, 0},
                                   Schedule{1, 5, 5}, Schedule{1, 5, -1}})
    EXPECT_EQ(error_of([&] { learning_rate(schedule, 0); }).kind(), ErrorKind::kUsage);
  EXPECT_EQ(default_warm_up(5000), 100);
  EXPECT_EQ(default_warm_up(60), 6);
}

}  // namespace
}  // namespace plumb::healing
