#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/datasets/row_reader.h"

/// What Plumb knows about single data sets of the Hub: which files hold which split, and how their columns become the
/// fields of Plumb's own question and document files. The knowledge is data: fixtures/datasets/*.json.
namespace plumb::harness {

/// How one field is made. The kind says what `columns` are.
struct PresetField {
  enum class Kind {
    kText,     ///< a column of text
    kTexts,    ///< a column that is a list of texts, or a member of a struct: "choices.text"
    kColumns,  ///< the texts of several columns, as a list
    kIndex,    ///< an integer, or text that is one, counted from `first`
    kLabel,    ///< a text, whose place in the list of texts `columns[1]` is the value
    kTruth,    ///< a bool: 1 or 0
    kHellaswagContext,  ///< activity_label, ctx_a and ctx_b: see hellaswag.h
    kHellaswagEndings,  ///< a column that is a list of texts, each cleaned
  };
  std::string name;
  Kind kind = Kind::kText;
  std::vector<std::string> columns;
  int64_t first = 0;
  std::optional<size_t> count;  ///< of a list: its length
  std::string with;             ///< of a text: what it must hold
};

/// One file that is written, out of the rows of one or more files of the repository.
struct PresetOutput {
  std::string file;
  std::vector<std::string> from;     ///< patterns of the files that are taken by default
  std::vector<std::string> accepts;  ///< patterns of those that may be asked for
  std::optional<int64_t> rows;       ///< as published
};

struct Preset {
  std::string repository;
  int64_t version = 0;
  std::string revision;  ///< where nobody names another
  std::string licence;
  std::string note;    ///< what a reader of the numbers has to know; may be empty
  std::string family;  ///< the folder of its files: --data DIR looks for DIR/<family>/<file>
  std::vector<PresetOutput> outputs;
  std::vector<PresetField> fields;
};

/// The preset of a repository, whatever the case of its letters, or nullptr.
const Preset* find_preset(std::string_view repository);
/// All of them, by name.
std::span<const Preset> presets();
/// Error{kInvariant} naming what is wrong with the text of a preset.
Preset parse_preset(std::string_view json);

/// The columns that `preset_row` looks at.
std::vector<std::string> preset_columns(const Preset& preset);
/// The row of a question or document file. Error{kInput} naming the column that is missing or does not fit: of another
/// type, an answer that is none of the choices, a list of another length.
Row preset_row(const Preset& preset, const Row& row);

}  // namespace plumb::harness
