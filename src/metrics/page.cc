#include "metrics/page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace firstcome::metrics {

struct Page::Families {
  std::vector<prometheus::MetricFamily> all;

  prometheus::ClientMetric& add(std::string_view name, std::string_view help, prometheus::MetricType type,
                                const Labels& labels) {
    auto found = std::ranges::find(all, name, &prometheus::MetricFamily::name);
    if (found == all.end()) found = all.insert(all.end(), {std::string(name), std::string(help), type, {}});
    auto& metric = found->metric.emplace_back();
    for (const auto& [key, value] : labels) metric.label.push_back({key, value});
    return metric;
  }
};

Page::Page() : families_(std::make_unique<Families>()) {}
Page::~Page() = default;

void Page::counter(std::string_view name, std::string_view help, double value, const Labels& labels) {
  families_->add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

void Page::gauge(std::string_view name, std::string_view help, double value, const Labels& labels) {
  families_->add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void Page::summary(std::string_view name, std::string_view help, std::uint64_t count, double sum,
                   const Labels& labels) {
  auto& summary = families_->add(name, help, prometheus::MetricType::Summary, labels).summary;
  summary.sample_count = count;
  summary.sample_sum = sum;
}

void Page::histogram(std::string_view name, std::string_view help, const std::vector<Bucket>& buckets, double sum) {
  auto& histogram = families_->add(name, help, prometheus::MetricType::Histogram, {}).histogram;
  histogram.sample_sum = sum;
  std::uint64_t below = 0;
  for (const auto& bucket : buckets) {
    below += bucket.count;
    histogram.bucket.push_back({below, bucket.upto});
  }
  histogram.sample_count = below;
}

std::string Page::text() const { return prometheus::TextSerializer().Serialize(families_->all); }

}  // namespace firstcome::metrics
