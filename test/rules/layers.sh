#!/usr/bin/env bash
# layers - lower layers never include higher ones; every include is written from the root.
#   catches: a model file that knows the word job, a server that reaches into the kernels, a core
#   that knows of sockets, disks or threads
. "$(dirname "$0")/files"

# what a file of a layer may include, as a regular expression over "path", in $allowed
may_include() {
    case "$1" in
    proto/*) allowed='^proto/' ;;
    weights/*) allowed='^(weights/|proto/(fail|limits)\.h$)' ;;
    kernels/*) allowed='^(kernels/|weights/|proto/(fail|limits)\.h$)' ;;
    server/base/*) allowed='^(server/base/|proto/)' ;;
    server/core/*) allowed='^(server/(core|base)/|proto/|kernels/glm\.h$)' ;;
    server/decoder/*) allowed='^(server/(decoder|base)/|server/events\.h$|proto/)' ;;
    server/cli/*) allowed='^(server/|proto/|kernels/glm(_report)?\.h$)' ;;
    server/*) allowed='^(server/|proto/|kernels/glm\.h$)' ;;
    *) allowed='^$' ;;
    esac
}

# check: complain about includes; on stdin lines FILE:LINE:#include "PATH"
check() {
    local line file path allowed
    while IFS= read -r line; do
        file=${line%%:*} path=${line#*\"} path=${path%%\"*}
        may_include "$file"
        [[ $path =~ $allowed ]] || echo "${line%%\#*}includes $path"
    done
}

INCLUDE='^[[:space:]]*#[[:space:]]*include[[:space:]]*"'

# the rule itself: each of these must be refused
while read -r as include; do
    line=$(printf '  # include "%s"\n' "$include" | grep -nE "$INCLUDE")
    [ -n "$(check <<<"$as:$line")" ] ||
        expect "$as may include $include" "the rule is blind"
done <<'END'
proto/x.c weights/tokenizer/bpe.h
weights/x.c proto/spec.h
weights/x.c kernels/ops.h
kernels/model/x.c server/core/job.h
kernels/x.c proto/event.h
server/x.c kernels/ops.h
server/x.c kernels/glm_report.h
server/cli/x.c kernels/ops.h
server/x.c weights/tokenizer/bpe.h
server/x.c job.h
server/x.c ../kernels/glm.h
server/core/x.c server/net/net.h
server/core/x.c server/events.h
server/core/x.c kernels/ops.h
server/base/x.c server/core/job.h
server/base/x.c kernels/glm.h
server/decoder/x.c server/core/hub.h
server/decoder/x.c kernels/glm.h
END

list=$(files 'proto/*.[ch]' 'weights/*.[ch]' 'kernels/*.[ch]' 'kernels/*.cu' 'kernels/*.cuh' \
    'server/*.[ch]')
each "$list" "$(xargs -r -d '\n' grep -nHE "$INCLUDE" <<<"$list" | check)"
finish
