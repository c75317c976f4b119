#!/usr/bin/env bash
# run - compare darkroom with Gradio 6, which gets a Python environment of its own under build/.
#   run.sh [OPTION..]          what each adds to a picture (compare.py)
#   run.sh events [OPTION..]   what each event to each watcher costs (events.py)
set -e
cd "$(dirname "$0")/../../.."
venv=build/peers/gradio
if ! [ -e $venv/ready ]; then
    python3 -m venv $venv
    $venv/bin/pip install -q -r bench/peers/gradio/requirements.txt
    touch $venv/ready
fi
script=compare
if [ "$1" = events ]; then script=events && shift; fi
exec $venv/bin/python bench/peers/gradio/$script.py "$@"
