#!/usr/bin/env bash
# tree - what is in the root, how a file opens, what no file may contain.
. "$(dirname "$0")/files"

TOP='COPYING Makefile README.md bench frontend kernels proto server test weights'
CALLS='\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca)[[:space:]]*\('
WORDS='\b(TO[D]O|FIX[M]E|HA[C]K)\b'
PLACES='(^|[^A-Za-z0-9_.$}-])/(work|home|root|Users)/[A-Za-z]|/tmp/d[r]/'
PLACES+='|\bshared/(design|glm-image|house|reference|style|tiny)'

# lines of the files on stdin that match $1
hits() { xargs -r -d '\n' grep -nHIE "$1" 2>/dev/null | cut -c1-160 | head -5; }

# the patterns themselves: each of these must be found
sample=$(mktemp)
trap 'rm -f "$sample"' EXIT
blind() {
    printf '%s\n' "$2" >"$sample"
    expect "found: $2" "$(echo "$sample" | hits "$1" | grep -q . || echo 'the rule is blind')"
}
blind "$CALLS" 'strcpy (a, b);'
blind "$CALLS" '    x = atoi(s);'
blind "$WORDS" '/* TO''DO: later */'
blind "$PLACES" 'see "/ho''me/me/x"'
blind "$PLACES" 'open(/wo''rk/main)'

top=$(files '*' | grep -v '^\.' | sed 's|/.*||' | sort -u | tr '\n' ' ')
expect 'top level' "$([ "$top" = "$TOP " ] || echo "is: $top
should be: $TOP")"

expect 'a C file opens with the comment that explains it' \
    "$(files '*.c' '*.h' '*.cu' '*.cuh' |
        xargs -r -d '\n' awk 'FNR == 1 && !/^\/\* / { print FILENAME }')"
expect 'banned calls' "$(files '*.c' '*.h' '*.cu' '*.cuh' | hits "$CALLS")"
expect 'words that promise' "$(files '*' |
    grep -vE '\.(json|safetensors|png)$' | hits "$WORDS")"
expect 'paths of one machine' "$(files '*' |
    grep -vE '\.(safetensors|png)$|tokenizer\.json$' | hits "$PLACES")"
finish
