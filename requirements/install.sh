#!/usr/bin/env bash
# Install one set of pins and the project itself: requirements/install.sh VENV PINS. Every file is checked against its hash;
# the project then adds no package of its own, and is built by the pinned backend.
set -euo pipefail

python=$1/bin/python
pins=$2

if "$python" -m pip --version >/dev/null 2>&1; then
    install=("$python" -m pip --disable-pip-version-check install)
    echo "installing $pins (pip shows each package; the first time takes some minutes)"
    "${install[@]}" --require-hashes --requirement "$pins" --progress-bar on | grep -v '^Requirement already satisfied' || [ "${PIPESTATUS[0]}" -eq 0 ]
else
    install=(uv pip install --python "$python")
    echo "installing $pins"
    "${install[@]}" --require-hashes --requirement "$pins"
fi
"${install[@]}" --quiet --no-deps --no-build-isolation --editable .
