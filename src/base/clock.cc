#include "base/clock.h"

#include <date/date.h>

namespace firstcome {

Time SystemClock::now() { return std::chrono::floor<Millis>(std::chrono::system_clock::now()); }

Uptime SystemClock::uptime() { return std::chrono::floor<Millis>(std::chrono::steady_clock::now().time_since_epoch()); }

// Digit by digit: every winner is told a time, and fmt takes over ten times as long.
std::string to_rfc3339(Time time) {
  const auto midnight = std::chrono::floor<date::days>(time);
  const date::year_month_day day(midnight);
  const date::hh_mm_ss<Millis> clock(time - midnight);
  std::string text = "yyyy-mm-ddThh:mm:ss.mmmZ";
  const auto put = [&text](std::size_t at, std::size_t digits, auto number) {
    auto rest = static_cast<unsigned>(number);
    for (std::size_t i = digits; i-- > 0; rest /= 10) text[at + i] = static_cast<char>('0' + rest % 10);
  };
  put(0, 4, static_cast<int>(day.year()));
  put(5, 2, static_cast<unsigned>(day.month()));
  put(8, 2, static_cast<unsigned>(day.day()));
  put(11, 2, clock.hours().count());
  put(14, 2, clock.minutes().count());
  put(17, 2, clock.seconds().count());
  put(20, 3, clock.subseconds().count());
  return text;
}

namespace {

/// Reads fixed forms from the front of a text; after the first mistake everything is one.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  int digits(std::size_t count, int least, int most) {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value * 10 + digit();
    if (value < least || value > most) ok_ = false;
    return value;
  }
  bool take(std::string_view any_of) {
    const bool taken = !left_.empty() && any_of.find(left_.front()) != std::string_view::npos;
    if (taken) left_.remove_prefix(1);
    return taken;
  }
  void expect(std::string_view any_of) {
    if (!take(any_of)) ok_ = false;
  }
  bool has_digit() const { return !left_.empty() && left_.front() >= '0' && left_.front() <= '9'; }
  bool is_at_minus() const { return !left_.empty() && left_.front() == '-'; }
  bool is_whole() const { return ok_ && left_.empty(); }

 private:
  int digit() {
    if (!has_digit()) {
      ok_ = false;
      return 0;
    }
    const int value = left_.front() - '0';
    left_.remove_prefix(1);
    return value;
  }

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace

// By hand: date::parse takes more than RFC 3339 allows, and computes with what overflows (the fuzzer showed it).
Result<Time> parse_rfc3339(std::string_view text) {
  Scanner in(text);
  const int year = in.digits(4, 1970, 2199);
  in.expect("-");
  const int month = in.digits(2, 1, 12);
  in.expect("-");
  const int day = in.digits(2, 1, 31);
  in.expect("Tt");
  const int hour = in.digits(2, 0, 23);
  in.expect(":");
  const int minute = in.digits(2, 0, 59);
  in.expect(":");
  const int second = in.digits(2, 0, 59);
  int millis = 0;
  if (in.take(".")) {
    int worth = 100;
    do {
      millis += in.digits(1, 0, 9) * worth;
      worth /= 10;
    } while (in.has_digit());
  }
  std::chrono::minutes offset{0};
  if (!in.take("Zz")) {
    const int sign = in.is_at_minus() ? -1 : 1;
    in.expect("+-");
    offset = sign * std::chrono::hours(in.digits(2, 0, 23));
    in.expect(":");
    offset += sign * std::chrono::minutes(in.digits(2, 0, 59));
  }
  const date::year_month_day date(date::year(year), date::month(static_cast<unsigned>(month)),
                                  date::day(static_cast<unsigned>(day)));
  if (!in.is_whole() || !date.ok())
    return fail(FaultKind::misconfigured,
                "\"" + std::string(text) +
                    "\" is no time from 1970 to 2199: write it as 2026-11-24T09:00:00Z or 2026-11-24T18:00:00+09:00");
  return Time(date::sys_days(date).time_since_epoch()) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + Millis(millis) - offset;
}

}  // namespace firstcome
