#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"

namespace firstcome {

/// Where threads meet: many put, one takes everything at once.
///
///   Threads   any thread may put; one thread takes.
///   Bounds    holds `limit` messages; beyond, put() returns false and the message stays with the caller.
///   Order     messages of one thread are taken in the order in which it put them.
template <class Message>
class Mailbox {
 public:
  explicit Mailbox(std::size_t limit) : limit_(limit) {}

  /// False when full or closed.
  [[nodiscard]] bool put(Message&& message) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || messages_.size() >= limit_) return false;
      messages_.push_back(std::move(message));
      if (messages_.size() > 1) return true;  // the taker has been woken already
    }
    ready_.notify_one();
    return true;
  }

  /// Blocks until there is a message, the mailbox is closed and empty (false), or `wait` is over (true, nothing taken).
  /// `into` must be empty; its storage is reused for the next messages.
  bool take(std::vector<Message>& into, std::optional<Millis> wait = {}) {
    MUST(into.empty(), "the messages taken before were not dealt with");
    std::unique_lock lock(mutex_);
    const auto woken = [this] { return closed_ || prodded_ || !messages_.empty(); };
    if (wait) {
      ready_.wait_for(lock, *wait, woken);
    } else {
      ready_.wait(lock, woken);
    }
    if (!messages_.empty()) {
      // Whoever puts one message is mostly about to put more. Where it shares our core it goes on first, and they
      // travel together: of 512 clients on one core a commit takes 250 tickets instead of 80, and a win an eighth less
      // CPU.
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
    prodded_ = false;
    into.swap(messages_);
    return !closed_ || !into.empty();
  }

  /// Makes take() return early, with or without messages.
  void prod() {
    {
      std::lock_guard lock(mutex_);
      prodded_ = true;
    }
    ready_.notify_one();
  }

  /// Refuses new messages; what is inside can still be taken.
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t depth() const {
    std::lock_guard lock(mutex_);
    return messages_.size();
  }
  std::size_t limit() const { return limit_; }

 private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Message> messages_;
  bool closed_ = false;
  bool prodded_ = false;
};

}  // namespace firstcome
