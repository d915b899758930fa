# ./x check: style as a test. One file a check in tools/check/; each prints one line, or each place and its mend.

# need_schema_checker: check-jsonschema, which knows what a compose file may say, from PyPI.
need_schema_checker() {
  local venv=$root/build/check/schema
  "$venv/bin/check-jsonschema" --version >"$logs/schema-checker.log" 2>&1 && return
  rm -rf "$venv"
  step schema-checker "fetching check-jsonschema" "look at what pip says" \
    bash -c 'python3 -m venv "$1" && "$1/bin/pip" install -q check-jsonschema==0.39.0' - "$venv"
}

run_check() {
  takes_nothing check "$@"
  need_packages build test
  build release firstcome
  need_schema_checker
  local check failed=()
  for check in format tidy folders links decisions cli_docs deploy; do
    python3 "$root/tools/check/$check.py" || failed+=("$check")
  done
  [ ${#failed[@]} -eq 0 ] || stop "these checks failed: ${failed[*]}"
  say "all checks passed"
}
