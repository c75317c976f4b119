#!/usr/bin/env bash
# core - the core needs nothing that waits: of libc it calls only what is listed here, of ours only
#   the core, proto/ and blobs.
#   catches: a socket, a clock, a lock, a thread or a file in the code that decides
. "$(dirname "$0")/files"

libc='__assert_fail abort calloc free malloc realloc memccpy memcmp memcpy memmove memset strcmp
strlen strncmp strdup snprintf ceil exp floor fabs fmax fmin llabs log isnan __isnan qsort
__memcpy_chk __memset_chk __snprintf_chk __stack_chk_fail'
ours='abandon|acceptance|accounts?|admin|batcher|board|bucket|capacity|clients?|commands'
ours+='|composition|deletion|device|device_events|devices|dispatch|ending|eta|favour'
ours+='|finish|forecast|hub|job|lanes|ledger|lifecycle|notices|notify|order|placing|previews'
ours+='|private|queue|registry|recall|recent|reorder|report|request|respond|restore|search'
ours+='|shares|sources|stats|submit|sweeps|timeline|uploads'
ours="^($ours)_"
proto='^(answer|cells|chunk|command|event|fail|frame|id|notice|scan|spec|sweep|text|url|user)_'
proto+='|^(COMMAND|SPEC|USER)_|^(blob)_'
sanitizers='^(__asan_|__ubsan_|__tsan_|__sanitizer_)|^_GLOBAL_OFFSET_TABLE_$'

# refused FILE: undefined symbols of an object or archive that the core may not have
refused() {
    nm -u "$1" | awk '$1 == "U" {print $2}' | sort -u | grep -vE "$ours|$proto|$sanitizers" |
        grep -vxF "$(tr -s ' ' '\n' <<<"$libc")"
}

# the rule itself: each of these must be refused
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
while read -r header call; do
    printf '#include <%s>\nvoid sample(void *p)\n{\n    (void)p;\n    %s;\n}\n' "$header" "$call" \
        >"$work/x.c"
    ${CC:-gcc} -D_GNU_SOURCE -c -o "$work/x.o" "$work/x.c" 2>/dev/null ||
        expect "$call" "the sample does not compile"
    [ -n "$(refused "$work/x.o")" ] || expect "$call" "the rule is blind"
done <<'END'
sys/socket.h socket(1, 1, 0)
time.h clock_gettime(0, p)
time.h time(p)
pthread.h pthread_mutex_lock(p)
pthread.h pthread_create(p, p, p, p)
stdio.h fopen(p, p)
stdio.h printf("x")
fcntl.h open(p, 0)
unistd.h usleep(1)
stdlib.h rand()
stdlib.h getenv(p)
END

found=0
for a in build/*/libcore.a; do
    [ -e "$a" ] || continue
    found=1
    expect "$a" "$(refused "$a")"
done
[ $found = 1 ] || expect libcore.a "it is not built: make"
finish
