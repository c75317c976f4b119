#!/usr/bin/env bash
# format - every C file is as clang-format leaves it.
. "$(dirname "$0")/files"

check() { # of the files on stdin: one line a complaint
    xargs -r -d '\n' -n 50 -P 2 clang-format --style=file:.clang-format --dry-run --Werror 2>&1 |
        grep -E 'rror: |not found|No such'
}

sample=$(mktemp --suffix=.c)
trap 'rm -f "$sample"' EXIT
printf 'int  main( void ){return 0;}\n' >"$sample"
expect 'badly formatted C is noticed' \
    "$([ -n "$(echo "$sample" | check)" ] || echo 'the rule is blind')"
printf 'int main(void)\n{\n    return 0;\n}\n' >"$sample"
expect 'well formatted C is not' "$(echo "$sample" | check)"

list=$(files '*.c' '*.h' '*.cc' '*.cu' '*.cuh')
each "$list" "$(check <<<"$list")"
finish
