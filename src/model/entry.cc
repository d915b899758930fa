#include "model/entry.h"

#include <xxhash.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/mutant.h"

namespace firstcome {
namespace {

constexpr std::uint8_t version_now = 1;
constexpr std::size_t head_bytes = 4;  // "FC", version, kind
constexpr std::size_t sum_bytes = 4;
constexpr std::size_t parked_in_entry_max = 64;

std::uint32_t sum_of(const std::uint8_t* bytes, std::size_t size) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes, size));
}

/// Writes into a buffer that every entry fits: the limits of names, texts and lists are kept by those who make entries.
class Writer {
 public:
  explicit Writer(EntryBuffer into) : first_(into.data()), next_(into.data()) {}

  void raw(const void* bytes, std::size_t size) {
    MUST(size <= entry_bytes_max - written(), "an entry has at most entry_bytes_max bytes");
    std::memcpy(next_, bytes, size);
    next_ += size;
  }
  std::size_t written() const { return static_cast<std::size_t>(next_ - first_); }
  template <class Number>
  void number(Number value) {
    static_assert(std::endian::native == std::endian::little);
    raw(&value, sizeof value);
  }
  void text(std::string_view text) {
    MUST(text.size() <= 255, "texts in entries have a length byte");
    number(static_cast<std::uint8_t>(text.size()));
    raw(text.data(), text.size());
  }
  void time(Time time) { number(static_cast<std::int64_t>(time.time_since_epoch().count())); }
  template <class T, class Put>
  void maybe(const std::optional<T>& value, Put put) {
    number(static_cast<std::uint8_t>(value.has_value()));
    if (value) put(*value);
  }
  void times(const std::optional<Time>& opens_at, const std::optional<Time>& closes_at) {
    maybe(opens_at, [this](Time t) { time(t); });
    maybe(closes_at, [this](Time t) { time(t); });
  }

 private:
  std::uint8_t* first_;
  std::uint8_t* next_;
};

/// After the first read beyond the end, everything reads as zero and ok() is false.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  bool raw(void* into, std::size_t size) {
    if (rest_.size() < size) {
      ok_ = false;
      return false;
    }
    std::memcpy(into, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return true;
  }
  template <class Number>
  Number number() {
    Number value{};
    raw(&value, sizeof value);
    return value;
  }
  std::string_view text() {
    const auto size = number<std::uint8_t>();
    if (rest_.size() < size) {
      ok_ = false;
      return {};
    }
    const std::string_view text(reinterpret_cast<const char*>(rest_.data()), size);
    rest_ = rest_.subspan(size);
    return text;
  }
  Time time() { return Time(Millis(number<std::int64_t>())); }
  template <class Get>
  auto maybe(Get get) -> std::optional<decltype(get())> {
    const auto there = number<std::uint8_t>();
    if (there > 1) ok_ = false;
    if (there != 1) return {};
    return get();
  }
  std::optional<Time> maybe_time() {
    return maybe([this] { return time(); });
  }
  void campaign(CampaignId& into) {
    const auto id = text();
    if (!is_campaign_id(id)) {
      ok_ = false;
      return;
    }
    into = id;
  }
  void user(User& into) {
    const auto name = text();
    if (!is_user(name)) {
      ok_ = false;
      return;
    }
    into = name;
  }
  void refuse() { ok_ = false; }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::uint8_t> rest_;
  bool ok_ = true;
};

// put() and get() of a kind stand together, so that a field added to one is missed in the other at a glance.

void put(Writer& w, const Installation& e) {
  w.raw(e.id.data(), e.id.size());
  w.number(e.partitions);
}
void get(Reader& r, Installation& e) {
  r.raw(e.id.data(), e.id.size());
  e.partitions = r.number<std::uint32_t>();
}

void put(Writer& w, const Opened& e) {
  w.text(e.campaign);
  w.maybe(e.name, [&](const std::string& name) { w.text(name); });
  w.number(e.quota);
  w.times(e.opens_at, e.closes_at);
  w.maybe(e.issue_rate, [&](double rate) { w.number(rate); });
  w.maybe(e.promise, [&](Promise promise) { w.number(promise); });
  w.number(e.format);
}
void get(Reader& r, Opened& e) {
  r.campaign(e.campaign);
  e.name = r.maybe([&] { return std::string(r.text()); });
  e.quota = r.number<std::uint32_t>();
  e.opens_at = r.maybe_time();
  e.closes_at = r.maybe_time();
  e.issue_rate = r.maybe([&] { return r.number<double>(); });
  e.promise = r.maybe([&] { return r.number<Promise>(); });
  e.format = r.number<std::uint16_t>();
  if (e.promise && *e.promise != Promise::journal && *e.promise != Promise::store) r.refuse();
  if (e.issue_rate && !(*e.issue_rate >= 0 && std::isfinite(*e.issue_rate))) r.refuse();
}

void put(Writer& w, const Ticket& e) {
  w.text(e.campaign);
  w.text(e.user);
  w.raw(e.code.data(), e.code.size());
}
void get(Reader& r, Ticket& e) {
  r.campaign(e.campaign);
  r.user(e.user);
  r.raw(e.code.data(), e.code.size());
}

void put(Writer& w, const QuotaRaised& e) {
  w.text(e.campaign);
  w.number(e.quota);
}
void get(Reader& r, QuotaRaised& e) {
  r.campaign(e.campaign);
  e.quota = r.number<std::uint32_t>();
}

