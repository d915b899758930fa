// DESIGN
//   The issuer walks a campaign's changes and winners in the order of their positions, so progress.position alone says
//   what every table must hold: the terms after the last change up to it, each quota in force up to it, and the coupons
//   of the winners up to it, written or parked. The rows are gone through once; a rank that was seen is marked, and
//   what is not marked at the end is missing. Where the progress itself is broken, nothing says how far the tables
//   should be: then each row is held against the end of the fold only, and none is missing.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "verify/checks.h"

namespace firstcome::verify {
namespace {

/// Where a campaign's tables should be.
struct Course {
  const Campaign* fold = nullptr;      // none: the journal has no such campaign
  const Progress* progress = nullptr;  // none: the issuer has not begun
  bool sound = false;                  // the progress is one that the fold went through
  std::uint32_t changes = 0;           // covered
  std::uint32_t rank = 0;              // covered
  std::uint32_t campaign_rows = 0;
  std::uint32_t quota_rows = 0;
  std::vector<std::uint32_t> ranks;  // of coupons and parked ones
  std::vector<bool> marked;          // by rank - 1
};

using Courses = std::map<std::string, Course, std::less<>>;

/// How many of the list have a position up to `upto`; positions grow.
template <class List>
std::uint32_t count_upto(const List& list, Position upto) {
  std::uint32_t from = 0;
  std::uint32_t to = list.size();
  while (from < to) {
    const std::uint32_t middle = from + (to - from) / 2;
    if (list[middle].position <= upto) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

/// The quota in force at a position; changes begin with the opening.
std::uint32_t quota_at(const Campaign& campaign, Position position) {
  const auto& changes = campaign.changes();
  return changes[std::max(count_upto(changes, position), 1U) - 1].quota;
}

std::string text_of(const std::optional<Time>& time) { return time ? to_rfc3339(*time) : "none"; }

class StoreComparison {
 public:
  StoreComparison(const Folds& folds, const StoreRows& rows) : folds_(folds), rows_(rows) {
    const auto& campaigns = folds.standings().campaigns();
    for (std::uint32_t i = 0; i < campaigns.size(); ++i) courses_[campaigns[i]->id().str()].fold = campaigns[i].get();
    for (const auto& row : rows.campaigns) ++courses_[row.id.str()].campaign_rows;
    for (const auto& row : rows.quotas) ++courses_[row.campaign.str()].quota_rows;
    for (const auto& row : rows.coupons) course_of(row.campaign).ranks.push_back(row.rank);
    for (const auto& entry : rows.parked) course_of(entry.coupon.campaign).ranks.push_back(entry.coupon.rank);
  }

  std::vector<Check> run() {
    compare_installation();
    compare_progress();
    for (auto& [id, course] : courses_) {
      if (course.sound) course.marked.resize(course.rank);
    }
    compare_campaigns();
    compare_quotas();
    compare_coupons();
    expect_dense_ranks();
    expect_unique_users();
    expect_unique_codes();
    return {installation_, within_, progress_, campaign_, quota_, coupon_, parked_, dense_, users_, codes_};
  }

 private:
  // Rows come campaign by campaign as a rule.
  Course& course_of(const CampaignId& id) {
    if (!last_ || last_->first != id.view()) {
      auto found = courses_.find(id.view());
      if (found == courses_.end()) found = courses_.emplace(id.str(), Course{}).first;
      last_ = &*found;
    }
    return last_->second;
  }

  void compare_installation() {
    const bool has_rows = !rows_.progress.empty() || !rows_.coupons.empty() || !rows_.campaigns.empty();
    if (!rows_.installation && !has_rows) return;  // nobody has written to it yet
    const auto journal = folds_.standings().installation();
    installation_.expect(journal && rows_.installation == journal->id, [&] {
      return std::string(rows_.installation ? "installation: the id is that of another journal"
                                            : "installation: there are rows, but no id of a journal");
    });
  }

  void compare_progress() {
    for (const Progress& row : rows_.progress) {
      Course& course = courses_[row.campaign.str()];
      if (!course.fold) {
        progress_.expect(false, [&] {
          return fmt::format("progress of {}: the journal has no such campaign", row.campaign.view());
        });
        continue;
      }
      if (course.progress) {
        progress_.expect(false, [&] { return fmt::format("progress of {}: there are two rows", row.campaign.view()); });
        continue;
      }
      course.progress = &row;
      const Position end = folds_.end(row.campaign);
      within_.expect(row.position <= end, [&] {
        return fmt::format("progress of {}: position {}, rank {}; the journal ends at position {}", row.campaign.view(),
                           row.position, row.rank, end);
      });
      if (row.position <= end) compare(row, course);
    }
    for (const auto& [id, course] : courses_) {
      const bool begun = !course.ranks.empty() || (course.campaign_rows > 0 && course.quota_rows > 0);
      if (course.progress || !course.fold || !begun) continue;
      progress_.expect(false, [&, &name = id, &of = course] {
        return fmt::format("progress of {}: the row is missing; there are {} coupons, up to rank {}", name,
                           of.ranks.size(), of.ranks.empty() ? 0 : std::ranges::max(of.ranks));
      });
    }
  }

  void compare(const Progress& row, Course& course) {
    const auto& winners = course.fold->winners();
    const auto& changes = course.fold->changes();
    course.rank = count_upto(winners, row.position);
    course.changes = count_upto(changes, row.position);
    const Chain* chain = nullptr;
    if (course.rank > 0 && winners[course.rank - 1].position == row.position) chain = &winners[course.rank - 1].chain;
    if (course.changes > 0 && changes[course.changes - 1].position == row.position) {
      chain = &changes[course.changes - 1].chain;
    }
    course.sound = chain && row.rank == course.rank && row.chain == *chain;
    progress_.expect(course.sound, [&] {
      const auto where =
          fmt::format("progress of {}: position {}, rank {}", row.campaign.view(), row.position, row.rank);
      if (!chain) return where + "; no entry of the campaign with an effect stands at that position";
      if (row.rank != course.rank) return fmt::format("{}; by the journal rank {}", where, course.rank);
      return where + "; the chain is another one: this is not the store of this journal, or one of them was changed";
    });
  }

  /// The progress, if it can say how far the tables are; else the row is extra, or cannot be judged.
  template <class Say>
  bool is_due(const Course& course, std::uint32_t rows_without_progress, Check& check, Say&& row) const {
    if (!course.fold) {
      check.expect(false, [&] { return row() + ": the journal has no such campaign"; });
      return false;
    }
    if (!course.progress && rows_without_progress == 0) {
      check.expect(false, [&] { return row() + ": the campaign has no progress, so it has no rows"; });
      return false;
    }
    return course.sound;
  }

  void compare_campaigns() {
    std::map<std::string_view, std::uint32_t> seen;
    for (const CampaignRow& row : rows_.campaigns) {
      const Course& course = courses_[row.id.str()];
      const auto name = [&] { return fmt::format("campaign {}", row.id.view()); };
      const auto others = static_cast<std::uint32_t>(course.ranks.size()) + course.quota_rows;
      if (!is_due(course, others, campaign_, name)) continue;
      if (++seen[row.id.view()] > 1) {
        campaign_.expect(false, [&] { return name() + ": there are two rows"; });
        continue;
      }
      const std::string difference = difference_of(row, course);
      campaign_.expect(difference.empty(), [&] { return name() + ": " + difference; });
    }
    for (const auto& [id, course] : courses_) {
      if (!course.sound || course.campaign_rows > 0) continue;
      campaign_.expect(false, [&name = id, &of = course] {
        return fmt::format("campaign {}: the row is missing; its progress is at position {}", name,
                           of.progress->position);
      });
    }
  }

  static std::string difference_of(const CampaignRow& row, const Course& course) {
    const Change& change = course.fold->changes()[course.changes - 1];
    const Opened& opened = course.fold->opened();
    const auto differs = [&](std::string_view column, const auto& stored, const auto& folded) {
      return fmt::format("{} is {}; by the journal it is {} at position {}", column, stored, folded,
                         course.progress->position);
    };
    const auto rate = [](const std::optional<double>& value) { return value ? fmt::format("{}", *value) : "none"; };
    const auto promise = [](Promise one) { return one == Promise::store ? "store" : "journal"; };
    const Promise promised = opened.promise.value_or(Promise::journal);
    if (row.name != course.fold->name()) return differs("name", row.name, course.fold->name());
    if (row.window.opens_at != change.window.opens_at) {
      return differs("opens_at", text_of(row.window.opens_at), text_of(change.window.opens_at));
    }
    if (row.window.closes_at != change.window.closes_at) {
      return differs("closes_at", text_of(row.window.closes_at), text_of(change.window.closes_at));
    }
    if (row.issue_rate != opened.issue_rate)
      return differs("issue_rate", rate(row.issue_rate), rate(opened.issue_rate));
    if (row.promise != promised) return differs("promise", promise(row.promise), promise(promised));
    if (row.paused != change.paused) return differs("paused", row.paused, change.paused);
    if (row.closed != change.closed) return differs("closed", row.closed, change.closed);
    return {};
  }

  void compare_quotas() {
    std::map<std::string_view, std::vector<std::uint32_t>> stored;
    for (const QuotaRow& row : rows_.quotas) {
      const Course& course = courses_[row.campaign.str()];
      const auto name = [&] { return fmt::format("campaign_quota ({}, {})", row.campaign.view(), row.quota); };
      const auto others = static_cast<std::uint32_t>(course.ranks.size()) + course.campaign_rows;
      if (!is_due(course, others, quota_, name)) continue;
      auto& seen = stored[row.campaign.view()];
      const bool twice = std::ranges::find(seen, row.quota) != seen.end();
      seen.push_back(row.quota);
      quota_.expect(!twice && was_in_force(course, row.quota), [&] {
        return fmt::format("{}: by the journal that quota was not in force up to position {}", name(),
                           course.progress->position);
      });
    }
    for (const auto& [id, course] : courses_) {
      if (!course.sound) continue;
      const auto& seen = stored[id];
      for (std::uint32_t i = 0; i < course.changes; ++i) {
        const Change& change = course.fold->changes()[i];
        const bool raised = i == 0 || change.quota != course.fold->changes()[i - 1].quota;
        if (!raised || std::ranges::find(seen, change.quota) != seen.end()) continue;
        quota_.expect(false, [&name = id, &change] {
          return fmt::format("campaign_quota ({}, {}): the row is missing; in force from position {}", name,
                             change.quota, change.position);
        });
      }
    }
  }

  static bool was_in_force(const Course& course, std::uint32_t quota) {
    for (std::uint32_t i = 0; i < course.changes; ++i) {
      if (course.fold->changes()[i].quota == quota) return true;
    }
    return false;
  }

  void compare_coupons() {
    for (const CouponRow& row : rows_.coupons) {
      compare(row, coupon_, [&row] { return fmt::format("coupon ({}, {})", row.campaign.view(), row.rank); });
    }
    for (const ParkedEntry& entry : rows_.parked) {
      compare(entry.coupon, parked_, [&entry] {
        return fmt::format("parked_entry {}, rank {} of {}", entry.number, entry.coupon.rank,
                           entry.coupon.campaign.view());
      });
    }
    for (const auto& [id, course] : courses_) {
      for (std::uint32_t rank = 1; rank <= course.marked.size(); ++rank) {
        if (course.marked[rank - 1]) continue;
        const Winner& winner = course.fold->winners()[rank - 1];
        coupon_.expect(false, [&name = id, rank, &winner] {
          return fmt::format("coupon ({}, {}): the row is missing; user {}, position {}", name, rank, winner.user(),
                             winner.position);
        });
      }
    }
  }

  template <class Name>
  void compare(const CouponRow& row, Check& check, Name&& name) {
    Course& course = course_of(row.campaign);
    if (!course.fold) {
      check.expect(false, [&] { return name() + ": the journal has no such campaign"; });
      return;
    }
    const auto& winners = course.fold->winners();
    const std::uint32_t held = course.sound ? course.rank : winners.size();
    const bool there = row.rank >= 1 && row.rank <= held;
    // A rank that is beyond the progress, or a row more of one that has been seen, has no place in the table.
    const bool extra = !there || (course.sound && course.marked[row.rank - 1]);
    if (there && course.sound) course.marked[row.rank - 1] = true;
    check.expect(!extra && difference_of(row, *course.fold).empty(), [&] {
      const auto row_text = fmt::format("{}: user {}, position {}", name(), row.user.view(), row.position);
      if (!there) return fmt::format("{}; by the journal ranks 1 to {} are held at the progress", row_text, held);
      if (extra) return row_text + "; the rank has a row already";
      return row_text + "; " + difference_of(row, *course.fold);
    });
  }

  static std::string difference_of(const CouponRow& row, const Campaign& campaign) {
    const Winner& winner = campaign.winners()[row.rank - 1];
    const std::uint32_t quota = quota_at(campaign, winner.position);
    if (row.user.view() != winner.user()) return fmt::format("by the journal the user is {}", winner.user());
    if (row.code != winner.code) return fmt::format("by the journal the code is {}", to_text(winner.code));
    if (row.position != winner.position) return fmt::format("by the journal the position is {}", winner.position);
    if (row.quota != quota) return fmt::format("the quota is {}, by the journal {}", row.quota, quota);
    return {};
  }

  /// k rows are dense if and only if they are k different ranks, none above k.
  void expect_dense_ranks() {
    for (auto& [id, course] : courses_) {
      std::vector<bool> there(course.ranks.size());
      for (const auto rank : course.ranks) {
        if (rank >= 1 && rank <= there.size()) there[rank - 1] = true;
      }
      dense_.checked += course.ranks.size();
      const auto hole = std::ranges::find(there, false);
      if (hole != there.end()) {
        dense_.fail([&, &name = id] {
          return fmt::format("campaign {}: {} coupons are written or parked, but none of them holds rank {}", name,
                             there.size(), hole - there.begin() + 1);
        });
      }
      if (course.fold && there.size() > course.fold->view().quota) {
        dense_.fail([&, &name = id, &of = course] {
          return fmt::format("campaign {}: {} coupons are written or parked; the quota is {}", name, there.size(),
                             of.fold->view().quota);
        });
      }
    }
  }

  template <class Hash, class Same>
  void expect_unique(Check& check, Hash&& hash, Same&& same) {
    std::vector<std::pair<std::size_t, const CouponRow*>> all;
    all.reserve(rows_.coupons.size() + rows_.parked.size());
    for (const auto& row : rows_.coupons) all.emplace_back(hash(row), &row);
    for (const auto& entry : rows_.parked) all.emplace_back(hash(entry.coupon), &entry.coupon);
    std::ranges::sort(all);
    check.checked += all.size();
    for (std::size_t i = 1; i < all.size(); ++i) {
      const CouponRow& a = *all[i - 1].second;
      const CouponRow& b = *all[i].second;
      if (all[i - 1].first != all[i].first || !same(a, b)) continue;
      check.fail([&] {
        return fmt::format("coupon ({}, {}) and coupon ({}, {}): user {} and user {}, code {}", a.campaign.view(),
                           a.rank, b.campaign.view(), b.rank, a.user.view(), b.user.view(), to_text(b.code));
      });
    }
  }

  void expect_unique_users() {
    const std::hash<std::string_view> hash;
    expect_unique(
        users_, [&](const CouponRow& row) { return hash(row.user.view()) ^ (hash(row.campaign.view()) << 1); },
        [](const CouponRow& a, const CouponRow& b) { return a.user == b.user && a.campaign == b.campaign; });
  }

  void expect_unique_codes() {
    const std::hash<std::string_view> hash;
    expect_unique(
        codes_,
        [&](const CouponRow& row) { return hash({reinterpret_cast<const char*>(row.code.data()), row.code.size()}); },
        [](const CouponRow& a, const CouponRow& b) { return a.code == b.code; });
  }

  const Folds& folds_;
  const StoreRows& rows_;
  Courses courses_;
  Courses::value_type* last_ = nullptr;

  Check installation_{.name = "store belongs to this journal"};
  Check within_{.name = "progress lies within the journal"};
  Check progress_{.name = "progress rows"};
  Check campaign_{.name = "campaign rows"};
  Check quota_{.name = "campaign_quota rows"};
  Check coupon_{.name = "coupon rows"};
  Check parked_{.name = "parked rows"};
  Check dense_{.name = "ranks are dense and at most N"};
  Check users_{.name = "one coupon a user"};
  Check codes_{.name = "one coupon a code"};
};

}  // namespace

std::vector<Check> check_store(const Folds& folds, const StoreRows& rows) { return StoreComparison(folds, rows).run(); }

std::vector<CampaignOutcome> outcomes(const Folds& folds, const StoreRows* rows, Time now) {
  std::vector<CampaignOutcome> all;
  std::map<std::string, std::size_t, std::less<>> places;
  const auto& campaigns = folds.standings().campaigns();
  for (std::uint32_t i = 0; i < campaigns.size(); ++i) {
    const Campaign& campaign = *campaigns[i];
    places[campaign.id().str()] = all.size();
    auto& one = all.emplace_back(CampaignOutcome{.campaign = campaign.id().str(),
                                                 .quota = campaign.view().quota,
                                                 .winners = campaign.winners().size(),
                                                 .scheduled = campaign.state(now) == "scheduled",
                                                 .sealed = campaign.view().sealed,
                                                 .closed = campaign.view().closed});
    if (rows) one.coupons = one.owed = one.parked = 0;
  }
  if (!rows) return all;
  const auto count = [&](std::string_view id, std::optional<std::uint64_t> CampaignOutcome::* number) {
    const auto found = places.find(id);
    if (found != places.end()) ++*(all[found->second].*number);
  };
  for (const auto& row : rows->coupons) count(row.campaign.view(), &CampaignOutcome::coupons);
  for (const auto& entry : rows->parked) count(entry.coupon.campaign.view(), &CampaignOutcome::parked);
  for (auto& one : all) one.owed = one.winners - std::min(one.winners, *one.coupons);
  return all;
}

}  // namespace firstcome::verify
