#!/usr/bin/env bash
# first - from clone to the first picture: `make run` in a fresh clone, timed.
#   bench/first.sh [REPOSITORY]     what apt installs depends on what the machine has already
set -eu
from=$(realpath "${1:-.}")
dir=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
start=$(date +%s%N)
git clone -q "$from" "$dir/clone"
cd "$dir/clone"
make run ARGS="--port 0 --data $dir/data" >"$dir/log" 2>&1 &
server=$!
until url=$(grep -om1 'http://[0-9.]*:[0-9]*' "$dir/log"); do
    kill -0 $server || { cat "$dir/log"; exit 1; }
    sleep 0.2
done
/usr/bin/python3 - "ws${url#http}/ws" <<'PY'
import asyncio, json, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], subprotocols=["darkroom.v1"], max_size=None) as ws:
        spec = {"prompt": "a red circle on a blue background"}
        await ws.send(json.dumps({"type": "submit", "spec": spec}))
        async for m in ws:
            if isinstance(m, str) and json.loads(m)["type"] == "result":
                return
asyncio.run(main())
PY
echo "clone to first picture: $((($(date +%s%N) - start) / 1000000)) ms"
