#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/sha256.h"
#include "model/entry.h"

namespace firstcome::verify {

/// The rules of the design (section 3.1) written down a second time, as plainly as possible: what standings/ must
/// equal.
///
///   Independent   shares no code with standings/: its own containers, window, precedence and SHA-256 call. Only the
///                 entries and their encoding (model/) are common, since those are what both are told.
///   Whole         keeps everything that it ever decided, so that any point of the past can be compared.
struct NaiveTerms {
  std::uint32_t quota = 0;
  std::optional<Time> opens_at;
  std::optional<Time> closes_at;
  bool paused = false;
  bool closed = false;
  bool operator==(const NaiveTerms&) const = default;
};

struct NaiveWinner {
  User user;
  Code code{};
  Position position = 0;
  Time stamp;
  Sha256Sum chain{};  ///< of the campaign, up to and with this ticket
};

/// What opened, raised, moved, paused, resumed or closed the campaign, and what was in force after it.
struct NaiveChange {
  Position position = 0;
  NaiveTerms terms;
  Sha256Sum chain{};
};

struct NaiveCampaign {
  NaiveTerms terms;
  Position changed_at = 0;                                 ///< of the last window change, pause or resumption
  std::vector<NaiveWinner> winners;                        ///< rank 1 first
  std::unordered_map<std::string, std::uint32_t> rank_of;  ///< by user
  std::vector<NaiveChange> changes;
  std::uint32_t issued = 0;
  std::vector<std::uint32_t> parked;
  Sha256Sum chain{};
};

class Naive {
 public:
  void apply(const Shown& shown);

  std::map<std::string, NaiveCampaign, std::less<>> campaigns;
  std::map<std::uint32_t, Position> positions;  ///< applied last, by partition
  std::uint32_t partitions = 0;                 ///< by the first installation; 0: none yet

  /// None when no such campaign was opened.
  const NaiveCampaign* find(std::string_view campaign) const;
};

}  // namespace firstcome::verify
