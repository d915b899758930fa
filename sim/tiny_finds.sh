#!/usr/bin/env bash
# tiny_finds.sh PROGRAM MUTANT...: the enumeration of the tiny world with one fault finds each of these, and tells how.
set -euo pipefail
program=$1
shift
survived=0
for mutant in "$@"; do
  code=0
  said=$("$program" --tiny --faults 1 --mutant "$mutant") || code=$?
  if [ "$code" -eq 1 ] && grep -A 1 '^BROKEN' <<<"$said" | grep -q '^    '; then
    echo "$mutant: $(grep '^BROKEN' <<<"$said")"
  else
    echo "$mutant SURVIVES, exit $code:"
    echo "$said"
    survived=1
  fi
done
exit $survived
