#include "sim/tally.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/assert.h"

namespace firstcome::sim {
namespace {

template <std::size_t Size>
void copy_text(char (&into)[Size], std::string_view text) {
  const std::size_t size = std::min(text.size(), Size - 1);
  text.copy(into, size);
  into[size] = 0;
}

}  // namespace

void Tally::begin() { steps_least = restarts_least = users_least = UINT64_MAX; }

void Tally::add(std::uint64_t seed, const Outcome& outcome) {
  ++seeds;
  for (std::size_t i = 0; i < happenings; ++i) counts[i] += outcome.counts[i];
  ++steps[std::min<std::size_t>(outcome.steps / steps_bucket, steps_buckets - 1)];
  ++restarts[std::min<std::size_t>(outcome.restarts, restarts.size() - 1)];
  ++users[std::min<std::size_t>(outcome.users, users.size() - 1)];
  steps_least = std::min(steps_least, outcome.steps);
  restarts_least = std::min(restarts_least, outcome.restarts);
  users_least = std::min(users_least, outcome.users);
  if (outcome.broken) fail(seed, outcome.broken->check, outcome.broken->what);
}

void Tally::add(const Tally& other) {
  seeds += other.seeds;
  for (std::size_t i = 0; i < happenings; ++i) counts[i] += other.counts[i];
  for (std::size_t i = 0; i < steps.size(); ++i) steps[i] += other.steps[i];
  for (std::size_t i = 0; i < restarts.size(); ++i) restarts[i] += other.restarts[i];
  for (std::size_t i = 0; i < users.size(); ++i) users[i] += other.users[i];
  steps_least = std::min(steps_least, other.steps_least);
  restarts_least = std::min(restarts_least, other.restarts_least);
  users_least = std::min(users_least, other.users_least);
  for (std::uint64_t i = 0; i < other.broken; ++i) {
    if (i >= failures_kept) {
      ++broken;
    } else {
      fail(other.failures[i].seed, other.failures[i].check, other.failures[i].what);
    }
  }
}

void Tally::fail(std::uint64_t seed, std::string_view check, std::string_view what) {
  if (broken < failures_kept) {
    Failure& failure = failures[broken];
    failure.seed = seed;
    copy_text(failure.check, check);
    copy_text(failure.what, what);
  }
  ++broken;
}

std::uint64_t Tally::median_steps() const { return median(steps) * steps_bucket; }

Worker::Worker() {
  void* const memory = mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  MUST(memory != MAP_FAILED, "no memory for the workers' results");
  tally_ = new (memory) Tally();
  tally_->begin();
}

Worker::Worker(Worker&& other) noexcept
    : tally_(std::exchange(other.tally_, nullptr)), pid_(std::exchange(other.pid_, 0)) {}

Worker::~Worker() {
  if (tally_) munmap(tally_, sizeof(Tally));
}

void Worker::start(const std::function<void(Tally&)>& work) {
  std::fflush(nullptr);
  pid_ = fork();
  MUST(pid_ >= 0, "no process for a worker");
  if (pid_ == 0) {
    work(*tally_);
    std::fflush(nullptr);
    _exit(0);
  }
}

void Worker::join() {
  int status = 0;
  MUST(waitpid(pid_, &status, 0) == pid_, "a worker is waited for once");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  tally_->fail(tally_->seed_now, "a bug aborts (MUST, or a sanitizer)", "the process died: its last words are above");
}

}  // namespace firstcome::sim
