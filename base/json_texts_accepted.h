#pragma once

#include "base/json_texts.h"

namespace plumb::testing {

inline std::vector<JsonText> accepted_json() {
  std::vector<JsonText> all;
  append(all, numbered("Literal", {"null", "true", "false", "[null,true,false]"}));
  append(all, numbered("Number", {"0",
                                  "-0",
                                  "7",
                                  "-7",
                                  "10",
                                  "1234567890",
                                  "0.5",
                                  "-0.5",
                                  "0.0",
                                  "-0.0",
                                  "1.0",
                                  "3.140",
                                  "1e5",
                                  "1E5",
                                  "1e+5",
                                  "1E+05",
                                  "1e-5",
                                  "0e0",
                                  "0E-7",
                                  "1.5e3",
                                  "-2.5E-3",
                                  "9007199254740993",
                                  "18446744073709551615",
                                  "18446744073709551616",
                                  "-9223372036854775808",
                                  "-9223372036854775809",
                                  "1.7976931348623157e308",
                                  "5e-324",
                                  "1e-999",
                                  "0.1000000000000000055511151231257827",
                                  "100000000000000000000000000000000000000"}));
  append(all, numbered("String", {R"("")",
                                  R"(" ")",
                                  R"("plain")",
                                  R"("\"")",
                                  R"("\\")",
                                  R"("\/")",
                                  R"("/")",
                                  R"("\b\f\n\r\t")",
                                  R"("\u0000")",
                                  R"("\u001f")",
                                  R"("\u0041")",
                                  R"("\u00e9")",
                                  R"("\u20AC")",
                                  R"("\u20ac")",
                                  R"("\ud83d\ude00")",
                                  R"("\uD800\uDC00")",
                                  R"("\udbff\udfff")",
                                  R"("\uffff")",
                                  R"("\\u0041")",
                                  R"("\\\"")",
                                  "\"\x7f\"",
                                  "\"\u00e9\"",
                                  "\"\u20ac\"",
                                  "\"\U0001f600\"",
                                  "\"\U0010ffff\"",
                                  "\"\u2028\u2029\"",
                                  "\"\ufeff\"",
                                  "\"\u0800\ud7ff\ue000\"",
                                  R"("// no comment")",
                                  R"("[1,2")",
                                  R"("'")"}));
  append(all, numbered("Array", {"[]", "[ ]", "[[]]", "[[],[]]", "[[[[1]]]]", "[1]", "[1,2]",
                                 "[1,\"a\",null,[],{}]", "[-1,1]", "[\"\",\"\"]", "[0,0,0]"}));
  append(all, numbered("Object",
                       {"{}", "{ }", R"({"":0})", R"({"a":1})", R"({"a":1,"b":2})",
                        R"({"a":{"a":{"a":1}}})", R"({"a":[{"b":1},{"b":2}]})", R"({"a":1,"A":2})",
                        R"({"a":1,"a ":2})", R"({"\u0061":1,"b":2})", R"({"\u0000":1})",
                        "{\"\u00e9\":1,\"e\u0301\":2}", R"({"null":null,"1":1})"}));
  append(all, numbered("Space", {" 1", "1 ", "\n1\n", "\t1\t", "\r\n[ 1 ,\n2\r]\t",
                                 " {\n\"a\" : 1 } ", "[\n\n\n]", "   null   "}));
  append(all, {{"Deepest", std::string(64, '[') + std::string(64, ']')}});
  return all;
}

}  // namespace plumb::testing
