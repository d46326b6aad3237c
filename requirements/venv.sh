#!/usr/bin/env bash
# Make a virtual environment: requirements/venv.sh DIR [PYTHON]. With uv where it is installed, else with Python's own venv.
set -euo pipefail

dir=$1
fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'

candidates=${2:-python3 python3.13 python3.12 python3.11}
python=
for candidate in $candidates; do
    if command -v "$candidate" >/dev/null && "$candidate" -c "$fits" 2>/dev/null; then
        python=$(command -v "$candidate")
        break
    fi
done
if [ -z "$python" ]; then
    found=$("${candidates%% *}" --version 2>/dev/null || echo "no ${candidates%% *}")
    echo "smearscope: needs Python 3.11, 3.12 or 3.13, and found $found; install one of them (Debian: apt install python3)," \
        "or name it: make PYTHON=/path/to/python3.13" >&2
    exit 1
fi

# On a Pi the camera library comes from apt, built for the system's libcamera, and is seen only with the system's packages.
options=()
if "$python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("picamera2") is None)'; then
    options+=(--system-site-packages)
fi

if command -v uv >/dev/null; then
    uv venv --quiet --allow-existing --python "$python" "${options[@]}" "$dir"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")')
    echo "smearscope: $python cannot make virtual environments; install its venv module" \
        "(Debian, Raspberry Pi OS: sudo apt install python3-venv, or python$version-venv) or uv, then run make again" >&2
    exit 1
else
    "$python" -m venv "${options[@]}" "$dir"
    "$dir/bin/python" -m pip --quiet --disable-pip-version-check uninstall --yes setuptools 2>/dev/null || true   # 3.11 brings an old one
fi
