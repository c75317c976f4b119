#!/bin/sh
# From nothing to an exported folder: about five hours on two idle cores, less with smaller numbers.
#
# usage: ./make.sh FOLDER        with the packages of README.md; RUN (default: run) holds the work
#        PRIOR_SECONDS, VAE_SECONDS, VISION_SECONDS, PAINTER_SECONDS and PICTURES (for the
#        painter) may be set; DARKROOM may name the program that draws the pictures that are judged
set -e
folder=$(realpath "$1")
[ -z "$DARKROOM" ] || export DARKROOM="$(realpath "$DARKROOM")"
cd "$(dirname "$0")"
export RUN="${RUN:-run}" OMP_NUM_THREADS=1
# No unmapping between steps and huge pages: 2.4 times faster on the convolutions.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=99999999999 MALLOC_TOP_PAD_=268435456 \
       THP_MEM_ALLOC_ENABLE=1
n="${PICTURES:-5000}"
mkdir -p "$RUN"
python tokens.py
python codebook.py "$n"
python vision.py "${VISION_SECONDS:-1500}" > "$RUN/vision.log" 2>&1
python prior.py "${PRIOR_SECONDS:-14400}" > "$RUN/prior.log" 2>&1 &
prior=$!
python vae.py "${VAE_SECONDS:-1200}"
python latents.py square 8 8 "$n" 1 .6
python latents.py wide 8 12 $((n / 12)) 2 .6
python latents.py tall 12 8 $((n / 12)) 3 .6
python latents.py large 16 16 $((n / 16)) 4 .5
python latents.py val 8 8 128 900000
python latents.py edits 8 8 $((n / 2)) 5 edits
python latents.py edits-wide 8 12 $((n / 24)) 6 edits
python latents.py edits-tall 12 8 $((n / 24)) 7 edits
python latents.py edits-large 16 16 $((n / 32)) 8 edits
python latents.py edits-val 8 8 64 910000 edits
python painter.py "${PAINTER_SECONDS:-12600}" > "$RUN/painter.log" 2>&1
wait "$prior"
python export.py "$folder"
python evaluate.py "$folder" grids
python evaluate.py "$folder" pictures "$RUN/pictures.png"
python evaluate.py "$folder" sheet "$folder/SHEET.png"
# Both say by their exit status whether the bars of edits hold.
python evaluate_edits.py "$folder" codes || true
python evaluate_edits.py "$folder" pictures "$RUN/edits.png" || true
[ -z "$DARKROOM" ] || python compare.py "$folder"
