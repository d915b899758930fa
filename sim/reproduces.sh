#!/usr/bin/env bash
# reproduces.sh PROGRAM FIRST LAST [OPTION...]: runs each seed twice, in two processes, and compares what they print. With
# options that break a promise, one of the runs must say so.
set -euo pipefail
program=$1 first=$2 last=$3
shift 3
broken=0
for ((seed = first; seed <= last; seed++)); do
  one=$("$program" --seed "$seed" --trace "$@") || broken=$((broken + 1))
  two=$("$program" --seed "$seed" --trace "$@") || true
  if [ "$one" != "$two" ]; then
    echo "seed $seed is not reproduced:"
    diff <(printf '%s\n' "$one") <(printf '%s\n' "$two") | head -n 20
    exit 1
  fi
  [ "$(printf '%s\n' "$one" | wc -l)" -gt 100 ] || { echo "seed $seed has no trace"; exit 1; }
done
if [ $# -gt 0 ] && [ $broken -eq 0 ]; then
  echo "no seed from $first to $last breaks a promise with $*"
  exit 1
fi
echo "seeds $first to $last: the same trace twice, $broken with a broken promise"
