#include "store_contract.h"

#include <algorithm>
#include <optional>
#include <thread>

namespace firstcome {
namespace {

using testing::AssertionResult;
using testing::AssertionSuccess;

const CampaignId lunch = "lunch";

CouponRow coupon(std::uint32_t rank, std::uint32_t quota = 10) {
  Code code{};
  code[0] = static_cast<std::uint8_t>(rank);
  return {.campaign = lunch,
          .rank = rank,
          .quota = quota,
          .user = "user" + std::to_string(rank),
          .code = code,
          .position = 100 + rank,
          .issued_at = Time(Millis(1'700'000'000'000))};
}

Progress progress(std::uint32_t rank) {
  Progress progress{.campaign = lunch, .rank = rank, .position = 100 + rank};
  progress.chain[0] = static_cast<std::uint8_t>(rank + 1);
  return progress;
}

/// The campaign, and coupons 1..rank of its 10.
IssueBatch first_batch(std::uint32_t rank) {
  IssueBatch batch{.next = progress(rank), .campaign = CampaignRow{.id = lunch, .name = "Lunch"}, .quotas = {10}};
  for (std::uint32_t one = 1; one <= rank; ++one) batch.coupons.push_back(coupon(one));
  return batch;
}

IssueBatch next_batch(std::uint32_t seen, std::uint32_t rank) {
  IssueBatch batch{.seen = progress(seen), .next = progress(rank)};
  for (std::uint32_t one = seen + 1; one <= rank; ++one) batch.coupons.push_back(coupon(one));
  return batch;
}

ParkedEntry parked(std::uint32_t rank) {
  return {.coupon = coupon(rank), .reason = "because", .parked_at = Time(Millis(1'700'000'000'000))};
}

template <class Outcome>
bool is(const Result<WriteOutcome>& outcome) {
  return outcome && std::holds_alternative<Outcome>(*outcome);
}

std::string words(const Result<WriteOutcome>& outcome) {
  if (!outcome) return outcome.error().what;
  if (const auto* refused = std::get_if<RowRefused>(&*outcome)) return refused->reason;
  return std::holds_alternative<Committed>(*outcome) ? "committed" : "fence lost";
}

/// Everything that a reader can see.
struct Content {
  std::vector<Progress> progress;
  std::vector<std::string> coupons;
  std::vector<std::string> parked;
  bool operator==(const Content&) const = default;
};

std::string text_of(const CouponRow& row) {
  return row.campaign.str() + " " + std::to_string(row.rank) + " of " + std::to_string(row.quota) + " " +
         row.user.str() + " " + to_text(row.code) + " " + std::to_string(row.position);
}

Content content_of(Store& store) {
  Content content;
  if (auto rows = store.progress()) content.progress = *rows;
  if (auto rows = store.coupons(lunch, 0, 1000)) {
    for (const auto& row : *rows) content.coupons.push_back(text_of(row));
  }
  if (auto rows = store.parked()) {
    for (const auto& row : *rows) content.parked.push_back(text_of(row.coupon) + " " + row.reason);
  }
  return content;
}

AssertionResult never_more(StoreHost& host) {
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  CONTRACT_REQUIRE(is<Committed>((*store)->write(first_batch(9))));
  auto beyond = coupon(11);
  CONTRACT_REQUIRE(!host.insert_by_hand(beyond)) << "rank 11 of 10";
  beyond.quota = 11;
  CONTRACT_REQUIRE(!host.insert_by_hand(beyond)) << "a quota that is no row of campaign_quota";
  auto second = coupon(10);
  second.user = coupon(3).user;
  CONTRACT_REQUIRE(!host.insert_by_hand(second)) << "a second coupon of a user";
  auto same_code = coupon(10);
  same_code.code = coupon(3).code;
  CONTRACT_REQUIRE(!host.insert_by_hand(same_code)) << "a repeated code";
  CONTRACT_REQUIRE(!host.insert_by_hand(coupon(9))) << "a rank twice";
  auto below = coupon(10);
  below.rank = 0;
  CONTRACT_REQUIRE(!host.insert_by_hand(below)) << "rank 0";
  auto twin = coupon(10);
  twin.user = "User3";
  auto by_hand = host.insert_by_hand(twin);
  CONTRACT_REQUIRE(by_hand) << "user3 and User3 are two: " << by_hand.error().what;

  // A raise opens ranks above.
  IssueBatch raise{.seen = progress(9), .next = progress(12), .quotas = {20}};
  raise.coupons = {coupon(11, 20), coupon(12, 20)};
  const auto raised = (*store)->write(raise);
  CONTRACT_REQUIRE(is<Committed>(raised)) << words(raised);
  CONTRACT_REQUIRE(!host.insert_by_hand(coupon(21, 20)));
  return AssertionSuccess();
}

AssertionResult fenced(StoreHost& host) {
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  CONTRACT_REQUIRE(is<FenceLost>((*store)->write(next_batch(0, 2)))) << "no progress yet";
  CONTRACT_REQUIRE(is<Committed>((*store)->write(first_batch(3))));
  const auto before = content_of(**store);

  auto other_chain = next_batch(3, 5);
  other_chain.seen->chain[31] ^= 1;
  auto other_rank = next_batch(2, 5);
  other_rank.seen->chain = progress(3).chain;
  auto as_new = next_batch(3, 5);
  as_new.seen.reset();
  as_new.parked = {parked(7)};
  for (const auto& batch : {other_chain, other_rank, as_new}) {
    const auto outcome = (*store)->write(batch);
    CONTRACT_REQUIRE(is<FenceLost>(outcome)) << words(outcome);
    CONTRACT_REQUIRE(content_of(**store) == before);
  }
  CONTRACT_REQUIRE(is<Committed>((*store)->write(next_batch(3, 5))));
  return AssertionSuccess();
}

AssertionResult atomic(StoreHost& host) {
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  CONTRACT_REQUIRE(is<Committed>((*store)->write(first_batch(3))));
  const auto before = content_of(**store);
  auto batch = next_batch(3, 6);
  batch.parked = {parked(7)};
  batch.coupons.back().user = coupon(1).user;
  CONTRACT_REQUIRE(is<RowRefused>((*store)->write(batch)));
  CONTRACT_REQUIRE(content_of(**store) == before);
  batch.coupons.back() = coupon(6);
  batch.next = progress(7);
  CONTRACT_REQUIRE(is<Committed>((*store)->write(batch)));
  const auto after = content_of(**store);
  CONTRACT_REQUIRE(after.coupons.size() == 6 && after.parked.size() == 1 && after.progress.front() == progress(7));
  return AssertionSuccess();
}

AssertionResult durable(StoreHost& host) {
  Content before;
  for (std::uint32_t rank = 1; rank <= 8; ++rank) {
    auto store = host.open();
    CONTRACT_REQUIRE(store) << store.error().what;
    CONTRACT_REQUIRE(content_of(**store) == before) << "rank " << rank;
    const auto outcome = (*store)->write(rank == 1 ? first_batch(1) : next_batch(rank - 1, rank));
    CONTRACT_REQUIRE(is<Committed>(outcome)) << words(outcome);
    before = content_of(**store);
    CONTRACT_REQUIRE(before.coupons.size() == rank);
    host.crash();
  }
  return AssertionSuccess();
}

AssertionResult refused(StoreHost& host) {
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  CONTRACT_REQUIRE(is<Committed>((*store)->write(first_batch(3))));
  const auto refuses = [&](const CouponRow& row) {
    auto batch = next_batch(3, 4);
    batch.coupons = {row};
    const auto outcome = (*store)->write(batch);
    // The reason stands beside the rank wherever it is shown.
    return is<RowRefused>(outcome) && !std::get<RowRefused>(*outcome).reason.starts_with("rank");
  };
  auto row = coupon(4);
  row.user = coupon(2).user;
  CONTRACT_REQUIRE(refuses(row)) << "duplicate key: user";
  row = coupon(4);
  row.code = coupon(2).code;
  CONTRACT_REQUIRE(refuses(row)) << "duplicate key: code";
  row = coupon(2);
  row.user = "somebody";
  CONTRACT_REQUIRE(refuses(row)) << "duplicate key: rank";
  row = coupon(11);
  CONTRACT_REQUIRE(refuses(row)) << "check";
  row = coupon(4);
  row.quota = 11;
  CONTRACT_REQUIRE(refuses(row)) << "foreign key";

  auto repeated = next_batch(3, 4);
  repeated.coupons.insert(repeated.coupons.begin(), coupon(2));
  repeated.coupons.front().issued_at += std::chrono::seconds(1);
  const auto outcome = (*store)->write(repeated);
  CONTRACT_REQUIRE(is<Committed>(outcome)) << "the very same row is no different one: " << words(outcome);

  const auto before = content_of(**store);
  host.fill(true);
  Result<WriteOutcome> full = Committed{};
  std::uint32_t seen = 4;
  for (; seen < 10 && is<Committed>(full); ++seen) full = (*store)->write(next_batch(seen, seen + 1));
  host.fill(false);
  CONTRACT_REQUIRE(!full && full.error().kind == FaultKind::unavailable) << words(full);
  CONTRACT_REQUIRE(content_of(**store).progress.front().rank == seen - 1) << "a fault has written nothing";
  CONTRACT_REQUIRE(before.coupons.size() <= content_of(**store).coupons.size());
  const auto repeat = (*store)->write(next_batch(seen - 1, seen));
  CONTRACT_REQUIRE(is<Committed>(repeat)) << "a fault is repeated: " << words(repeat);
  return AssertionSuccess();
}

AssertionResult unknown(StoreHost& host) {
  std::uint32_t rank = 0;
  std::uint32_t unknowns = 0;
  for (std::uint64_t operation = 1; rank < 9 && operation < 200; ++operation) {
    auto store = host.open();
    CONTRACT_REQUIRE(store) << store.error().what;
    host.crash_after(operation);
    const auto outcome = (*store)->write(rank == 0 ? first_batch(1) : next_batch(rank, rank + 1));
    host.crash();
    auto again = host.open();
    CONTRACT_REQUIRE(again) << again.error().what;
    const auto content = content_of(**again);
    const auto now = content.progress.empty() ? 0 : content.progress.front().rank;
    CONTRACT_REQUIRE(now == rank || now == rank + 1) << now;
    CONTRACT_REQUIRE(content.coupons.size() == now) << content.coupons.size() << " coupons, progress " << now;
    if (outcome) CONTRACT_REQUIRE(now == rank + 1) << "after Committed";
    if (!outcome) ++unknowns;
    rank = now;
  }
  CONTRACT_REQUIRE(unknowns > 0 && rank == 9) << unknowns << ", rank " << rank;
  return AssertionSuccess();
}

AssertionResult threads(StoreHost& host) {
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  CONTRACT_REQUIRE(is<Committed>((*store)->write(first_batch(1))));
  for (std::uint32_t rank = 2; rank <= 6; ++rank) {
    Result<WriteOutcome> outcome = FenceLost{};
    std::thread([&] { outcome = (*store)->write(next_batch(rank - 1, rank)); }).join();
    CONTRACT_REQUIRE(is<Committed>(outcome)) << words(outcome);
  }
  CONTRACT_REQUIRE(content_of(**store).coupons.size() == 6);
  return AssertionSuccess();
}

AssertionResult adopt(StoreHost& host) {
  const InstallationId one{1};
  const InstallationId other{2};
  {
    auto store = host.open();
    CONTRACT_REQUIRE(store) << store.error().what;
    CONTRACT_REQUIRE(!(*store)->installation()->has_value()) << "it is new";
    CONTRACT_REQUIRE((*store)->adopt(one));
    CONTRACT_REQUIRE((*store)->adopt(one)) << "again";
    const auto refused = (*store)->adopt(other);
    CONTRACT_REQUIRE(!refused && refused.error().kind == FaultKind::misconfigured);
  }
  host.crash();
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  CONTRACT_REQUIRE((*store)->installation()->value_or(other) == one);
  return AssertionSuccess();
}

AssertionResult retry(StoreHost& host) {
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  auto batch = first_batch(3);
  batch.next = progress(5);
  batch.parked = {parked(4), parked(5)};
  batch.parked[1].coupon.user = coupon(1).user;
  CONTRACT_REQUIRE(is<Committed>((*store)->write(batch)));
  const auto list = (*store)->parked();
  CONTRACT_REQUIRE(list && list->size() == 2);
  CONTRACT_REQUIRE((*list)[0].number < (*list)[1].number) << "in order of number";
  CONTRACT_REQUIRE(text_of((*list)[0].coupon) == text_of(coupon(4)) && (*list)[0].reason == "because");
  const Time now(Millis(1'800'000'000'000));

  CONTRACT_REQUIRE(is<RowRefused>((*store)->retry((*list)[1].number, now)));
  CONTRACT_REQUIRE((*store)->parked()->size() == 2) << "still parked";
  const auto outcome = (*store)->retry((*list)[0].number, now);
  CONTRACT_REQUIRE(is<Committed>(outcome)) << words(outcome);
  const auto written = (*store)->coupons(lunch, 3, 10);
  CONTRACT_REQUIRE(written && written->size() == 1 && text_of(written->front()) == text_of(coupon(4)));
  CONTRACT_REQUIRE(written->front().issued_at == now);
  CONTRACT_REQUIRE((*store)->parked()->size() == 1);
  const auto gone = (*store)->retry((*list)[0].number, now);
  CONTRACT_REQUIRE(!gone && gone.error().kind == FaultKind::misconfigured) << words(gone);
  return AssertionSuccess();
}

AssertionResult beat(StoreHost& host) {
  auto first = host.open();
  auto second = host.open();
  CONTRACT_REQUIRE(first && second);
  const auto at_work = [](Result<std::unique_ptr<Store>>& store, const char* holder) {
    return (*store)->beat(holder).value_or(false);
  };
  CONTRACT_REQUIRE(at_work(first, "a"));
  CONTRACT_REQUIRE(!at_work(second, "b"));
  host.advance(Millis(2000));
  CONTRACT_REQUIRE(at_work(first, "a"));
  host.advance(Millis(2000));
  CONTRACT_REQUIRE(!at_work(second, "b")) << "the beat is 2 s old";
  host.advance(Millis(1000));
  CONTRACT_REQUIRE(at_work(second, "b")) << "the beat is 3 s old";
  CONTRACT_REQUIRE(!at_work(first, "a"));
  return AssertionSuccess();
}

AssertionResult held(StoreHost& host) {
  auto first = host.open();
  auto second = host.open();
  CONTRACT_REQUIRE(first && second);
  CONTRACT_REQUIRE((*first)->beat("a").value_or(false));
  CONTRACT_REQUIRE(is<Committed>((*first)->write(first_batch(3)))) << "it has the place";
  host.advance(Millis(3000));
  CONTRACT_REQUIRE(is<Committed>((*first)->write(next_batch(3, 4)))) << "its beat is old, and nobody came";
  CONTRACT_REQUIRE((*second)->beat("b").value_or(false));
  CONTRACT_REQUIRE(is<FenceLost>((*first)->write(next_batch(4, 5)))) << "nothing was written meanwhile";
  CONTRACT_REQUIRE(content_of(**second).progress == std::vector{progress(4)});
  CONTRACT_REQUIRE(is<Committed>((*second)->write(next_batch(4, 5))));
  host.forget_holder();
  CONTRACT_REQUIRE(is<FenceLost>((*second)->write(next_batch(5, 6)))) << "nobody says that it has the place";
  CONTRACT_REQUIRE((*second)->beat("b").value_or(false));
  CONTRACT_REQUIRE(is<Committed>((*second)->write(next_batch(5, 6))));
  return AssertionSuccess();
}

AssertionResult coupons(StoreHost& host) {
  auto store = host.open();
  CONTRACT_REQUIRE(store) << store.error().what;
  CONTRACT_REQUIRE(is<Committed>((*store)->write(first_batch(9))));
  const auto page = (*store)->coupons(lunch, 2, 4);
  CONTRACT_REQUIRE(page && page->size() == 4);
  for (std::uint32_t i = 0; i < 4; ++i) CONTRACT_REQUIRE(text_of((*page)[i]) == text_of(coupon(3 + i)));
  CONTRACT_REQUIRE((*page)[0].issued_at == coupon(3).issued_at);
  CONTRACT_REQUIRE((*store)->coupons(lunch, 9, 4)->empty());
  CONTRACT_REQUIRE((*store)->coupons("dinner", 0, 4)->empty());
  return AssertionSuccess();
}

}  // namespace

std::vector<Clause<StoreHost>> store_contract() {
  return {
      {"NeverMore",
       "The store itself refuses a rank above the quota, a second coupon of a user and a repeated code, in every "
       "connection, the operator's shell too.",
       never_more},
      {"Fenced", "A write whose `seen` is not the stored progress (rank and chain) changes nothing: FenceLost.",
       fenced},
      {"Held", "Nor does the write of one whose place, which beat() gave it, is another holder's by now.", held},
      {"Atomic", "A batch is written whole or not at all.", atomic},
      {"Durable", "After Committed a power cut cannot take the batch back.", durable},
      {"Refused",
       "RowRefused is said only for the closed list: duplicate key (after reading back a different row), too long, "
       "wrong "
       "value, check, foreign key. Everything else is a fault, to be repeated.",
       refused},
      {"Unknown", "After timed_out the batch may be written or not: read progress again.", unknown},
      {"Threads", "one at a time, blocking.", threads},
      {"adopt", "Which journal this store belongs to; none: it is new.", adopt},
      {"retry", "Inserts the coupon and un-parks it in one transaction. RowRefused: still parked.", retry},
      {"beat", "takes over when the other's beat is 3 s old (by the store's clock).", beat},
      {"coupons", "at most `limit` coupons with rank > after, in rank order.", coupons},
  };
}

}  // namespace firstcome
