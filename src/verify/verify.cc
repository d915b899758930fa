#include "verify/verify.h"

#include <algorithm>

#include "base/clock.h"

namespace firstcome::verify {
namespace {

/// What a check says that has nothing to compare: the source itself could not be read to its end.
Check unreadable(std::string name, const Fault& fault) {
  Check check{.name = std::move(name)};
  check.expect(false, [&] { return fault.what; });
  return check;
}

Check readable(std::string name, std::uint64_t checked) { return {.name = std::move(name), .checked = checked}; }

constexpr const char* journal_check = "journal is whole";
constexpr const char* store_check = "store is whole";

Result<std::vector<Attempt>> read_histories(const std::vector<std::string>& paths) {
  std::vector<Attempt> all;
  for (const auto& path : paths) {
    auto history = read_history(path);
    if (!history) return fail(std::move(history).error().within("read history"));
    if (all.empty()) {
      all = std::move(*history);
    } else {
      all.insert(all.end(), std::make_move_iterator(history->begin()), std::make_move_iterator(history->end()));
    }
  }
  return all;
}

/// A moment of the store.
struct StoreMoment {
  StoreRows rows;
  Check check;
};

Result<StoreMoment> read_store(Source& source, const Folds& about) {
  StoreMoment moment{.rows = {}, .check = readable(store_check, 0)};
  if (auto read = source.read_store(about, moment.rows); !read) {
    if (read.error().kind != FaultKind::corrupt) return fail(read.error());
    moment.check = unreadable(store_check, read.error());
    return moment;
  }
  const StoreRows& rows = moment.rows;
  moment.check = readable(store_check, rows.campaigns.size() + rows.quotas.size() + rows.coupons.size() +
                                           rows.progress.size() + rows.parked.size());
  return moment;
}

Result<Check> read_whole_journal(Source& source, const StoreRows& rows, Folds& folds) {
  const auto read = source.read_journal(rows, folds);
  if (read) return readable(journal_check, folds.entries());
  if (read.error().kind != FaultKind::corrupt) return fail(read.error());
  return unreadable(journal_check, read.error());
}

void append(std::vector<Check>& to, std::vector<Check> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

bool Report::broken() const { return !std::ranges::all_of(checks, &Check::ok); }

Result<Report> verify(Source& source, const Options& options) {
  auto attempts = read_histories(options.histories);
  if (!attempts) return fail(attempts.error());
  Folds folds(options.campaign);
  if (!options.campaign) folds.hold_against(options.claimed);
  auto store = read_store(source, folds);
  if (!store) return fail(store.error());
  auto journal = read_whole_journal(source, store->rows, folds);
  if (!journal) return fail(journal.error());

  Report report;
  const bool has_journal = journal->ok();
  const bool has_store = store->check.ok();
  report.checks = {std::move(*journal), std::move(store->check)};
  report.not_checked = options.not_asked;
  if (!has_journal) {
    report.not_checked.emplace_back("all that follows from the journal: it was not read to its end");
    return report;
  }
  if (options.campaign && !folds.standings().find(*options.campaign)) {
    return fail(FaultKind::misconfigured, "the journal has no campaign " + *options.campaign);
  }
  report.campaigns = outcomes(folds, has_store ? &store->rows : nullptr, SystemClock().now());
  append(report.checks, check_folds(folds));
  if (has_store) {
    append(report.checks, check_store(folds, store->rows));
    for (auto& one : told_beyond_store(folds, store->rows, *attempts)) report.not_checked.push_back(std::move(one));
  } else {
    report.not_checked.emplace_back("the coupons and all other rows: the store was not read to its end");
  }
  if (!options.claimed.empty() && !options.campaign) append(report.checks, {folds.check_claimed()});
  if (!options.claimed.empty() && options.campaign) {
    report.not_checked.emplace_back("where processes stand: that is of all campaigns together; leave --campaign out");
  }
  if (!options.histories.empty()) append(report.checks, check_told(folds, *attempts, options.skew));
  return report;
}

}  // namespace firstcome::verify
