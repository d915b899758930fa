# ./x build: the program, at build/release/firstcome.

run_build() {
  takes_nothing build "$@"
  need_packages build
  build_program
  say "the program is at build/release/firstcome"
}
