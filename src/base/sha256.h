#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

namespace firstcome {

using Sha256Sum = std::array<std::uint8_t, 32>;

/// SHA-256 by OpenSSL, with the context and the algorithm looked up once: the one-shot call looks them up each time,
/// which costs more than hashing one entry.
///
///   Threads   one at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256Sum operator()(std::span<const std::uint8_t> bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace firstcome
