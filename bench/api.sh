#!/bin/sh
# api - what each way into the server costs, for a machine that does nothing else; some minutes.
#   bench/api.sh [STREAMS]     1,000 event streams
# Prints accepted while a picture is drawn (p99: 15 ms at most) and memory a stream (8 KiB at most),
# what each dialect adds over the WebSocket (5 ms at most), and darkroom and Gradio 6 with the same
# client and a function that sleeps as long as the picture takes. The last one needs a network once.
set -e
cd "$(dirname "$0")/.."
for program in "bench/api.py ${1:-1000}" bench/dialects.py; do
    echo "\$ $program"
    /usr/bin/python3 $program
done
echo "\$ bench/peers/gradio/run.sh"
exec bench/peers/gradio/run.sh
