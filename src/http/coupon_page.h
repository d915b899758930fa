#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "http/response.h"
#include "store/store.h"

namespace firstcome::http {

enum class CouponForm : std::uint8_t { json, lines, csv };

/// A page of coupons. `rows` may hold one more than `limit`: then there is a next page, which begins behind the last
/// rank shown (member `next`, and field Next-After where the form has no room for it).
Response coupon_page(const std::vector<CouponRow>& rows, std::size_t limit, CouponForm form);

Response parked_page(const std::vector<ParkedEntry>& parked);

}  // namespace firstcome::http
