#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "kafka/kafka_access.h"

namespace firstcome::kafka {

using Config = std::map<std::string, std::string, std::less<>>;

/// A topic as the brokers describe it.
struct Topic {
  std::uint32_t partitions = 0;
  std::uint32_t replication = 0;  ///< of its partition with the fewest replicas
  Config config;
};

class Admin {
 public:
  static Result<Admin> open(const Access& access);
  ~Admin();
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;

  Result<bool> has(const std::string& topic, Millis longest);

  /// None: there is no such topic.
  Result<std::optional<Topic>> describe(const std::string& topic, Millis longest);

  Result<std::uint32_t> brokers(Millis longest);

  /// The settings of each broker, by its id. One that only we do not reach is left out, and waited for for a second at
  /// most beside one that answers.
  Result<std::map<std::string, Config>> broker_configs(Millis longest);

  /// misconfigured: it is there already, or the brokers do not let us.
  Result<void> create(const std::string& topic, std::uint32_t partitions, std::uint32_t replication,
                      const Config& config, Millis longest);

 private:
  struct Parts;
  explicit Admin(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firstcome::kafka
