// A code survives being written and read; a mistyped one is noticed.
#include "model/code.h"

#include <gtest/gtest.h>

namespace firstcome {
namespace {

TEST(Code, survives_text) {
  SystemRandom random;
  for (int i = 0; i < 1000; ++i) {
    const Code code = make_code(random);
    EXPECT_EQ(parse_code(to_text(code)), code);
  }
}

TEST(Code, has_the_known_form) {
  EXPECT_EQ(to_text(Code{}), "000000000000000000000000000");
  Code all;
  all.fill(0xff);
  EXPECT_EQ(to_text(all).substr(0, 26), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

TEST(Code, one_wrong_symbol_or_two_swapped_are_noticed) {
  SystemRandom random;
  const std::string text = to_text(make_code(random));
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = wrong[i] == '5' ? '6' : '5';
    EXPECT_FALSE(parse_code(wrong)) << i;
    if (i + 1 < text.size() && text[i] != text[i + 1]) {
      std::string swapped = text;
      std::swap(swapped[i], swapped[i + 1]);
      EXPECT_FALSE(parse_code(swapped)) << i;
    }
  }
  EXPECT_FALSE(parse_code(""));
  EXPECT_FALSE(parse_code(text + "0"));
}

TEST(Code, is_read_as_people_type_it) {
  SystemRandom random;
  const Code code = make_code(random);
  std::string text = to_text(code);
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  text.insert(13, "-");
  for (char& c : text) {
    if (c == '0') c = 'o';
    if (c == '1') c = 'l';
  }
  EXPECT_EQ(parse_code(text), code);
}

}  // namespace
}  // namespace firstcome