void put(Writer& w, const WindowChanged& e) {
  w.text(e.campaign);
  w.times(e.opens_at, e.closes_at);
  w.number(e.seen);
}
void get(Reader& r, WindowChanged& e) {
  r.campaign(e.campaign);
  e.opens_at = r.maybe_time();
  e.closes_at = r.maybe_time();
  e.seen = r.number<Position>();
}

template <class PausedOrResumed>
void put_switch(Writer& w, const PausedOrResumed& e) {
  w.text(e.campaign);
  w.number(e.seen);
}
template <class PausedOrResumed>
void get_switch(Reader& r, PausedOrResumed& e) {
  r.campaign(e.campaign);
  e.seen = r.number<Position>();
}
void put(Writer& w, const Paused& e) { put_switch(w, e); }
void get(Reader& r, Paused& e) { get_switch(r, e); }
void put(Writer& w, const Resumed& e) { put_switch(w, e); }
void get(Reader& r, Resumed& e) { get_switch(r, e); }

void put(Writer& w, const Closed& e) {
  w.text(e.campaign);
  w.number(e.by);
}
void get(Reader& r, Closed& e) {
  r.campaign(e.campaign);
  e.by = r.number<ClosedBy>();
  if (e.by != ClosedBy::person && e.by != ClosedBy::due) r.refuse();
}

void put(Writer& w, const Issued& e) {
  MUST(e.parked.size() <= parked_in_entry_max, "parked_max stops a campaign long before");
  w.text(e.campaign);
  w.number(e.rank);
  w.number(static_cast<std::uint8_t>(e.parked.size()));
  for (auto rank : e.parked) w.number(rank);
}
void get(Reader& r, Issued& e) {
  r.campaign(e.campaign);
  e.rank = r.number<std::uint32_t>();
  const auto size = r.number<std::uint8_t>();
  if (size > parked_in_entry_max) return r.refuse();
  for (int i = 0; i < size; ++i) e.parked.push_back(r.number<std::uint32_t>());
}

template <class Kind>
std::optional<Entry> read_as(Reader& r) {
  Kind entry;
  get(r, entry);
  if (!r.ok() || !r.at_end()) return {};
  return entry;
}

// The order of the variant is the numbering on disk: kinds are added at the end, never moved.
template <std::size_t... I>
std::optional<Entry> read_kind(std::size_t kind, Reader& r, std::index_sequence<I...>) {
  std::optional<Entry> entry;
  ((kind == I ? void(entry = read_as<std::variant_alternative_t<I, Entry>>(r)) : void()), ...);
  return entry;
}

}  // namespace

std::string_view kind_name(const Entry& entry) {
  static constexpr std::string_view names[] = {"installation", "opened",  "ticket", "quota_raised", "window_changed",
                                               "paused",       "resumed", "closed", "issued"};
  static_assert(std::size(names) == std::variant_size_v<Entry>);
  return names[entry.index()];
}

std::string_view campaign_of(const Entry& entry) {
  return std::visit(
      [](const auto& e) -> std::string_view {
        if constexpr (requires { e.campaign; }) {
          return e.campaign.view();
        } else {
          return {};
        }
      },
      entry);
}

std::uint32_t partition_of(std::string_view campaign, std::uint32_t partitions) {
  return static_cast<std::uint32_t>(XXH3_64bits(campaign.data(), campaign.size()) % partitions);
}

std::size_t encode(const Entry& entry, EntryBuffer into) {
  Writer writer(into);
  const std::uint8_t head[head_bytes] = {'F', 'C', version_now, static_cast<std::uint8_t>(entry.index())};
  writer.raw(head, sizeof head);
  std::visit([&](const auto& e) { put(writer, e); }, entry);
  writer.number(sum_of(into.data(), writer.written()));
  return writer.written();
}

void encode(const Entry& entry, std::vector<std::uint8_t>& out) {
  std::uint8_t buffer[entry_bytes_max];
  const std::size_t size = encode(entry, EntryBuffer(buffer));
  out.insert(out.end(), buffer, buffer + size);
}

Result<std::optional<Entry>> decode(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < head_bytes + sum_bytes || bytes[0] != 'F' || bytes[1] != 'C') return std::nullopt;
  const std::size_t body_end = bytes.size() - sum_bytes;
  std::uint32_t sum = 0;
  std::memcpy(&sum, bytes.data() + body_end, sum_bytes);
  if (sum != sum_of(bytes.data(), body_end)) return fail(FaultKind::corrupt, "the entry's checksum is wrong");
  if (bytes[2] != version_now || bytes[3] >= std::variant_size_v<Entry>) {
    if (mutant(Mutant::unknown_kind_skipped)) return std::nullopt;
    return fail(FaultKind::misconfigured, "the entry was written by a newer firstcome (version " +
                                              std::to_string(bytes[2]) + ", kind " + std::to_string(bytes[3]) +
                                              "): upgrade this node");
  }
  Reader reader(bytes.subspan(head_bytes, body_end - head_bytes));
  auto entry = read_kind(bytes[3], reader, std::make_index_sequence<std::variant_size_v<Entry>>());
  if (!entry) return fail(FaultKind::corrupt, "the entry's fields are impossible");
  return entry;
}

}  // namespace firstcome
