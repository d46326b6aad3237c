#!/bin/bash
# Collect every Python package the device needs as wheels, so that it can be installed without a network.
#
# usage: systemd/wheels.sh DIR [PYTHON [MACHINE]]     e.g. systemd/wheels.sh wheels 3.13 aarch64
#   PYTHON   version on the device (default: this machine's); 3.11 on Raspberry Pi OS 12, 3.13 on 13
#   MACHINE  aarch64 or x86_64 (default: this machine's)
set -euo pipefail
project=$(dirname "$(dirname "$(realpath "$0")")")
out=${1:?usage: systemd/wheels.sh DIR [PYTHON [MACHINE]]}
python=${2:-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
machine=${3:-$(uname -m)}
mkdir -p "$out"
out=$(realpath "$out")
pip=(python3 -m pip --disable-pip-version-check)

# Each platform is named because pip does not take a newer one to include the older (manylinux_2_28: Debian 12's glibc is 2.36).
platforms=()
for glibc in manylinux_2_28 manylinux_2_27 manylinux_2_26 manylinux_2_17 manylinux2014; do
  platforms+=(--platform "${glibc}_${machine}")
done
sets=(build device screen sign web)
fetched=$(cd "$project/requirements" && cat "${sets[@]/%/.txt}" | sha256sum; echo "$python $machine")
if [ "$fetched" != "$(cat "$out/.fetched" 2>/dev/null)" ]; then
  for set in "${sets[@]}"; do
    "${pip[@]}" download --quiet --dest "$out" --no-deps --require-hashes --requirement "$project/requirements/$set.txt" \
      --python-version "$python" "${platforms[@]}" --only-binary :all:
  done
  echo "$fetched" > "$out/.fetched"
fi

# From a copy: a build in the work tree would leave its folders there, and take up old ones.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git -C "$project" ls-files -z --cached --others --exclude-standard | (cd "$project"; xargs -0 ls -d 2>/dev/null || true) |
  tar -C "$project" --exclude=tests --exclude=docs -cf - -T - | tar -C "$copy" -xf -
rm -f "$out"/smearscope-*.whl
# The pinned build backend is among the wheels, so the build needs no network either.
"${pip[@]}" wheel --quiet --no-deps --no-index --find-links "$out" --wheel-dir "$out" "$copy"
