#pragma once

#include "base/json_texts.h"

namespace plumb::testing {

inline std::vector<JsonText> refused_structures() {
  std::vector<JsonText> all;
  append(all, numbered("Structure", {"",
                                     " ",
                                     "\n",
                                     ",",
                                     ":",
                                     "[",
                                     "]",
                                     "{",
                                     "}",
                                     "[1",
                                     "[1,",
                                     "[1,]",
                                     "[,1]",
                                     "[,]",
                                     "[1,,2]",
                                     "[1 2]",
                                     "[1:2]",
                                     "[1}",
                                     "{]",
                                     "[}",
                                     "[1]]",
                                     "{}}",
                                     "[[]",
                                     "[][]",
                                     R"({"a"})",
                                     R"({"a":})",
                                     R"({"a",1})",
                                     R"({"a":1)",
                                     R"({"a":1,)",
                                     R"({"a":1,})",
                                     R"({,"a":1})",
                                     R"({"a":1,,"b":2})",
                                     R"({"a" 1})",
                                     R"({"a"::1})",
                                     R"({"a":1 "b":2})",
                                     R"({"a":1;"b":2})",
                                     R"({"a":1:2})",
                                     "{a:1}",
                                     "{1:1}",
                                     "{null:1}",
                                     "{[]:1}",
                                     "{'a':1}",
                                     "{:1}",
                                     R"({"a":"b)",
                                     R"({"a)"}));
  append(all, numbered("Behind", {"1 2", "{} []", "null,", "[]x", "{}#", R"("a""b")", "1]",
                                  "true false", std::string("[1]\0", 4), std::string("[1]\0]", 5),
                                  std::string("\0", 1), "[1]\x1a"}));
  append(all, numbered("Comment", {"// a\n1", "/* a */1", "1//", "[1/**/]", "# a\n1", "[1] // a"}));
  append(all, numbered("Space", {"\x0c"
                                 "1",
                                 "\x0b"
                                 "1",
                                 "\u00a01", "\u20031", "1\u2028",
                                 "[\ufeff"
                                 "1]"}));
  append(all, numbered("Twice", {R"({"a":1,"a":1})", R"({"a":1,"b":2,"a":3})", R"([{"a":1,"a":2}])",
                                 R"({"a":1,"\u0061":2})", R"({"":1,"":2})",
                                 R"({"x":{"y":{"z":1,"z":2}}})"}));
  append(all, {{"TooDeep", std::string(65, '[') + std::string(65, ']')},
               {"TooDeepObjects",
                [] {
                  std::string text;
                  for (int i = 0; i < 65; ++i) text += "{\"a\":";
                  return text + "1" + std::string(65, '}');
                }()},
               {"HundredThousandOpen", std::string(100'000, '[')}});
  return all;
}

inline std::vector<JsonText> refused_json() {
  std::vector<JsonText> all = refused_structures();
  append(all,
         numbered("Literal", {"nul",       "nulll",     "Null",  "NULL", "True", "TRUE", "tru",
                              "truefalse", "undefined", "None",  "NaN",  "nan",  "-NaN", "Infinity",
                              "-Infinity", "inf",       "[NaN]", "a",    "[a]",  "*",    "$"}));
  append(all,
         numbered("Number", {"+1",     "-",      "--1",    "+",     "01",     "-01",
                             "00",     "-00",    "1.",     ".5",    "-.5",    ".",
                             "1e",     "1e+",    "1E-",    "0e",    "1.e5",   ".e5",
                             "1e5.5",  "1.2.3",  "0x1",    "0b1",   "0o7",    "1_000",
                             "1,5",    "1a",     "1-",     "- 1",   "1 000",  "1e1e1",
                             "\u0663", "\u00bd", "\uff11", "1e999", "-1e999", "12e99999999999"}));
  append(all, numbered("String",
                       {"\"",          "\"a",         "\"\\\"",      "'a'",          "`a`",
                        "a\"",         R"("\x41")",   R"("\a")",     R"("\0")",      R"("\'")",
                        R"("\ ")",     R"("\u")",     R"("\u1")",    R"("\u12")",    R"("\u123")",
                        R"("\u12g4")", R"("\u+123")", R"("\U0041")", "\"\\\u00e9\"", "\"\\\n\""}));
  append(all, numbered("Surrogate",
                       {R"("\ud800")", R"("\ud800x")", R"("\ud800\n")", R"("\ud800\u0041")",
                        R"("\ud800\ud800")", R"("\udc00")", R"("\udc00\ud800")", R"("\udfff")",
                        R"("\ud800\\udc00")", R"("\ud83d\u")", R"({"\ud800":1})"}));
  append(all, numbered("Utf8", {"\"\xff\"",
                                "\"\xfe\"",
                                "\"\x80\"",
                                "\"\xbf\"",
                                "\"\xc3\"",
                                "\"\xc3(\"",
                                "\"\xe2\x82\"",
                                "\"\xe2(\xa1\"",
                                "\"\xf0\x9f\x98\"",
                                "\"\xf0(\x8c\xbc\"",
                                "\"\xc0\xaf\"",
                                "\"\xc1\x81\"",
                                "\"\xe0\x80\xaf\"",
                                "\"\xf0\x80\x80\xaf\"",
                                "\"\xed\xa0\x80\"",
                                "\"\xed\xbf\xbf\"",
                                "\"\xed\xa0\xbd\xed\xb8\x80\"",
                                "\"\xf4\x90\x80\x80\"",
                                "\"\xf5\x80\x80\x80\"",
                                "\"\xf8\x88\x80\x80\x80\"",
                                "{\"\xff\":1}",
                                "\xff",
                                "[\xe9]",
                                std::string("[\0\x31\0]\0", 6)}));
  for (char control = 0; control < 0x20; ++control)
    all.push_back({"Control" + std::to_string(control), std::string("\"a") + control + "b\""});
  return all;
}

}  // namespace plumb::testing
