# Steps with a clock and a closing table, for scripts that run many checks and report once.
# Sourced by test.sh and fuzz.sh from the module root.
# shellcheck shell=bash

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

step_names=() step_results=() step_seconds=()
failed_steps=0

# step NAME COMMAND...: runs the command, shows what quiet lets through, remembers the result. The whole output
# of a failed step is shown at once, so that nobody has to look for a file.
step() {
  local name=$1 log began status
  shift
  log="$logs/$(printf '%s' "$name" | tr -c 'a-zA-Z0-9\n' '_').log"
  began=$(date +%s)
  printf '\n== %s\n' "$name"
  set +e
  "$@" 2>&1 | tee "$log" | quiet
  status=${PIPESTATUS[0]}
  set -e
  step_names+=("$name")
  step_seconds+=($(($(date +%s) - began)))
  if [ "$status" = 0 ]; then
    step_results+=(ok)
  else
    step_results+=(FAILED)
    failed_steps=$((failed_steps + 1))
    printf -- '-- %s failed (status %s); its output without passed tests:\n' "$name" "$status"
    # The last lines, and before them what stands around each failed test, if it is further up.
    grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME) |--- PASS: |PASS$)' "$log" >"$log.short" || true
    grep -B 20 -A 4 -- '--- FAIL: ' "$log.short" | tail -n 200 | cut -c 1-1000 || true
    printf -- '-- its end:\n'
    tail -n 100 "$log.short" | cut -c 1-1000
  fi
}

# skip NAME REASON: a step this machine cannot run. Under PULSE_REQUIRE=all that is a failure.
skip() {
  printf '\n== %s\nskipped: %s\n' "$1" "$2"
  step_names+=("$1")
  step_seconds+=(0)
  if [ "${PULSE_REQUIRE:-}" = all ]; then
    step_results+=("FAILED (skipped: $2)")
    failed_steps=$((failed_steps + 1))
  else
    step_results+=("skipped: $2")
  fi
}

# quiet passes everything but the chatter of verbose tests: passed tests and what they logged. A skipped test keeps
# its line and its reason, which is what it logged last.
quiet() {
  awk '
    /^ *--- SKIP: /             { print; if (said != "") print said; said = ""; fflush(); next }
    /^=== (PAUSE|CONT|NAME) /   { next }
    /^=== RUN / || /^ *--- PASS: / || /^PASS$/ || /\[no test files\]$/ { said = ""; next }
    /^ +[^ ]+\.go:[0-9]+: /     { said = $0; next }
    said != "" && /^        /   { next }  # the rest of a logged text
                                { said = ""; print; fflush() }
  '
}

# Tests that another step of the same run holds, as a pattern for grep -E. Their skips fail nothing:
#   TestGuest…   need a machine that is emulated; the step "two memory nodes, emulated" runs them and fails if one is skipped there,
#                and "xdp on older kernels, emulated", of a run with full counts, those that need such a kernel
held_elsewhere='^TestGuest[A-Za-z0-9_]*$'

# forbidden_skips lists the skipped tests that no other step holds, each once.
forbidden_skips() {
  cat "$logs"/*.log 2>/dev/null | sed -nE 's/^ *--- SKIP: ([^ ]+).*/\1/p' | grep -vE "$held_elsewhere" | sort -u || true
}

# closing prints the table of steps and the counts over all tests, and returns 1 when anything failed. Under
# PULSE_REQUIRE=all a skipped test that no other step holds is a failure too.
closing() {
  local i passed failures skipped forbidden='' total=0
  printf '\n== summary\n'
  for i in "${!step_names[@]}"; do
    printf '%5ss  %-34s %s\n' "${step_seconds[$i]}" "${step_names[$i]}" "${step_results[$i]}"
    total=$((total + step_seconds[i]))
  done
  passed=$(count '^ *--- PASS: ')
  failures=$(count '^ *--- FAIL: ')
  skipped=$(count '^ *--- SKIP: ')
  [ "${PULSE_REQUIRE:-}" != all ] || forbidden=$(forbidden_skips)
  printf '%5ss  %s steps, %s failed\n' "$total" "${#step_names[@]}" "$failed_steps"
  # A step that failed outside a test (formatting, vet, a build) counts as one failure too.
  [ "$failures" -ge "$failed_steps" ] || failures=$failed_steps
  if [ -n "$forbidden" ]; then
    failures=$((failures + $(printf '%s\n' "$forbidden" | wc -l)))
    printf 'skipped where nothing may be (PULSE_REQUIRE=all):\n%s\n' "$forbidden"
  fi
  printf '%s passed, %s failed, %s skipped\n' "$passed" "$failures" "$skipped"
  [ "$failed_steps" = 0 ] && [ -z "$forbidden" ]
}

count() { cat "$logs"/*.log 2>/dev/null | grep -cE "$1" || true; }

# fuzz DIR TARGET: one fuzz target for PULSE_FUZZ; a crasher is left in the package's testdata/fuzz. Up to Go 1.27 the fuzzing engine
# may take its own deadline for a failure of the target (go.dev/issue/75804): then "context deadline exceeded" is all that it says, and
# there is no failing input. That alone is passed over, in so many words; everything else fails.
fuzz() {
  local out status=0
  out=$(mktemp -p "$logs" fuzz.XXXXXX)
  go test -vet=off -run '^$' -fuzz "^$2\$" -fuzztime "$PULSE_FUZZ" -fuzzminimizetime 10x -v "./$1" >"$out" 2>&1 || status=$?
  if [ "$status" = 1 ] && deadline_only <"$out"; then
    sed -E 's/^--- FAIL: (.*)/--- PASS: \1 the deadline of the engine was taken for a failure (go.dev\/issue\/75804)/; /^FAIL/d; /^exit status 1$/d' "$out"
    return 0
  fi
  cat "$out"
  return "$status"
}

# deadline_only: the output read is of a target that failed by the engine's deadline and by nothing else.
deadline_only() {
  awk '
    /^--- FAIL: /                        { fails++; told = NR + 1; next }
    /^    context deadline exceeded$/    { if (NR == told) named++; next }
    /Failing input written|^panic:|fuzzing process hung|^ +--- FAIL: |\.go:[0-9]+: / { other++ }
    END { exit !(fails == 1 && named == 1 && !other) }
  '
}

# fuzz_all takes every fuzz function of the module as a step of its own.
fuzz_all() {
  local dir target
  while read -r dir target; do
    step "fuzz $dir $target" fuzz "$dir" "$target"
  done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . |
    sed -E 's|^\./(.*)/[^/]*:func (Fuzz.*)|\1 \2|' | sort -u)
}
