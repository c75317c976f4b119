#!/usr/bin/env bash
# pack - print an assembler file that holds the page's files: the table page_files, a row of
# (path, start, end) for each, zeros at its end (struct http_page).
#   $@  the files, as paths from the root of the project
set -eu
echo '.section .rodata'
n=0
for f in "$@"; do
    printf '.Ln%d: .asciz "/%s"\n.balign 16\n' $n "${f#frontend/}"
    printf '.Ls%d: .incbin "%s"\n.Le%d: .byte 0\n' $n "$f" $n
    n=$((n + 1))
done
printf '.section .data.rel.ro,"aw"\n.balign 8\n.globl page_files\npage_files:\n'
for ((i = 0; i < n; i++)); do echo ".quad .Ln$i,.Ls$i,.Le$i"; done
echo '.quad 0,0,0'
echo '.section .note.GNU-stack,"",@progbits'
