/* lift - long strings of base64 leave a JSON body while it comes.
 *
 * 64 MB of JSON with pictures in it, read and decoded when all of it is there, would stop the loop
 * for seconds. Fed to this piece by piece they take no longer at a time than a piece: a string of
 * more than LIFT_LONGER bytes that is base64, also behind "data:image/png;base64,", is decoded as
 * it comes, and {"lifted":N} stands in the text instead of it. No field but a picture's can be an
 * object, so a text that only looks like base64 is refused where it is not allowed. What remains of
 * a body may have LIFT_TEXT_MOST bytes. Thread: any, one at a time. */
#ifndef SERVER_HTTP_LIFT_H
#define SERVER_HTTP_LIFT_H

#include "proto/limits.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LIFT_LONGER = 32768,         /* more than any text may have */
    LIFT_TEXT_MOST = 1 << 20,    /* bytes of a body without its pictures */
    LIFT_KEPT = 2 * LIMIT_IMAGES /* more pictures are counted, without their bytes */
};

struct lifted {
    uint8_t *bytes;
    size_t len, room;
    uint32_t held; /* the last symbols, of which no byte could be made yet */
    int symbols;   /* of four */
    int pads;
    bool bad; /* it is no base64 */
};

enum lift_state { LIFT_TEXT, LIFT_STRING, LIFT_ESCAPE, LIFT_BYTES, LIFT_BYTES_ESCAPE };

struct lift {
    struct text text; /* the body without its pictures */
    struct lifted one[LIFT_KEPT];
    int n; /* lifted, those that were not kept included */
    enum lift_state state;
    size_t string; /* where in text this string's quote stands */
    bool plain;    /* this string stays */
    bool starved;  /* memory was short */
};

void lift_init(struct lift *);
void lift_free(struct lift *);
/* The next n bytes of the body. 0, or an HTTP status (413, 500) with the reason in f. */
int lift_feed(struct lift *, const char *bytes, size_t n, struct fail *f);

/* What this value of the text stands for; NULL: it is no such object. */
const struct lifted *lift_find(const struct lift *, const json_t *v);
/* What is whole in itself: base64 with its padding, and not nothing. */
bool lift_good(const struct lifted *);

#endif
