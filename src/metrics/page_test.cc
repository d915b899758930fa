// A page says what was counted, in the form that Prometheus reads.
#include "metrics/page.h"

#include <gtest/gtest.h>

#include <limits>

namespace firstcome::metrics {
namespace {

TEST(Page, is_prometheus_text) {
  Page page;
  page.counter("firstcome_claims_total", "Claims by answer.", 3, {{"answer", "won"}});
  page.gauge("firstcome_waiting_claims", "Claims that wait.", 1);
  page.counter("firstcome_claims_total", "Claims by answer.", 4, {{"answer", "sold_out"}});
  page.histogram("firstcome_batch_entries", "Entries of a commit.",
                 {{1, 2}, {std::numeric_limits<double>::infinity(), 3}}, 40);
  const std::string text = page.text();
  EXPECT_NE(text.find("# TYPE firstcome_claims_total counter\n"), std::string::npos);
  EXPECT_NE(text.find("firstcome_claims_total{answer=\"won\"} 3\nfirstcome_claims_total{answer=\"sold_out\"} 4\n"),
            std::string::npos)
      << "together, as promtool wants it";
  EXPECT_EQ(text.find("# TYPE firstcome_claims_total", text.find("# TYPE firstcome_claims_total") + 1),
            std::string::npos);
  EXPECT_NE(text.find("firstcome_batch_entries_bucket{le=\"+Inf\"} 5\n"), std::string::npos);
  EXPECT_NE(text.find("firstcome_batch_entries_count 5\n"), std::string::npos);
}

}  // namespace
}  // namespace firstcome::metrics
