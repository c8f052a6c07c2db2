#!/usr/bin/env bash
# Runs the gate as a pipeline's step. Inputs come as INPUT_… variables, never as text of a command; the
# summary goes to the job's page, the exit code is the gate's.
set -uo pipefail
export OMP_WAIT_POLICY=PASSIVE  # spinning threads cost many times over on a runner's shared cores
output="${INPUT_OUTPUT:-groundcheck-report}"
mkdir -p "$output" || exit 2

options=()
add() { if [ -n "$2" ]; then options+=("$1" "$2"); fi; }
add --profile "${INPUT_PROFILE:-}"
add --require "${INPUT_REQUIRE:-}"
add --baseline "${INPUT_BASELINE:-}"
add --max-regression "${INPUT_MAX_REGRESSION:-}"
add --config "${INPUT_CONFIG:-}"
add --data-root "${INPUT_DATA_ROOT:-}"
read -r -a solvers <<< "${INPUT_SOLVERS:-}"

python -m groundcheck.grounding gate "${options[@]+"${options[@]}"}" \
  --junit "$output/junit.xml" --markdown "$output/summary.md" --json "$output/gate.json" \
  --runs "$output/runs" -- "${solvers[@]+"${solvers[@]}"}"
code=$?

if [ -s "$output/summary.md" ]; then
  cat "$output/summary.md" >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
fi
{
  echo "exit-code=$code"
  echo "report=$output"
} >> "${GITHUB_OUTPUT:-/dev/null}"
exit "$code"
