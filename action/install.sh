#!/usr/bin/env bash
# Installs groundcheck: the action's own checkout with its pinned set, or what the input names.
set -euo pipefail
here="${GITHUB_ACTION_PATH:-$(dirname "$0")/..}"
if [ "$INPUT_INSTALL" = action ]; then
  python -m pip install -c "$here/constraints.txt" "$here"
else
  python -m pip install -c "$here/constraints.txt" "$INPUT_INSTALL"
fi
