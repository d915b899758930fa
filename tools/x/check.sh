# ./x check: style as a test. One file a check in tools/check/; each prints one line, or each place and its mend.

run_check() {
  takes_nothing check "$@"
  need_packages build test
  build release firstcome
  local check failed=()
  for check in format tidy folders links decisions cli_docs deploy; do
    python3 "$root/tools/check/$check.py" || failed+=("$check")
  done
  [ ${#failed[@]} -eq 0 ] || stop "these checks failed: ${failed[*]}"
  say "all checks passed"
}
