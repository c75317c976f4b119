#!/bin/sh
# From nothing to an exported folder: about five hours on two idle cores, less with smaller numbers.
#
# usage: ./make.sh FOLDER        with the packages of README.md; RUN (default: run) holds the work
set -e
cd "$(dirname "$0")"
export RUN="${RUN:-run}" OMP_NUM_THREADS=1
# No unmapping between steps and huge pages: 2.4 times faster on the convolutions.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=99999999999 MALLOC_TOP_PAD_=268435456 \
       THP_MEM_ALLOC_ENABLE=1
mkdir -p "$RUN"
python tokens.py
python codebook.py
python prior.py "${PRIOR_SECONDS:-14400}" > "$RUN/prior.log" 2>&1 &
prior=$!
python vae.py "${VAE_SECONDS:-1200}"
python latents.py square 8 8 5000 1
python latents.py wide 8 12 500 2
python latents.py tall 12 8 500 3
python latents.py large 16 16 250 4
python latents.py val 8 8 128 900000
python painter.py "${PAINTER_SECONDS:-12600}" > "$RUN/painter.log" 2>&1
wait "$prior"
python export.py "$1"
python evaluate.py "$1" grids
python evaluate.py "$1" pictures "$RUN/pictures.png"
python evaluate.py "$1" sheet "$1/SHEET.png"
