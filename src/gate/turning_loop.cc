#include "gate/turning_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace firstcome {

struct TurningLoop::Impl {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> stays{io.get_executor()};
};

TurningLoop::TurningLoop() : impl_(std::make_unique<Impl>()) {}
TurningLoop::~TurningLoop() = default;

boost::asio::io_context& TurningLoop::io() { return impl_->io; }

bool TurningLoop::turn_until(const std::function<bool()>& is_so, Millis most) {
  using Steady = std::chrono::steady_clock;
  const auto deadline = Steady::now() + most;
  auto next_tick = Steady::now();
  for (;;) {
    if (is_so()) return true;
    const auto now = Steady::now();
    if (now >= deadline) return false;
    if (now >= next_tick) {
      for (const auto& [whose, tick] : ticks_) tick();
      next_tick = now + Millis(10);
    }
    impl_->io.run_one_until(std::min(deadline, next_tick));
    impl_->io.poll();
  }
}

}  // namespace firstcome
