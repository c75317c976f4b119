/* base64 - in pieces that fit on the stack. */
#include "server/http/base64.h"

#include <sodium.h>
#include <string.h>

enum { PIECE = 3072 };

void base64_write(const void *bytes, size_t n, struct text *out)
{
    const unsigned char *at = bytes;
    char piece[PIECE / 3 * 4 + 1];

    while (n) {
        size_t now = n < PIECE ? n : PIECE;

        sodium_bin2base64(piece, sizeof piece, at, now, sodium_base64_VARIANT_ORIGINAL);
        text_bytes(out, piece, strlen(piece));
        at += now;
        n -= now;
    }
}
