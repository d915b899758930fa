#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

#include "rush/arrival.h"

namespace firstcome::rush {

/// One person at one screen: a user, or the same user a second time. Asks until the answer is final.
struct Asking {
  std::uint32_t user = 0;
  std::uint16_t attempts = 0;  ///< stays at its largest value
  std::uint8_t faults = 0;     ///< in a row, likewise: cuts and faults, for the back-off
  bool ended = false;
  std::int64_t first_us = 0;  ///< when its first claim was meant to be sent
};

/// Who is due to ask, in the order of the intended times. Who is due and finds no connection stays here, and waits on
/// the books: the intended time does not move.
///
///   Bounds   one due attempt per asking, so never more than there are arrivals.
///   Order    who cannot use the connection that is free is passed over, and goes before all later ones again after
///            take_back().
class Crowd {
 public:
  struct Due {
    std::int64_t intended_us;
    std::uint32_t asking;
    bool operator>(const Due& other) const {
      return intended_us != other.intended_us ? intended_us > other.intended_us : asking > other.asking;
    }
  };

  Crowd(const std::vector<std::uint32_t>& order, Schedule schedule);

  /// Times are counted from here.
  void start(std::int64_t start_us);

  /// The earliest; nothing when nobody will ask any more.
  std::optional<Due> earliest() const;

  /// The earliest has been sent.
  void sent(const Due& due);

  /// The earliest stays due, but until take_back() the next one is the earliest.
  void pass_over(const Due& due);
  void take_back();

  /// This one asks again at that time.
  void again(std::uint32_t asking, std::int64_t due_us);

  Asking& operator[](std::uint32_t asking) { return askings_[asking]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(askings_.size()); }
  std::uint32_t arrived() const { return asked_; }  ///< and have asked

 private:
  void remove(const Due& due);

  std::vector<Asking> askings_;
  Schedule schedule_;
  std::int64_t start_us_ = 0;
  std::uint32_t next_arrival_ = 0;
  std::int64_t next_arrival_us_ = 0;
  std::uint32_t asked_ = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> retries_;
  std::vector<Due> passed_over_;
};

}  // namespace firstcome::rush
