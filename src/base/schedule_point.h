#pragma once

/// A place where another thread may come in between. Nothing in the product; the test that enumerates the schedules of
/// a reader and a writer compiles the standings with FIRSTCOME_SCHEDULE_POINTS and takes over at each of them.
namespace firstcome {

#ifdef FIRSTCOME_SCHEDULE_POINTS
void schedule_point();
#else
inline void schedule_point() {}
#endif

}  // namespace firstcome
