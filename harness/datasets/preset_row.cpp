// One row of a data set as a row of Plumb's own files.

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "harness/datasets/hellaswag.h"
#include "harness/datasets/preset.h"

namespace plumb::harness {
namespace {

using Kind = PresetField::Kind;

[[noreturn]] void misfit(const std::string& column, const std::string& found,
                         const std::string& needed) {
  throw Error(ErrorKind::kInput, text("'", column, "' ", found, "; needed is ", needed));
}

/// "a.b" is the member b of the struct a.
const Row& column_of(const Row& row, const std::string& path) {
  const Row* at = &row;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    const auto member = at->is_object() ? at->find(path.substr(begin, end - begin)) : at->end();
    if (!at->is_object() || member == at->end()) {
      std::string names;
      for (const auto& item : row.items()) names += (names.empty() ? "" : ", ") + item.key();
      misfit(path, "is not there", text("that column; the row has ", names));
    }
    at = &*member;
    begin = end + 1;
  }
  return *at;
}

const std::string& text_of(const Row& row, const std::string& path) {
  const Row& value = column_of(row, path);
  if (!value.is_string()) misfit(path, text("is ", value.type_name()), "text");
  return value.get_ref<const std::string&>();
}

std::vector<std::string> texts_of(const Row& row, const std::string& path) {
  const Row& value = column_of(row, path);
  if (!value.is_array()) misfit(path, text("is ", value.type_name()), "a list of texts");
  std::vector<std::string> out;
  for (const Row& one : value) {
    if (!one.is_string()) misfit(path, text("holds ", one.type_name()), "a list of texts");
    out.push_back(one.get<std::string>());
  }
  return out;
}

int64_t integer_of(const Row& row, const std::string& path) {
  const Row& value = column_of(row, path);
  if (value.is_number_integer() &&
      (!value.is_number_unsigned() || value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)))
    return value.get<int64_t>();
  if (value.is_string()) {
    const auto& digits = value.get_ref<const std::string&>();
    const bool number = !digits.empty() && digits.size() <= 9 &&
                        std::all_of(digits.begin(), digits.end(),
                                    [](unsigned char c) { return std::isdigit(c) != 0; });
    if (number) return std::stoll(digits);
    misfit(path, text("is the text '", digits.substr(0, 40), "'"),
           "an integer (a split without answers has none)");
  }
  misfit(path, text("is ", value.type_name()), "an integer");
}

int64_t answer_of(const PresetField& field, const Row& row) {
  const std::string& column = field.columns[0];
  if (field.kind == Kind::kIndex) return integer_of(row, column) - field.first;
  if (field.kind == Kind::kTruth) {
    const Row& value = column_of(row, column);
    if (!value.is_boolean()) misfit(column, text("is ", value.type_name()), "a bool");
    return value.get<bool>() ? 1 : 0;
  }
  const std::string& label = text_of(row, column);
  const auto labels = texts_of(row, field.columns[1]);
  const auto at = std::find(labels.begin(), labels.end(), label);
  if (at == labels.end())
    misfit(column, text("is '", label.substr(0, 40), "'"), text("one of '", field.columns[1], "'"));
  return at - labels.begin();
}

Row value_of(const PresetField& field, const Row& row) {
  const auto& columns = field.columns;
  switch (field.kind) {
    case Kind::kText:
      if (text_of(row, columns[0]).find(field.with) == std::string::npos)
        misfit(columns[0], text("has no '", field.with, "'"), "a text with one");
      return text_of(row, columns[0]);
    case Kind::kTexts:
      return texts_of(row, columns[0]);
    case Kind::kColumns: {
      Row list = Row::array();
      for (const std::string& column : columns) list.push_back(text_of(row, column));
      return list;
    }
    case Kind::kHellaswagContext:
      return hellaswag_context(text_of(row, columns[0]), text_of(row, columns[1]),
                               text_of(row, columns[2]));
    case Kind::kHellaswagEndings: {
      Row list = Row::array();
      for (const std::string& ending : texts_of(row, columns[0]))
        list.push_back(clean_hellaswag(ending));
      return list;
    }
    case Kind::kIndex:
    case Kind::kLabel:
    case Kind::kTruth:
      break;
  }
  return answer_of(field, row);
}

bool is_answer(const PresetField& field) {
  return field.kind == Kind::kIndex || field.kind == Kind::kLabel || field.kind == Kind::kTruth;
}

}  // namespace

Row preset_row(const Preset& preset, const Row& row) {
  Row out = Row::object();
  size_t choices = 2;  // yes and no, where none are listed
  for (const PresetField& field : preset.fields) {
    Row value = value_of(field, row);
    if (value.is_array()) {
      choices = value.size();
      if (field.count && choices != *field.count)
        misfit(field.columns[0], text("has ", choices, " entries"), text(*field.count));
      if (choices < 2) misfit(field.columns[0], text("has ", choices, " entries"), "at least 2");
    }
    if (is_answer(field) &&
        (value.get<int64_t>() < 0 || static_cast<size_t>(value.get<int64_t>()) >= choices))
      misfit(field.columns[0], text("is answer ", value.get<int64_t>(), ", counted from 0"),
             text("0 to ", choices - 1));
    out[field.name] = std::move(value);
  }
  return out;
}

}  // namespace plumb::harness
