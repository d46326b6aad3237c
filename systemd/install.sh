#!/bin/bash
# Install Smearscope as a service on a Raspberry Pi or any Debian with systemd. Run it again to upgrade or repair.
#
# usage: systemd/install.sh [--wheels DIR] [--no-start]
#   --wheels DIR  take every Python package from DIR (made by systemd/wheels.sh); no network is used
#   --no-start    enable the service, but leave starting it to the next boot
set -euo pipefail
umask 022 # root's own may keep the service's user out of what is installed
here=$(dirname "$(realpath "$0")")
wheels='' start=yes
while [ $# -gt 0 ]; do
  case $1 in
    --wheels) wheels=${2:?--wheels needs a folder}; shift 2 ;;
    --no-start) start=no; shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "install: unknown option $1; see systemd/install.sh --help" >&2; exit 2 ;;
  esac
done
[ "$(id -u)" = 0 ] || { echo "install: must be root; run: sudo $0" >&2; exit 1; }
if [ -e /var/lib/dpkg/info/smearscope.list ] && [ -e /usr/lib/systemd/system/smearscope.service ]; then
  echo "install: the Debian package smearscope is installed; upgrade that, or first run: apt remove smearscope" >&2
  exit 1
fi

source=$(dirname "$here")
if [ -n "$wheels" ]; then
  source=$(find "$wheels" -maxdepth 1 -name 'smearscope-*.whl' | sort -V | tail -n 1)
  [ -n "$source" ] || { echo "install: no smearscope-*.whl in $wheels; make it with systemd/wheels.sh" >&2; exit 1; }
fi
bash "$here/make-venv.sh" "$source" "$here/../requirements" "$wheels"
mkdir -p /usr/local/bin
ln -sfn /opt/smearscope/current/bin/smearscope /usr/local/bin/smearscope

install -D -m 644 "$here/smearscope.sysusers" /etc/sysusers.d/smearscope.conf
install -D -m 644 "$here/smearscope.tmpfiles" /etc/tmpfiles.d/smearscope.conf
install -D -m 644 "$here/70-smearscope.rules" /etc/udev/rules.d/70-smearscope.rules
install -D -m 644 -t /etc/polkit-1/rules.d "$here/50-smearscope-power.rules"
install -D -m 644 -t /etc/systemd/system "$here"/smearscope.service "$here"/smearscope-fault.service "$here"/smearscope-retry.timer \
  "$here"/smearscope-web.service
bash "$here/activate.sh" /etc "$start"

python3 -c 'import picamera2' 2>/dev/null ||
  echo "note: no picamera2, so no CSI camera; on Raspberry Pi OS run: apt install python3-picamera2"
echo "installed: $(/usr/local/bin/smearscope --version). Settings: /etc/smearscope/config.toml. Records: /var/lib/smearscope."
