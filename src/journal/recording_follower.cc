#include "journal/recording_follower.h"

namespace firstcome {

void RecordingFollower::shown(std::span<const Shown> entries) {
  std::unique_lock lock(mutex_);
  holding_ = hold_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !hold_; });
  holding_ = false;
  entries_.insert(entries_.end(), entries.begin(), entries.end());
  threads_.push_back(std::this_thread::get_id());
  changed_.notify_all();
}

void RecordingFollower::append_failed(std::span<const AppendTag> appends, const Fault& fault) {
  const std::lock_guard lock(mutex_);
  failed_.insert(failed_.end(), appends.begin(), appends.end());
  faults_.push_back(fault);
  changed_.notify_all();
}

void RecordingFollower::heard(Time journal_now) {
  const std::lock_guard lock(mutex_);
  heard_at_ = journal_now;
  ++heard_count_;
  changed_.notify_all();
}

std::vector<Shown> RecordingFollower::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}
std::size_t RecordingFollower::count() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}
std::vector<AppendTag> RecordingFollower::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}
std::vector<Fault> RecordingFollower::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}
std::vector<std::thread::id> RecordingFollower::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_;
}
Time RecordingFollower::heard_at() const {
  const std::lock_guard lock(mutex_);
  return heard_at_;
}
std::size_t RecordingFollower::heard_count() const {
  const std::lock_guard lock(mutex_);
  return heard_count_;
}

bool RecordingFollower::wait_until(const std::function<bool()>& condition) const {
  const auto deadline = std::chrono::steady_clock::now() + wait_max_;
  while (!condition()) {
    std::unique_lock lock(mutex_);
    // Short, since the condition may be about something that does not notify us.
    changed_.wait_for(lock, std::chrono::milliseconds(2));
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

bool RecordingFollower::wait_for_entries(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, wait_max_, [&] { return entries_.size() >= count; });
}

void RecordingFollower::hold() {
  const std::lock_guard lock(mutex_);
  hold_ = true;
}
void RecordingFollower::let_go() {
  const std::lock_guard lock(mutex_);
  hold_ = false;
  changed_.notify_all();
}
bool RecordingFollower::is_holding() const {
  const std::lock_guard lock(mutex_);
  return holding_;
}

}  // namespace firstcome
