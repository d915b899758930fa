#include <cstdio>
#include <exception>

#include "cli/command.h"

int main(int argc, char** argv) {
  try {
    return firstcome::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "firstcome: bug: %s\n", error.what());
    return firstcome::cli::exit_failed;
  }
}
