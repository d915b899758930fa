#include "app/issuer_thread.h"

#include <algorithm>

namespace firstcome {

IssuerThread::IssuerThread(Issuer& issuer, Store& store) : issuer_(issuer), store_(store), thread_([this] { run(); }) {}

IssuerThread::~IssuerThread() { stop(); }

void IssuerThread::stop() {
  asked_.close();
  if (thread_.joinable()) thread_.join();
}

void IssuerThread::run() {
  std::vector<Work> works;
  for (;;) {
    const Uptime next = issuer_.step();
    const Millis wait = std::max(next - clock_.uptime(), Millis(0));
    const bool open = asked_.take(works, wait);
    for (auto& work : works) work(issuer_, store_);
    works.clear();
    if (!open) return;
  }
}

}  // namespace firstcome
