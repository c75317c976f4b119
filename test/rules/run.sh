#!/usr/bin/env bash
# run - the runner itself: what crashes, hangs, says nothing or is not there has failed.
. "$(dirname "$0")/files"

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
mkdir "$build/test"

result() { # of the fake tests: exit status and closing line
    local out
    out=$(TEST_SECONDS=2 test/run "$build" c)
    echo "$? $(tail -1 <<<"$out")"
}

fake() { # name, shell commands
    printf '#!/usr/bin/env bash\n%s\n' "$2" >"$build/test/test_$1"
    chmod +x "$build/test/test_$1"
}

is() { # what, wanted
    local got
    got=$(result)
    expect "$1" "$([ "$got" = "$2" ] || echo "is '$got', should be '$2'")"
}

is 'nothing ran' '1 0 passed, 0 failed'
fake good 'echo "[  PASSED  ] 2 test(s)."'
is 'all is well' '0 2 passed, 0 failed'
fake good 'sleep 1.1; echo "[  PASSED  ] 2 test(s)."'
seconds='^(ok test_good \(2, [1-9][0-9]* s\)|2 passed, 0 failed)$'
expect 'the seconds of a test' "$(test/run "$build" c | grep -vE "$seconds")"
fake good 'echo "[  PASSED  ] 2 test(s)."'
fake reads 'cat; echo "[  PASSED  ] 1 test(s)."'
is 'a test that reads its input does not eat the list' '0 3 passed, 0 failed'
fake other 'echo "[  PASSED  ] 0 test(s)."; echo "[  SKIPPED ] 1 test(s), listed below:"'
is 'a test that this machine cannot run' '0 3 passed, 0 failed'
fake crash 'kill -SEGV $$'
is 'a crash' '1 3 passed, 1 failed'
fake late 'echo "[  PASSED  ] 1 test(s)."; exit 1'
is 'an exit status after a good line' '1 4 passed, 2 failed'
fake silent true
is 'silence' '1 4 passed, 3 failed'
fake hang 'sleep 60 & wait'
is 'a hang' '1 4 passed, 4 failed'

most() { # tests at a time
    rm -f "$build/side"
    test/run "$build" c >/dev/null
    awk '/begin/ { n++ } /end/ { n-- } n > most { most = n } END { print most, n }' "$build/side"
}

wait_for() { # six tests that end when so many of them have begun
    for i in 1 2 3 4 5 6; do
        fake "wait$i" "echo begin >>$build/side
            until [ \$(grep -c begin $build/side) -ge $1 ]; do sleep 0.1; done
            echo end >>$build/side; echo '[  PASSED  ] 1 test(s).'"
    done
}

rm "$build"/test/test_*
wait_for 1
expect 'one at a time' "$(TEST_JOBS=1 most | grep -vx '1 0')"
# nproc obeys OMP_NUM_THREADS; a third starts only when a processor was idle
wait_for 2
expect 'two or three for one processor' "$(OMP_NUM_THREADS=1 most | grep -vxE '[23] 0')"
finish
