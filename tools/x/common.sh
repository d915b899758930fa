# What the commands of ./x share: saying, stopping, steps with a log, packages, builds. Sourced by ./x with `root` set.

logs=$root/build/log

# One cache for all clones: what was compiled in another folder from the same text is not compiled again. With precompiled
# headers it wants to be told that nothing depends on the time of day.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros

say() { printf '%s\n' "$*"; }

# stop WHAT IS WRONG AND WHAT TO DO
stop() {
  printf '\n./x: %s\n' "$*" >&2
  exit 1
}

stop_with_usage() {
  printf '\n./x: %s\n' "$*" >&2
  exit 2
}

# takes_nothing COMMAND ARGS...: for commands without options.
takes_nothing() {
  local command=$1
  shift
  [ $# -eq 0 ] || stop_with_usage "$command takes no options, but got '$1' (./x lists the commands)"
}

# number_option COMMAND OPTION DEFAULT ARGS...: prints the number given with OPTION, the only option of COMMAND.
number_option() {
  local command=$1 option=$2 number=$3
  shift 3
  while [ $# -gt 0 ]; do
    case "$1" in
      "$option") number=${2:-} && shift $(($# > 1 ? 2 : 1)) ;;
      "$option"=*) number=${1#*=} && shift ;;
      *) stop_with_usage "$command knows $option only, but got '$1'" ;;
    esac
    [[ $number =~ ^[1-9][0-9]{0,8}$ ]] || stop_with_usage "$command $option takes a number from 1 on, but got '$number'"
  done
  printf '%s' "$number"
}

# step NAME SENTENCE HINT COMMAND...: runs COMMAND quietly; its output goes to build/log/NAME.log, whose end is shown if it fails.
step() {
  local name=$1 sentence=$2 hint=$3 log=$logs/$1.log began=$SECONDS
  shift 3
  mkdir -p "$logs"
  printf '%s ... ' "$sentence"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf '%d s\n' $((SECONDS - began))
  else
    printf 'failed\n\n'
    tail -n 30 "$log"
    stop "$sentence failed: $hint (all of it: build/log/$name.log)"
  fi
}

# missing_packages GROUP...: the packages of these groups that are not installed.
missing_packages() {
  local group wanted=() installed
  for group in "$@"; do
    mapfile -t -O "${#wanted[@]}" wanted < <(awk -v group="$group" '$1 == group { print $2 }' "$root/tools/packages.txt")
  done
  [ ${#wanted[@]} -gt 0 ] || return 0
  # It fails when one of them is unknown to it, and lists the others all the same.
  installed=$({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true; } | sed -n 's/^installed //p')
  printf '%s\n' "${wanted[@]}" | sort -u | grep -vxF -e "${installed:-none}" || true  # none is missing
}

# need_packages GROUP...: installs what is missing, as root or by sudo.
need_packages() {
  command -v dpkg-query >/dev/null ||
    stop "this is no Debian: install what tools/packages.txt lists by hand, and use cmake --preset release"
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      stop "packages are missing, and this is neither root nor is sudo there: as root, apt-get install ${missing[*]}"
    as_root=(sudo)
    sudo -v || stop "packages are missing and sudo refused: as root, apt-get install ${missing[*]}"
  fi
  step packages "installing ${#missing[@]} packages ($*)" "look at what apt-get says" \
    "${as_root[@]}" bash "$root/tools/x/install.sh" "${missing[@]}"
}

# lock_builds: one ./x at a time builds here; the lock ends with this process.
lock_builds() {
  mkdir -p "$root/build"
  exec {build_lock}>"$root/build/.lock"
  if ! flock -n "$build_lock"; then
    say "another ./x is building in this folder; waiting for it"
    flock "$build_lock"
  fi
}

unlock_builds() { exec {build_lock}>&-; }

# configure PRESET [CMAKE OPTION...]
configure() {
  local preset=$1 folder=$root/build/$1
  shift
  # A build folder that came along with a moved or copied checkout belongs to another source folder, and CMake refuses it.
  if [ -f "$folder/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$folder/CMakeCache.txt"; then
    say "build/$preset was made for another folder; making it anew"
    rm -rf "$folder"
  fi
  cmake --preset "$preset" "$@" || cmake --fresh --preset "$preset" "$@"
}

# compile PRESET TARGET...
compile() {
  local preset=$1
  shift
  ninja -C "$root/build/$preset" "$@"
}

# build PRESET TARGET...: with the tests configured, for which the packages of the group test must be there.
build() {
  local preset=$1
  shift
  local options=-DFIRSTCOME_TESTS=ON
  if [ "$preset" = asan ]; then options+=" -DFIRSTCOME_FUZZ_SECONDS=${fuzz_seconds:-60}"; fi
  build_with "$preset" "$options" "$@"
}

# build_release TARGET...: needs the packages of the group build only; a build folder that has the tests keeps them.
build_release() {
  local tests=ON
  [ -f "$root/build/release/CMakeCache.txt" ] || tests=OFF
  grep -qxF 'FIRSTCOME_TESTS:BOOL=OFF' "$root/build/release/CMakeCache.txt" 2>/dev/null && tests=OFF
  build_with release "-DFIRSTCOME_TESTS=$tests" "$@"
}

# build_with PRESET CMAKE-OPTIONS TARGET...
build_with() {
  local preset=$1 options
  read -ra options <<<"$2"
  shift 2
  lock_builds
  step "configure-$preset" "configuring build/$preset" "a package is missing or a CMakeLists.txt is wrong" \
    configure "$preset" "${options[@]}"
  step "build-$preset" "building build/$preset ($*)" "mend what the compiler says" compile "$preset" "$@"
  unlock_builds
}

# build_program: build/release/firstcome.
build_program() {
  build_release firstcome
  [ -x "$root/build/release/firstcome" ] || stop "the build made no build/release/firstcome: look at src/cli/CMakeLists.txt"
}
