#!/usr/bin/env bash
# format - every C file is as clang-format leaves it.
. "$(dirname "$0")/files"

sample=$(mktemp --suffix=.c)
trap 'rm -f "$sample"' EXIT
printf 'int  main( void ){return 0;}\n' >"$sample"
expect 'badly formatted C is noticed' \
    "$(clang-format --style=file:.clang-format --dry-run --Werror "$sample" >/dev/null 2>&1 && echo 'the rule is blind')"

while read -r f; do
    expect "$f" "$(clang-format --dry-run --Werror "$f" 2>&1 | grep -m3 -E 'error|rror:')"
done < <(files '*.c' '*.h' '*.cu' '*.cuh')
finish
