#!/usr/bin/env bash
# Install pins and then the project itself: requirements/install.sh VENV PINS... Every file is checked against its hash; the
# project adds no package of its own, and is built by the pinned backend.
set -euo pipefail

python=$1/bin/python
shift

if "$python" -m pip --version >/dev/null 2>&1; then
    # Not compiled: Python does it at the first import, and only for what is imported.
    install=("$python" -m pip --disable-pip-version-check install --no-compile)
else
    install=(uv pip install --python "$python")   # uv makes environments without pip
fi
echo "installing $*; the first time takes some minutes"
"${install[@]}" --require-hashes "${@/#/--requirement=}"
"${install[@]}" --quiet --no-deps --no-build-isolation --editable .
