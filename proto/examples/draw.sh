#!/bin/sh
# draw.sh PROMPT [http://HOST:PORT] - has a darkroom server draw it, shows how far it is, writes
# picture.png. Needs curl, and nothing else.
set -eu
server=${2:-http://127.0.0.1:7860}
prompt=$(printf %s "$1" | tr '[:cntrl:]' ' ' | sed 's/[\\"]/\\&/g')

field() { # the member of this name in $data, a text or a number, as $value
    value=${data#*\""$1"\":}
    value=${value#\"}
    value=${value%%[\",\}]*}
}

data=$(curl -sS --fail-with-body --json '{"spec":{"prompt":"'"$prompt"'"}}' "$server/v1/jobs") || {
    echo "$data" >&2
    exit 1
}
field job
curl -sSN "$server/v1/jobs/$value/events" | {
    state=unknown
    while read -r name data; do
        case $name$data in
        'data:{"type":"queue"'*) field position && echo "place $value" ;;
        'data:{"type":"progress"'*)
            field phase && printf '%s ' "$value"
            field overall && printf '%.0f %%\n' "${value}e2" 2>/dev/null || : # 1e-7 is no mantissa
            ;;
        'data:{"type":"result"'*) field url && curl -sS --fail -o picture.png "$server$value" ;;
        'data:{"type":"end"'*) field state && state=$value ;;
        esac
    done
    [ "$state" = done ] || { echo "The picture is not done: $state" >&2 && exit 1; }
}
