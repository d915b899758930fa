#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// One scrape: numbers that others counted, put into Prometheus' text format. Nothing is counted here: counters live
/// with the loops and threads that own them, and are read when somebody asks.
///
///   Names     firstcome_..., base units (seconds, bytes), counters end in _total.
class Page {
 public:
  Page();
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  /// Values of one name stand together on the page, wherever they come from.
  void counter(std::string_view name, std::string_view help, double value, const Labels& labels = {});
  void gauge(std::string_view name, std::string_view help, double value, const Labels& labels = {});

  /// A count and a sum (for averages over a window).
  void summary(std::string_view name, std::string_view help, std::uint64_t count, double sum,
               const Labels& labels = {});

  struct Bucket {
    double upto = 0;          ///< rising; the last one may be infinity
    std::uint64_t count = 0;  ///< not cumulative
  };
  void histogram(std::string_view name, std::string_view help, const std::vector<Bucket>& buckets, double sum);

  std::string text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace firstcome::metrics
