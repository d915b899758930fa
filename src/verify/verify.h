#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/checks.h"
#include "verify/sources.h"

namespace firstcome::verify {

struct Options {
  std::optional<std::string> campaign;  ///< only this one
  std::vector<std::string> histories;   ///< files
  std::chrono::microseconds skew{};     ///< how far the clocks of the histories may be apart
  std::vector<ClaimedMark> claimed;     ///< what running processes said of their standings, before this was called
  std::vector<std::string> not_asked;   ///< what could not be asked, and why; the report says so
};

struct Report {
  std::vector<CampaignOutcome> campaigns;
  std::vector<Check> checks;
  std::vector<std::string> not_checked;  ///< what no check above is about, and why

  /// A promise is broken. What is owed is not broken: it is on its way.
  bool broken() const;

  /// All was checked, and nothing is broken.
  bool exact() const { return !broken() && not_checked.empty(); }
};

/// Proves a journal and its store, of a dead or a running server, without changing a byte in them: reads histories,
/// then the store, then the journal, and holds each against the others.
///
///   Broken   a journal or a store that is damaged is a failed check, with the position, and not a fault. Nothing is
///            said of what was read of it: half of it proves nothing.
///   Fails    misconfigured: no such journal, store, history or campaign, or written by a newer firstcome. unavailable:
///            it cannot be read for now.
Result<Report> verify(Source& source, const Options& options);

/// One line per campaign, one per check with the count that was checked, one for whatever was not checked, then
/// `exact`, or what is broken.
std::string render_text(const Report& report);

/// {"exact":true,"campaigns":[{"campaign":"demo","quota":100,"coupons":100,"sealed":true,...}],
///  "checks":[{"name":...,"checked":N,"ok":true},...],"not_checked":[...]}; a check that failed has "broken" and
/// "failures" too. coupons, owed and parked are null where the store was not read to its end.
std::string render_json(const Report& report);

}  // namespace firstcome::verify
