// The page of `plumb measure`: every configuration in the tables, a line for each batch and context.

#include "harness/presentation/measured_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace plumb::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Measured measured(int64_t n, int64_t context, int64_t batch) {
  Measured m;
  m.configuration.context = context;
  m.configuration.batch = batch;
  for (int64_t i = 0; i < n; ++i) m.configuration.removed.push_back(i);
  m.removed = text("0-", n - 1);
  m.block_count = 30;
  for (const double more : {0.0, 3.0, 1.0})
    for (const char* what : {"first_token", "blocks", "between_tokens"})
      m.samples.push_back({what, 0, false, 0, 0, static_cast<double>(100 - n) + more});
  m.weight_bytes = m.predicted_weight_bytes = 1000000;
  m.baseline_bytes = {2000000};
  m.peak_bytes = {4000000, 4100000};
  m.predicted_peak_bytes = {4000000, 4000000};
  m.no_energy = "nothing counts it";
  return m;
}

MeasureResult result_of(std::vector<Measured> all) {
  MeasureResult r;
  r.rounds = 2;
  r.measured = std::move(all);
  return r;
}

reports::Report report_of(const MeasureResult& r, const std::string& file = "model.gguf") {
  ModelFacts model;
  model.file = file;
  return measured_report(r, {}, model, "plumb measure");
}

std::vector<const reports::LineFigure*> lines(const reports::Report& report) {
  std::vector<const reports::LineFigure*> out;
  for (const reports::Figure& figure : report.figures)
    if (const auto* line = std::get_if<reports::LineFigure>(&figure)) out.push_back(line);
  return out;
}

const reports::Table& table(const reports::Report& report, const std::string& id) {
  for (const reports::Figure& figure : report.figures)
    if (const auto* found = std::get_if<reports::Table>(&figure); found && found->id == id)
      return *found;
  throw std::out_of_range(id);
}

// There its allocator counts the model, and the process' own memory does not hold it.
TEST(MeasuredReport, ShowsTheMemoryOfADeviceWhereOneIsUsed) {
  std::vector<Measured> all = {measured(0, 8, 1), measured(12, 8, 1)};
  for (Measured& m : all) {
    m.predicted_peak_bytes.clear();
    m.device.emplace();
    m.device->predicted_bytes = 1600000;
    m.device->allocated_bytes = {1500000, 2000000};
  }
  const auto report = report_of(result_of(all));
  EXPECT_EQ(table(report, "bytes").rows[0][8], "1.6 MB");
  EXPECT_EQ(table(report, "bytes").rows[0][9], "2 MB");
  EXPECT_EQ(table(report, "bytes").rows[0][10], "25 %");
  EXPECT_EQ(lines(report).back()->series[0].points[0].y, 2);
  for (Measured& m : all) {
    m.device->allocated_bytes.clear();
    m.device->no_allocator = "it does not count";
  }
  const auto uncounted = report_of(result_of(all));
  EXPECT_EQ(table(uncounted, "bytes").rows[0][9], "it does not count");
  EXPECT_EQ(lines(uncounted).size() + 1, lines(report).size());
}

TEST(MeasuredReport, DrawsALineForEachBatchAndContextOverN) {
  const auto report = report_of(
      result_of({measured(12, 8, 1), measured(0, 8, 1), measured(0, 64, 4), measured(12, 64, 4)}));
  const auto figures = lines(report);
  ASSERT_EQ(figures.size(), 3u);
  const reports::LineFigure& first = *figures[0];
  ASSERT_EQ(first.series.size(), 2u);
  EXPECT_EQ(first.series[0].label, "one prompt of 8 tokens");
  EXPECT_EQ(first.series[1].label, "4 prompts of 64 tokens");
  ASSERT_EQ(first.series[0].points.size(), 2u);
  EXPECT_EQ(first.series[0].points[0].x, 0);
  EXPECT_EQ(first.series[0].points[0].y, 101);  // the median of 100, 103 and 101
  EXPECT_EQ(first.series[0].points[0].low, 100);
  EXPECT_EQ(first.series[0].points[0].high, 103);
  EXPECT_EQ(first.series[0].points[1].x, 12);
  const reports::LineFigure& peak = *figures[2];
  ASSERT_EQ(peak.series.size(), 4u);
  EXPECT_EQ(peak.series[0].points[0].y, 4.1);  // the largest of the processes
  EXPECT_EQ(peak.series[2].label, "one prompt of 8 tokens, predicted");
  EXPECT_TRUE(peak.series[2].dashed);
}

TEST(MeasuredReport, DrawsOverTheContextWhereNothingWasRemoved) {
  const auto report = report_of(result_of({measured(0, 8, 1), measured(0, 64, 1)}));
  ASSERT_EQ(lines(report).size(), 3u);
  EXPECT_EQ(lines(report)[0]->x_label, "tokens of the prompt");
  EXPECT_EQ(lines(report)[0]->series[0].points[1].x, 64);
  EXPECT_THAT(lines(report_of(result_of({measured(0, 8, 1)}))), IsEmpty());
}

TEST(MeasuredReport, HasARowForEveryConfiguration) {
  const auto report = report_of(result_of({measured(0, 8, 1), measured(12, 8, 1)}));
  const reports::Table& times = table(report, "times");
  ASSERT_EQ(times.rows.size(), 2u);
  for (const auto& row : times.rows) EXPECT_EQ(row.size(), times.columns.size());
  EXPECT_EQ(times.rows[1][1], "0-11");
  EXPECT_THAT(times.rows[0][9], HasSubstr("n/a"));  // three samples bound no percentile
  const reports::Table& bytes = table(report, "bytes");
  ASSERT_EQ(bytes.rows.size(), 2u);
  for (const auto& row : bytes.rows) EXPECT_EQ(row.size(), bytes.columns.size());
  EXPECT_EQ(bytes.rows[0].back(), "2.5 %");
  EXPECT_THAT(bytes.caption, HasSubstr("nothing counts it"));
}

TEST(MeasuredReport, IsNamedByTheFileAndHarmless) {
  const auto report = report_of(result_of({measured(0, 8, 1)}), "<script>alert(1)</script>.gguf");
  EXPECT_THAT(reports::to_html(report), Not(HasSubstr("<script>alert")));
  EXPECT_THAT(report_of(result_of({measured(0, 8, 1)}), "SmolLM2.Q4_1.gguf").title,
              HasSubstr("SmolLM2.Q4_1"));
}

}  // namespace
}  // namespace plumb::harness
