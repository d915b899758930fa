#include "rush/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "rush/words.h"

namespace firstcome::rush {
namespace {

constexpr double line_every_s = 3;

std::size_t columns_of(std::FILE* out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Attempts per second between this call and the last.
class Speed {
 public:
  double at(const Progress& progress) {
    std::uint64_t attempts = 0;
    for (const auto count : progress.attempts) attempts += count;
    const double seconds = progress.seconds - seconds_;
    const double speed = seconds > 0 ? static_cast<double>(attempts - attempts_) / seconds : 0;
    seconds_ = progress.seconds;
    attempts_ = attempts;
    return speed;
  }

 private:
  double seconds_ = 0;
  std::uint64_t attempts_ = 0;
};

}  // namespace

std::string render_progress(const Progress& progress, double attempts_per_second, std::size_t columns) {
  constexpr std::size_t width = 20;
  const double done = progress.arrivals == 0 ? 1 : static_cast<double>(progress.ended) / progress.arrivals;
  const auto filled = static_cast<std::size_t>(done * width);
  std::string line = fmt::format("[{}{}] {:3.0f} %  {:.0f} s  {} of {} done  {}  {}/s", std::string(filled, '#'),
                                 std::string(width - filled, '.'), done * 100, progress.seconds,
                                 grouped(progress.ended), grouped(progress.arrivals), spoken(progress.attempts),
                                 grouped(static_cast<std::uint64_t>(attempts_per_second)));
  if (progress.broken > 0) line = fmt::format("BROKEN {}  ", progress.broken) + line;
  line.resize(std::min(line.size(), columns));
  return line;
}

OnProgress show_progress(std::FILE* out) {
  const bool terminal = isatty(fileno(out)) != 0;
  return [out, terminal, speed = Speed(), next_line_s = line_every_s](const Progress& progress) mutable {
    if (terminal && progress.over) {
      std::fputs("\r\x1b[K", out);
    } else if (terminal) {
      std::fputs(("\r" + render_progress(progress, speed.at(progress), columns_of(out) - 1) + "\x1b[K").c_str(), out);
    } else if (!progress.over && progress.seconds >= next_line_s) {
      next_line_s = progress.seconds + line_every_s;
      std::fputs((render_progress(progress, speed.at(progress), 200) + "\n").c_str(), out);
    }
    std::fflush(out);
  };
}

}  // namespace firstcome::rush
