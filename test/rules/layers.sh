#!/usr/bin/env bash
# layers - lower layers never include higher ones; every include is written from the root.
#   catches: a model file that knows the word job, a server that reaches into the kernels
. "$(dirname "$0")/files"

# what a file of a layer may include, as a regular expression over "path"
may_include() {
    case "$1" in
    proto/*) echo '^proto/' ;;
    weights/*) echo '^(weights/|proto/(fail|limits)\.h$)' ;;
    kernels/*) echo '^(kernels/|weights/|proto/(fail|limits)\.h$)' ;;
    server/base/*) echo '^(server/base/|proto/)' ;;
    server/core/*) echo '^(server/(core|base)/|proto/|kernels/glm\.h$)' ;;
    server/*) echo '^(server/|proto/|kernels/glm\.h$)' ;;
    esac
}

# check FILE AS: complain about the includes of FILE as if it lay at AS
check() {
    local allowed
    allowed=$(may_include "$2")
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$1" |
        sed -E 's/^([0-9]+):[^"]*"([^"]*)".*/\1 \2/' | while read -r line path; do
        [[ $path =~ $allowed ]] || echo "$2:$line includes $path"
    done
}

# the rule itself: each of these must be refused
sample=$(mktemp)
trap 'rm -f "$sample"' EXIT
while read -r as include; do
    printf '  # include "%s"\n' "$include" >"$sample"
    [ -n "$(check "$sample" "$as")" ] || expect "$as may include $include" "the rule is blind"
done <<'END'
proto/x.c weights/tokenizer/bpe.h
weights/x.c proto/spec.h
weights/x.c kernels/ops.h
kernels/model/x.c server/core/job.h
kernels/x.c proto/event.h
server/x.c kernels/ops.h
server/x.c weights/tokenizer/bpe.h
server/x.c job.h
server/x.c ../kernels/glm.h
END

while read -r f; do expect "$f" "$(check "$f" "$f")"; done < <(files 'proto/*.[ch]' 'weights/*.[ch]' 'kernels/*.[ch]' 'kernels/*.cu' 'server/*.[ch]')
finish
