/* id - a job's 64-bit name to and from 16 hex digits. */
#include "proto/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void id_format(uint64_t id, char out[ID_TEXT])
{
    snprintf(out, ID_TEXT, "%016" PRIx64, id);
}

bool id_parse(const char *text, uint64_t *out)
{
    uint64_t id = 0;

    for (int i = 0; i < ID_TEXT - 1; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = text[i] ? strchr(digits, text[i]) : NULL;

        if (!at) return false;
        id = id << 4 | (uint64_t)(at - digits);
    }
    if (text[ID_TEXT - 1] || id == 0) return false;
    *out = id;
    return true;
}
