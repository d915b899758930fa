#include "verify/verify.h"

#include <algorithm>
#include <filesystem>

#include "journal/journal_reader.h"
#include "store/store_reader.h"

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

/// A moment of the store. A folder without one is a folder whose coupons are all owed: it is written anew from the
/// journal.
struct StoreMoment {
  StoreRows rows;
  Check check;
};

Result<void> read_rows(const std::string& folder, const Folds& about, StoreRows& rows) {
  auto reader = StoreReader::open(folder);
  if (!reader) return fail(reader.error());
  const auto take = [&](const auto& from, auto& into, auto campaign) {
    std::ranges::copy_if(from, std::back_inserter(into),
                         [&](const auto& row) { return about.is_about(campaign(row)); });
  };
  rows.installation = reader->installation();
  take(reader->campaigns(), rows.campaigns, [](const CampaignRow& row) { return row.id.view(); });
  take(reader->quotas(), rows.quotas, [](const QuotaRow& row) { return row.campaign.view(); });
  take(reader->progress(), rows.progress, [](const Progress& row) { return row.campaign.view(); });
  take(reader->parked(), rows.parked, [](const ParkedEntry& row) { return row.coupon.campaign.view(); });
  std::size_t coupons = 0;
  for (const auto& row : rows.progress) coupons += row.rank;
  rows.coupons.reserve(std::min<std::size_t>(coupons, limits::places_max_default));
  return reader->coupons([&](std::span<const CouponRow> batch) {
    take(batch, rows.coupons, [](const CouponRow& row) { return row.campaign.view(); });
  });
}

Result<StoreMoment> read_store(const std::string& folder, const Folds& about) {
  StoreMoment moment{.rows = {}, .check = readable(store_check, 0)};
  if (!std::filesystem::exists(folder + "/store.db")) return moment;
  if (auto read = read_rows(folder, about, moment.rows); !read) {
    if (read.error().kind != FaultKind::corrupt) return fail(read.error());
    moment.check = unreadable(store_check, read.error());
    return moment;
  }
  const StoreRows& rows = moment.rows;
  moment.check = readable(store_check, rows.campaigns.size() + rows.quotas.size() + rows.coupons.size() +
                                           rows.progress.size() + rows.parked.size());
  return moment;
}

/// A lost journal beside a store that has coupons is broken; without them nothing was ever started here.
Result<Check> read_whole_journal(const std::string& folder, const StoreRows& rows, Folds& folds) {
  if (!std::filesystem::exists(folder + "/journal.db")) {
    if (rows.progress.empty() && rows.coupons.empty()) {
      return fail(FaultKind::misconfigured,
                  folder + " has no journal.db: --data names the folder of a server, as `firstcome serve --data` does");
    }
    return unreadable(journal_check, {FaultKind::corrupt,
                                      folder + "/journal.db is missing, but store.db beside it has coupons of it"});
  }
  const auto end = read_journal(folder, [&](std::span<const Shown> batch) { folds.apply(batch); });
  if (end) return readable(journal_check, folds.entries());
  if (end.error().kind != FaultKind::corrupt) return fail(end.error());
  return unreadable(journal_check, end.error());
}

void append(std::vector<Check>& to, std::vector<Check> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

bool Report::exact() const { return std::ranges::all_of(checks, &Check::ok); }

Result<Report> verify_folder(const Options& options) {
  if (!std::filesystem::is_directory(options.folder)) {
    return fail(FaultKind::misconfigured, options.folder + " is no folder: --data names the one that a server uses");
  }
  auto attempts = read_histories(options.histories);
  if (!attempts) return fail(attempts.error());
  Folds folds(options.campaign);
  auto store = read_store(options.folder, folds);
  if (!store) return fail(store.error());
  auto journal = read_whole_journal(options.folder, store->rows, folds);
  if (!journal) return fail(journal.error());

  Report report;
  const bool judged = journal->ok();  // half a journal says nothing about the rest
  report.checks = {std::move(*journal), std::move(store->check)};
  if (!judged) return report;
  if (options.campaign && !folds.standings().find(*options.campaign)) {
    return fail(FaultKind::misconfigured, "the journal has no campaign " + *options.campaign);
  }
  report.campaigns = outcomes(folds, store->rows);
  append(report.checks, check_folds(folds));
  if (report.checks[1].ok()) append(report.checks, check_store(folds, store->rows));
  if (!options.histories.empty()) append(report.checks, check_told(folds, *attempts, options.skew));
  return report;
}

}  // namespace firstcome::verify
