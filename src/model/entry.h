#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/code.h"
#include "model/names.h"

namespace firstcome {

/// Where an entry stands in its partition of the journal. Positions grow strictly there and may have gaps; 0 is before
/// the first.
using Position = std::uint64_t;

using InstallationId = std::array<std::uint8_t, 16>;

/// When `won` may be said: once the journal holds the ticket, or once the store has committed the coupon too.
enum class Promise : std::uint8_t { journal, store };

// The entries (design, section 3.1). What each does to the standings, and when it counts, is in standings/standings.h.

/// Says which journal this is: the store carries the same id.
struct Installation {
  InstallationId id{};
  std::uint32_t partitions = 1;
  bool operator==(const Installation&) const = default;
};

/// A campaign begins. What the operator left out stays left out, so that the same request again is seen to be the same.
struct Opened {
  CampaignId campaign;
  std::optional<std::string> name;
  std::uint32_t quota = 0;
  std::optional<Time> opens_at;
  std::optional<Time> closes_at;
  std::optional<double> issue_rate;  ///< coupons per second; 0 is unlimited
  std::optional<Promise> promise;
  std::uint16_t format = 1;  ///< of the entries of this campaign
  bool operator==(const Opened&) const = default;
};

/// A claim that passed.
struct Ticket {
  CampaignId campaign;
  User user;
  Code code{};
  bool operator==(const Ticket&) const = default;
};

struct QuotaRaised {
  CampaignId campaign;
  std::uint32_t quota = 0;
  bool operator==(const QuotaRaised&) const = default;
};

/// `seen` is the position of the last entry of {window_changed, paused, resumed} that the author had seen (0: none).
struct WindowChanged {
  CampaignId campaign;
  std::optional<Time> opens_at;
  std::optional<Time> closes_at;
  Position seen = 0;
  bool operator==(const WindowChanged&) const = default;
};
struct Paused {
  CampaignId campaign;
  Position seen = 0;
  bool operator==(const Paused&) const = default;
};
struct Resumed {
  CampaignId campaign;
  Position seen = 0;
  bool operator==(const Resumed&) const = default;
};

enum class ClosedBy : std::uint8_t { person, due };
struct Closed {
  CampaignId campaign;
  ClosedBy by = ClosedBy::person;
  bool operator==(const Closed&) const = default;
};

/// How far the store is: coupons 1..rank are rows, but for the ranks in `parked` (rising, each <= rank).
struct Issued {
  CampaignId campaign;
  std::uint32_t rank = 0;
  std::vector<std::uint32_t> parked;
  bool operator==(const Issued&) const = default;
};

using Entry = std::variant<Installation, Opened, Ticket, QuotaRaised, WindowChanged, Paused, Resumed, Closed, Issued>;

/// installation, opened, ticket, ...
std::string_view kind_name(const Entry& entry);

/// The campaign that the entry is about; empty for an installation.
std::string_view campaign_of(const Entry& entry);

/// An entry as the journal shows it: with its place and the time that the journal gave it.
struct Shown {
  Position position = 0;
  Time stamp;
  Entry entry;
  std::uint32_t partition = 0;  ///< of the journal; most have one only
  bool operator==(const Shown&) const = default;
};

/// Where the entries of a campaign stand, of `partitions`: what the journal's installation says. Two nodes that make
/// the same campaign at once meet there, in one order.
std::uint32_t partition_of(std::string_view campaign, std::uint32_t partitions);

// Encoding, the same in every journal: "FC", version, kind, fields (little endian; text and optional fields with a
// length or presence byte), checksum (the low 32 bits of XXH3 over all before it).

inline constexpr std::size_t entry_bytes_max = 1024;

using EntryBuffer = std::span<std::uint8_t, entry_bytes_max>;

/// Returns how many bytes it took. The fold encodes each entry for its chain, so this one touches no heap.
std::size_t encode(const Entry& entry, EntryBuffer into);

/// Appends the encoded entry to `out`.
void encode(const Entry& entry, std::vector<std::uint8_t>& out);

/// Nothing: not ours (no "FC" in front): skip and count it.
/// Fails with corrupt (bad checksum, impossible field) or misconfigured (a newer kind or version: upgrade this node).
Result<std::optional<Entry>> decode(std::span<const std::uint8_t> bytes);

}  // namespace firstcome
