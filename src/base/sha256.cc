#include "base/sha256.h"

#include <openssl/evp.h>

#include "base/assert.h"

namespace firstcome {

struct Sha256::Context {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* work = EVP_MD_CTX_new();

  Context() { MUST(algorithm && work && EVP_DigestInit_ex(work, algorithm, nullptr) == 1, "OpenSSL has SHA-256"); }
  ~Context() {
    EVP_MD_CTX_free(work);
    EVP_MD_free(algorithm);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;

Sha256Sum Sha256::operator()(std::span<const std::uint8_t> bytes) {
  Sha256Sum sum;
  const bool done = EVP_DigestInit_ex(context_->work, nullptr, nullptr) == 1 &&
                    EVP_DigestUpdate(context_->work, bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context_->work, sum.data(), nullptr) == 1;
  MUST(done, "hashing memory cannot fail");
  return sum;
}

}  // namespace firstcome
