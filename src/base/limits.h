#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Everything that can queue or grow, and where it ends. Defaults of settings (settings/) where a name ends in
/// `_default`; the rest are fixed. A limit that leans on another one says so in a static_assert.
namespace firstcome::limits {

using std::chrono::milliseconds;

// Names.
inline constexpr std::size_t campaign_id_bytes_max = 63;  // [a-z0-9-]{1,63}: a DNS label, a Redis hash tag, a file name
inline constexpr std::size_t user_bytes_max = 64;         // the column coupon.user is VARBINARY(64)
inline constexpr std::size_t campaign_name_bytes_max = 200;

// Campaigns. A winner costs about 100 bytes of memory, so the whole of `places_max` is about 2 GB, and a restart
// folds about 2,000,000 entries per CPU second: 20,000,000 winners are read again in about 10 s.
inline constexpr std::uint32_t quota_max_default = 5'000'000;
inline constexpr std::uint32_t places_max_default = 20'000'000;  // the sum of all quotas
inline constexpr std::uint32_t campaigns_max_default = 10'000;
inline constexpr std::uint32_t campaigns_limit = 100'000;   // the largest campaigns_max that may be set
inline constexpr double issue_rate_default = 1'000;         // rows per second and campaign; 0 means unlimited
inline constexpr double issue_rate_total_default = 10'000;  // rows per second for the store; 0 means unlimited

// The desk.
inline constexpr milliseconds wait_ms_max_default{1500};       // a claim waits this long, then it is told `pending`
inline constexpr milliseconds in_flight_ms_max_default{5000};  // a ticket without a fate is forgotten after this
inline constexpr std::size_t in_flight_max_default = 8192;  // tickets in the journal's hands, per campaign and process
inline constexpr std::size_t waiting_claims_max_default = 65536;  // claims that wait, per process
inline constexpr milliseconds stale_ms_max_default{5000};         // without news from the journal for longer: 503
inline constexpr milliseconds gate_bypass_ms_max_default{100};    // no answer from the gate by then: on without it
inline constexpr std::size_t gate_batch_max = 64;                 // users in one call of the gate
inline constexpr std::size_t gate_asks_max = 16384;  // users that wait for the gate, per loop; beyond: past it
inline constexpr std::size_t operations_max = 1000;  // operators' changes that wait for the journal; beyond: 503

// The journal.
inline constexpr std::size_t append_entries_max = 65536;  // its mailbox
inline constexpr std::uint32_t partitions_max = 256;
inline constexpr std::size_t batch_entries_max = 4096;  // one commit: at 1 µs a row it holds the others up for 4 ms

// The issuer.
inline constexpr std::size_t coupons_batch_max = 1000;  // one transaction
inline constexpr std::size_t parked_max_default = 10;   // more parked coupons stop their campaign
inline constexpr std::size_t questions_max = 256;       // operators' questions that wait for the store; beyond: 503

inline constexpr milliseconds store_answer_ms_max{8'000};  // an operator's question; our clients wait 10 s for a 503

// HTTP.
inline constexpr std::size_t target_bytes_max = 2048;          // beyond: 414
inline constexpr std::size_t header_bytes_max_default = 8192;  // request line and header: beyond: 431
inline constexpr std::size_t body_bytes_max_default = 65536;   // beyond: 413
inline constexpr std::size_t connections_max_default = 16384;  // beyond: closed at once, counted
inline constexpr std::size_t admin_connections_max = 128;      // operators', besides: dashboards, scrapes, scripts
inline constexpr milliseconds header_ms_max_default{10'000};   // from the first byte to the end of the request: 408
inline constexpr milliseconds idle_ms_max_default{75'000};     // a kept-alive connection without a request: closed
inline constexpr milliseconds write_ms_max_default{10'000};    // a client that does not read: closed
inline constexpr milliseconds drain_ms_max_default{10'000};    // after SIGTERM: what is in flight may take this long
inline constexpr std::size_t unread_answer_bytes_max =
    256 * 1024;  // answers a client may leave unread before we stop reading

static_assert(in_flight_max_default <= append_entries_max, "one campaign alone must fit the journal's mailbox");
static_assert(target_bytes_max < header_bytes_max_default);
static_assert(wait_ms_max_default < in_flight_ms_max_default, "a claim that waits must find its ticket remembered");

}  // namespace firstcome::limits
