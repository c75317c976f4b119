/* converter - a thread that writes stored pictures anew as JPEG or WebP, for clients that ask.
 *
 * Pictures are kept as PNG; what a foreign dialect wants in another form is made from that file,
 * once for each request, apart from the threads that encode what is drawn. Each conversion that is
 * pushed comes back to the loop as one LOOP_CONVERTED, with its file or without.
 * Thread: the loop's; the work is the converter's. */
#ifndef SERVER_WORKER_CONVERTER_H
#define SERVER_WORKER_CONVERTER_H

#include "proto/fail.h"
#include "server/base/blob.h"
#include "server/base/mbox.h"
#include "server/events.h"

#include <stddef.h>
#include <stdint.h>

struct converter;

int converter_new(struct converter **out, struct mbox *loop, struct fail *f);
/* What waits is still converted. NULL is fine. */
void converter_free(struct converter *);
void converter_push(struct converter *, struct conversion *); /* malloc'ed; takes it */

/* Makes a PNG without texts of m->rgb, which is given up, and its digest; comes back as
 * LOOP_PRESSED. Takes it. */
void converter_press(struct converter *, struct intake *m);

/* The work itself; px: longest side of what is made, 0: the picture's. NULL: the file is no PNG, or
 * memory is short. Thread: any, no state. */
struct blob *converter_convert(const void *png, size_t len, enum picture_format, int quality,
                               int px);

#endif
