#!/usr/bin/env bash
# reproduces.sh PROGRAM FIRST LAST [OPTION...]: runs each seed twice, in two processes, and compares what they print. With
# options that break a promise, one of the runs must say so.
set -euo pipefail
program=$1 first=$2 last=$3
shift 3
broken=0
for ((seed = first; seed <= last; seed++)); do
  code=0 again=0
  one=$("$program" --seed "$seed" --trace "$@") || code=$?
  two=$("$program" --seed "$seed" --trace "$@") || again=$?
  [ "$code" -eq "$again" ] || { echo "seed $seed ends with $code, and then with $again"; exit 1; }
  [ "$code" -eq 0 ] || broken=$((broken + 1))
  if [ "$one" != "$two" ]; then
    echo "seed $seed is not reproduced:"
    diff <(printf '%s\n' "$one") <(printf '%s\n' "$two") | head -n 20
    exit 1
  fi
  [ "$(printf '%s\n' "$one" | wc -l)" -gt 100 ] || { echo "seed $seed has no trace"; exit 1; }
done
if [ $# -eq 0 ] && [ $broken -gt 0 ]; then
  echo "$broken of the seeds $first to $last break a promise, or do not end well"
  exit 1
fi
if [ $# -gt 0 ] && [ $broken -eq 0 ]; then
  echo "no seed from $first to $last breaks a promise with $*"
  exit 1
fi
echo "seeds $first to $last: the same trace twice, $broken with a broken promise"
