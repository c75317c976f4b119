#!/bin/sh
# soak - an hour of mixed load on one server: does it grow?
#   [SECONDS=3600] bench/soak.sh [--binary build/darkroom] [--model weights/tiny] ...
# Prints memory, descriptors and log in each pause; exits 1 when a bound of soak.py is broken.
exec /usr/bin/python3 "$(dirname "$0")/soak.py" --seconds "${SECONDS:-3600}" "$@"
