#!/bin/bash
# Put Smearscope into a fresh virtual environment and switch to it in one rename; a failure leaves the old one in use.
#
# usage: make-venv.sh SOURCE PINS [WHEELS]     SOURCE: a smearscope wheel or the project's folder
#                                              PINS: the project's folder requirements/
#                                              WHEELS: a folder of wheels; the network is then not used
set -euo pipefail
umask 022 # root's own may keep the service's user out of what is installed
prefix=/opt/smearscope
source=$(realpath "$1")
pins=$(realpath "$2")
offline=()
if [ -n "${3:-}" ]; then
  offline=(--no-index --find-links "$(realpath "$3")")
fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "install: Smearscope needs Python 3.11 or newer; use Raspberry Pi OS 12 (bookworm) or later" >&2
  exit 1
}
python3 -c 'import ensurepip, venv' 2>/dev/null || {
  echo "install: python3-venv is missing; run: apt install python3-venv" >&2
  exit 1
}

mkdir -p "$prefix"
new=$(mktemp -d "$prefix/venv-XXXXXX")
trap 'rm -rf "$new"' EXIT
chmod 755 "$new"
# System packages stay visible because picamera2 and libcamera come from apt alone.
python3 -m venv --system-site-packages "$new"
install=("$new/bin/python" -m pip --disable-pip-version-check install --quiet --no-cache-dir "${offline[@]}")
# Compiled now, since the service may not write here: otherwise every start would compile everything again.
for set in build device screen sign web; do
  "${install[@]}" --require-hashes --requirement "$pins/$set.txt"
done
"${install[@]}" --no-deps --no-build-isolation "$source"
"$new/bin/smearscope" --version >/dev/null

ln -s "$(basename "$new")" "$new.link"
mv -T "$new.link" "$prefix/current"
trap - EXIT
for old in "$prefix"/venv-*; do
  [ "$old" = "$new" ] || rm -rf "$old"
done
