#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/code.h"
#include "rush/told.h"
#include "rush/users.h"

namespace firstcome::rush {

/// The promises that clients can see: one each, the same body for ever, no rank and no code twice, no rank beyond the
/// quota, final is final. `firstcome verify` checks all of them, and the order, from the histories; this tells while
/// the rush still runs.
///
///   Bounds   24 bytes a user, about 100 a winner; the first `sentences_max` breaks are kept as sentences, all are
///   counted.
class Promises {
 public:
  static constexpr std::size_t sentences_max = 20;

  Promises(std::string campaign, Users users);

  void won(std::uint32_t user, const Said& said, std::string_view body);
  void sold_out(std::uint32_t user, std::uint32_t quota);
  void closed(std::uint32_t user);

  /// Asked of the server after the last answer, since a quota may have been raised meanwhile.
  void quota_is(std::uint32_t quota);

  std::uint64_t broken() const { return broken_; }
  const std::vector<std::string>& sentences() const { return sentences_; }
  std::uint32_t winners() const { return static_cast<std::uint32_t>(ranks_.size()); }
  std::uint32_t rank_max() const { return rank_max_; }

 private:
  struct Known {
    std::uint64_t body = 0;  // a hash of it
    std::uint32_t rank = 0;
    std::uint32_t sold_out_quota = 0;  // the largest
    bool closed = false;
  };
  struct HashOfCode {
    std::size_t operator()(const Code& code) const {  // random bits need no mixing
      std::size_t bits = 0;
      std::memcpy(&bits, code.data(), sizeof bits);
      return bits;
    }
  };

  void broke(std::string sentence);
  void check_final(std::uint32_t user);

  const std::string campaign_;
  const Users users_;
  std::vector<Known> known_;
  std::unordered_map<std::uint32_t, std::uint32_t> ranks_;  // whose it is
  std::unordered_map<Code, std::uint32_t, HashOfCode> codes_;
  std::uint32_t rank_max_ = 0;
  std::uint64_t broken_ = 0;
  std::vector<std::string> sentences_;
};

}  // namespace firstcome::rush
