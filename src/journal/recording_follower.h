#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "journal/journal.h"

namespace firstcome {

/// A follower for tests: keeps everything that it was told.
///
///   Threads   the journal writes, the test reads.
class RecordingFollower final : public Follower {
 public:
  explicit RecordingFollower(std::chrono::milliseconds wait_max = std::chrono::seconds(10)) : wait_max_(wait_max) {}

  void shown(std::span<const Shown> entries) override;
  void append_failed(std::span<const AppendTag> appends, const Fault& fault) override;
  void heard(Time journal_now) override;

  std::vector<Shown> entries() const;
  std::size_t count() const;  ///< of entries
  std::vector<AppendTag> failed() const;
  std::vector<Fault> faults() const;
  std::vector<std::thread::id> threads() const;  ///< of every call of shown()
  Time heard_at() const;
  std::size_t heard_count() const;

  /// Blocks until `condition`, which reads what it likes, or for `wait_max` (false).
  bool wait_until(const std::function<bool()>& condition) const;
  bool wait_for_entries(std::size_t count) const;

  /// From now on shown() does not return before let_go().
  void hold();
  void let_go();
  bool is_holding() const;  ///< shown() has been called and waits

 private:
  const std::chrono::milliseconds wait_max_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Shown> entries_;
  std::vector<AppendTag> failed_;
  std::vector<Fault> faults_;
  std::vector<std::thread::id> threads_;
  Time heard_at_;
  std::size_t heard_count_ = 0;
  bool hold_ = false;
  bool holding_ = false;
};

}  // namespace firstcome
