// What `plumb sweep` says beside the loss: perplexity, and how far each plan's predictions are from the whole model's.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/file.h"
#include "harness/cli/program_testing.h"

namespace plumb::harness::testing {
namespace {

class SweepDistributions : public TinyCase {
 protected:
  using Rows = std::vector<std::map<std::string, std::string>>;

  ChildOutput sweep(const std::string& n, const std::string& out) const {
    return plumb({"sweep", "--model", model(), "--documents", text_file(), "--max-tokens", "32",
                  "--limit", "12", "--strategies", "simple,random", "--n", n, "--positions", "20",
                  "--set", "statistics.draws=500", "--out", path(out)});
  }
  Rows rows(const std::string& file) const {
    const auto cells = parse_csv(read_file(path(file)));
    Rows out;
    for (size_t r = 1; r < cells.size(); ++r)
      for (size_t c = 0; c < cells[r].size(); ++c) {
        if (c == 0) out.emplace_back();
        out.back()[cells[0][c]] = cells[r][c];
      }
    return out;
  }
};

TEST_F(SweepDistributions, StandBesideTheLossOfEveryPlan) {
  const ChildOutput done = sweep("0-6:3", "with");
  ASSERT_EQ(done.exit_code, 0) << done.err;
  const auto of = [](const auto& row, const std::string& column) {
    return std::stod(row.at(column));
  };
  std::map<std::string, double> divergence, same;
  for (const auto& row : rows("with/loss_documents.csv")) {
    divergence[row.at("strategy") + row.at("n")] += of(row, "kl_nats") / 12;
    same[row.at("strategy") + row.at("n")] += of(row, "same_top1") / 12;
  }
  const Rows plans = rows("with/loss.csv");
  ASSERT_EQ(plans.size(), 6u);
  for (const auto& row : plans) {
    const std::string plan = row.at("strategy") + row.at("n");
    EXPECT_NEAR(of(row, "perplexity"), std::exp(of(row, "loss_nats")), 1e-9);
    EXPECT_NEAR(of(row, "kl_nats"), divergence.at(plan), 1e-12) << plan;
    EXPECT_NEAR(of(row, "same_top1"), same.at(plan), 1e-12) << plan;
    const bool whole = row.at("n") == "0";
    EXPECT_EQ(of(row, "kl_nats") == 0, whole) << plan;
    if (whole) {
      EXPECT_EQ(row.at("same_top1"), "1");
    }
    for (const std::string measure : {"perplexity", "kl", "same_top1"}) {
      const double mean = of(row, measure == "kl" ? "kl_nats" : measure);
      EXPECT_LE(of(row, measure + "_low"), mean) << plan << " " << measure;
      EXPECT_GE(of(row, measure + "_high"), mean) << plan << " " << measure;
    }
    EXPECT_GE(of(row, "kl_low"), 0);
    EXPECT_LE(of(row, "same_top1_high"), 1);
  }
}

TEST_F(SweepDistributions, AreAbsentWithTheReasonWhereTheWholeModelIs) {
  ASSERT_EQ(sweep("3", "without").exit_code, 0);
  for (const auto& row : rows("without/loss.csv")) {
    EXPECT_EQ(row.at("kl_nats"), "");
    EXPECT_EQ(row.at("same_top1_high"), "");
    EXPECT_NE(row.at("perplexity"), "");
  }
  const auto json = nlohmann::json::parse(read_file(path("without/sweep.json")));
  EXPECT_TRUE(json.at("losses").at(0).at("kl_nats").is_null());
  EXPECT_NE(json.at("kl_nats_absent").get<std::string>().find("n = 0"), std::string::npos);
  // The losses do not depend on what stands beside them.
  ASSERT_EQ(sweep("0-3:3", "with").exit_code, 0);
  for (const auto& one : rows("without/loss.csv"))
    for (const auto& other : rows("with/loss.csv"))
      if (one.at("strategy") == other.at("strategy") && one.at("n") == other.at("n")) {
        EXPECT_EQ(one.at("loss_nats"), other.at("loss_nats"));
      }
}

}  // namespace
}  // namespace plumb::harness::testing
