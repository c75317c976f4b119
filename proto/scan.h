/* scan - type, ref and job of a message that cannot be decoded, so that its error says what it
 * answers.
 *
 * Reads the members of the outermost object and minds nothing else: U+0000, half a surrogate
 * pair, an end in the middle, and megabytes of prompt in pieces of any size are fine. Holds no
 * more than the words it looks for. Thread: any; a struct scan has one owner. */
#ifndef PROTO_SCAN_H
#define PROTO_SCAN_H

#include "proto/limits.h"

#include <stdbool.h>
#include <stddef.h>

enum { SCAN_WORD = LIMIT_REF_BYTES + 1 };

struct scan {
    int depth;            /* of brackets outside strings */
    bool quoted, escaped; /* inside a string; behind its backslash */
    bool value;           /* behind a colon of the outermost object */
    char word[SCAN_WORD]; /* the string that is being read there */
    size_t n;             /* its bytes; SCAN_WORD: not one that is looked for */
    char key[SCAN_WORD];  /* the last one, "" */
    char type[SCAN_WORD], ref[SCAN_WORD], job[SCAN_WORD]; /* found so far, or "" */
};

void scan_init(struct scan *);
/* The next piece of the message. */
void scan_feed(struct scan *, const char *bytes, size_t len);

#endif
