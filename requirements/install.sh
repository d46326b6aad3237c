#!/usr/bin/env bash
# Install one set of pins and the project itself: requirements/install.sh VENV PINS. Every file is checked against its hash;
# the project then adds no package of its own, and is built by the pinned backend.
set -euo pipefail

python=$1/bin/python
pins=$2

if "$python" -m pip --version >/dev/null 2>&1; then
    install=("$python" -m pip --disable-pip-version-check install)
else
    install=(uv pip install --python "$python")   # uv makes environments without pip
fi
echo "installing $pins; the first time takes some minutes"
"${install[@]}" --require-hashes --requirement "$pins"
"${install[@]}" --quiet --no-deps --no-build-isolation --editable .
