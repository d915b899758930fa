#!/usr/bin/env bash
# install.sh PACKAGE...: installs Debian packages as root, and leaves no service running or enabled behind.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive

# While a package is installed, Debian asks policy-rc.d whether its service may start; 101 means no.
forbid_services() {
  saved=
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    saved=$(mktemp -u "$policy.firstcome.XXXXXX")
    mv "$policy" "$saved"
  fi
  trap allow_services EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

allow_services() {
  rm -f "$policy"
  if [ -n "$saved" ]; then mv "$saved" "$policy"; fi
}

apt_install() {
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

installed_packages() { dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' | sed -n 's/^installed //p' | sort; }

# The services that came along, by these packages or by what they depend on, must not start at the next boot either.
disable_services() {
  [ $# -gt 0 ] || return 0
  local unit
  for unit in $(dpkg -L "$@" | sed -n 's,^\(/usr\)\?/lib/systemd/system/\([^/@]*\.\(service\|timer\|socket\)\)$,\2,p' | sort -u); do
    if command -v systemctl >/dev/null; then systemctl disable -q "$unit" || true; fi
  done
  for unit in $(dpkg -L "$@" | sed -n 's,^/etc/init\.d/,,p' | sort -u); do
    if command -v update-rc.d >/dev/null; then update-rc.d "$unit" disable || true; fi
  done
}

before=$(installed_packages)
forbid_services
# Package lists that are absent, or too old to find the files, are fetched once.
apt_install "$@" || { apt-get update -q && apt_install "$@"; }
mapfile -t came < <(comm -13 <(printf '%s\n' "$before") <(installed_packages))
disable_services "${came[@]}"
