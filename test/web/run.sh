#!/usr/bin/env bash
# run - the page's tests: units, types, and the page in two browsers. Ends in `N passed, M failed`.
#   $1 ..   files, of one process; nothing: all, each of page/ in a process of its own
#   --install   no test: only what they need
#   BINARY  the server to test against (build/darkroom); without one the tests that need it fail.
set -u
cd "$(dirname "$0")"
export NPM_CONFIG_UPDATE_NOTIFIER=false
install() { # once, however many of us there are
    [ ! node_modules/.package-lock.json -nt package-lock.json ] || return 0
    npm ci --silent && touch node_modules/.package-lock.json
}
exec 9<package-lock.json
flock 9
install || { echo 'npm ci failed'; echo '0 passed, 1 failed'; exit 1; }
exec 9<&-
[ "${1:-}" != --install ] || exit 0
passed=0 failed=0

suite() { # files of one suite, one process
    local out p f
    out=$(timeout --foreground 600 node --test "$@" 2>&1)
    local rc=$?
    p=$(sed -nE 's/^(#|ℹ) pass ([0-9]+)$/\2/p' <<<"$out" | tail -1)
    f=$(sed -nE 's/^(#|ℹ) fail ([0-9]+)$/\2/p' <<<"$out" | tail -1)
    p=${p:-0} f=${f:-0}
    if [ $rc -ne 0 ] && [ "$f" -eq 0 ] || [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then f=1; fi
    [ "$f" -eq 0 ] ||
        grep -vE '^ *(duration_ms|type:|---|\.\.\.|# Subtest|ok )|^ok ' <<<"$out" | tail -60
    passed=$((passed + p)) failed=$((failed + f))
}

if [ $# -gt 0 ]; then
    suite "$@"
else
    suite unit/*.test.mjs
    for t in page/*.test.mjs; do suite "$t"; done
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
