// AppendOnly never moves an element; WinnerTable finds whoever was put in, and nobody else.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "standings/append_only.h"
#include "standings/winner_table.h"

namespace firstcome {
namespace {

TEST(AppendOnly, keeps_elements_in_order_and_in_place) {
  AppendOnly<std::string> list;
  EXPECT_TRUE(list.empty());
  std::vector<const std::string*> places;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    places.push_back(&list.append(std::to_string(i)));
    ASSERT_EQ(list.size(), i + 1);
  }
  for (std::uint32_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(list[i], std::to_string(i));
    ASSERT_EQ(&list[i], places[i]);
  }
}

TEST(AppendOnly, ends_the_elements_that_it_holds) {
  const auto shared = std::make_shared<int>(7);
  {
    AppendOnly<std::shared_ptr<int>> list;
    for (int i = 0; i < 100; ++i) list.append(shared);
    EXPECT_EQ(shared.use_count(), 101);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(AppendOnly, is_read_while_it_grows) {
  AppendOnly<std::string> list;
  constexpr std::uint32_t elements = 20000;
  std::thread reader([&] {
    std::uint32_t seen = 0;
    while (seen < elements) {
      const std::uint32_t size = list.size();
      ASSERT_GE(size, seen);
      for (; seen < size; ++seen) ASSERT_EQ(list[seen], std::to_string(seen));
    }
  });
  for (std::uint32_t i = 0; i < elements; ++i) list.append(std::to_string(i));
  reader.join();
}

/// Winners with the users u0, u1, ... whose names live here.
struct Winners {
  explicit Winners(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::string user = "u" + std::to_string(i);
      texts.push_back(static_cast<char>(user.size()) + user);
    }
    for (const auto& text : texts)
      list.append({.code = {}, .position = 0, .stamp = {}, .chain = {}, .text = text.data()});
  }
  std::vector<std::string> texts;
  AppendOnly<Winner> list;
};

TEST(WinnerTable, finds_everybody_who_was_put_in_up_to_the_last_place) {
  for (const std::uint32_t places : {1U, 2U, 3U, 7U, 100U, 20000U}) {
    const Winners winners(places);
    for (const std::uint64_t seed : {0U, 12345U}) {
      WinnerTable table(places, seed);
      for (std::uint32_t rank = 1; rank <= places; ++rank) {
        const auto user = winners.list[rank - 1].user();
        ASSERT_EQ(table.find(user, winners.list), 0U);
        table.insert(user, rank);
        ASSERT_EQ(table.find(user, winners.list), rank);
      }
      for (std::uint32_t rank = 1; rank <= places; ++rank) {
        ASSERT_EQ(table.find(winners.list[rank - 1].user(), winners.list), rank);
        ASSERT_EQ(table.find("x" + std::to_string(rank), winners.list), 0U);
      }
    }
  }
}

TEST(WinnerTable, of_no_places_finds_nobody) {
  const AppendOnly<Winner> nobody;
  EXPECT_EQ(WinnerTable(0, 0).find("alice", nobody), 0U);
}

TEST(WinnerTableDeath, refuses_a_rank_that_it_has_no_place_for) {
  WinnerTable table(1, 0);
  EXPECT_DEATH(table.insert("bob", 2), "a slot for each place");
  EXPECT_DEATH(table.insert("bob", 0), "a slot for each place");
}

}  // namespace
}  // namespace firstcome
