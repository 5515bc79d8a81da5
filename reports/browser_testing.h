#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/testing.h"
#include "reports/report.h"

/// Reports as a browser shows them. For tests alone.
namespace plumb::reports::testing {

namespace fs = std::filesystem;

/// The program that PLUMB_TEST_BROWSER names, or a Chromium on the path.
inline std::optional<std::string> find_program(const std::vector<std::string>& names,
                                               const char* variable = nullptr) {
  if (const char* named = variable ? std::getenv(variable) : nullptr; named && *named)
    return std::string(named);
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    for (const std::string& name : names)
      if (::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  return std::nullopt;
}

/// Every visit to some pages (fixtures/browser/open_pages.py), or why there was none.
struct Visits {
  std::string skipped;
  nlohmann::json visits;
  fs::path folder;  ///< of the screenshots
};

/// Opens the pages in one browser: JavaScript on and off, light and dark, 360 and 1440 px, and print. What goes wrong
/// fails the test.
inline Visits open_pages(const fs::path& folder,
                         const std::vector<std::pair<std::string, std::string>>& pages) {
  Visits out;
  out.folder = folder;
  const auto browser =
      find_program({"chromium", "chromium-browser", "google-chrome"}, "PLUMB_TEST_BROWSER");
  if (!browser) {
    out.skipped = "no Chromium on the path, and PLUMB_TEST_BROWSER names none";
    return out;
  }
  const char* named = std::getenv("PLUMB_TEST_PYTHON");
  const auto python = named && *named ? std::string(named) : find_program({"python3"}).value_or("");
  if (python.empty()) {
    out.skipped = "no python3 to drive the browser";
    return out;
  }
  fs::remove_all(folder);
  require_writable_folder(folder);
  std::string command = "'" + python +
                        "' '" PLUMB_SOURCE_DIR "/fixtures/browser/open_pages.py' --browser '" +
                        *browser + "' --out '" + folder.string() + "'";
  for (const auto& [name, html] : pages) {
    write_file_atomically(folder / (name + ".html"), html);
    command += " '" + (folder / (name + ".html")).string() + "'";
  }
  command += " > '" + (folder / "log.txt").string() + "' 2>&1";
  const int code = std::system(command.c_str());
  if (code != 0) {
    ADD_FAILURE() << "the pages could not be opened: " << read_file(folder / "log.txt");
    out.skipped = "see the failure above";
    return out;
  }
  out.visits = nlohmann::json::parse(read_file(folder / "visits.json"));
  return out;
}

/// "demonstration.html, dark, 360 px, no JavaScript".
inline std::string where(const nlohmann::json& visit) {
  return visit["page"].get<std::string>() + ", " + visit["scheme"].get<std::string>() + ", " +
         std::to_string(visit["width"].get<int>()) + " px" +
         (visit["javascript"] ? "" : ", no JavaScript") + (visit["media"] == "" ? "" : ", print");
}

/// What holds of every page: nothing said, asked for, run, overflowing, faint, empty or drawn over another.
inline void expect_sound(const nlohmann::json& visit) {
  const nlohmann::json none = nlohmann::json::array();
  const nlohmann::json& facts = visit["facts"];
  EXPECT_EQ(visit["problems"], none) << where(visit);
  EXPECT_EQ(visit["requests"], none) << where(visit);
  EXPECT_EQ(visit["dialogs"], none) << where(visit);
  EXPECT_LE(facts["page"], facts["window"]) << where(visit) << ": " << facts["wide"].dump();
  EXPECT_EQ(facts["window"], visit["width"]) << where(visit);
  EXPECT_EQ(facts["faint"], none) << where(visit);
  EXPECT_EQ(facts["collisions"], none) << where(visit);
  EXPECT_EQ(facts["empty"], none) << where(visit);
  EXPECT_GT(facts["texts"], 0) << where(visit);
  // Each stop of the keyboard once, in the order of the page, and seen.
  if (visit["focus"].is_null()) return;
  for (size_t i = 0; i < visit["focus"].size(); ++i) {
    EXPECT_EQ(visit["focus"][i][0], i) << where(visit);
    EXPECT_NE(visit["focus"][i][1], "none") << where(visit) << ", stop " << i;
  }
}

/// The figures of `report` are on the page with every point, band, reference, cell, plan and label, where their
/// numbers belong, each with a table after it that has the same numbers.
void expect_figures(const nlohmann::json& visit, const Report& report);

}  // namespace plumb::reports::testing
