/* encoder - threads that turn pixels into files: previews into JPEG or PNG, finished pictures
 * into PNG.
 *
 * Two threads, so that a large picture never delays another job's preview. What they take they
 * own: a preview's slot goes back to its worker, a picture is freed. Each picture is answered by
 * exactly one LOOP_ENCODED, each preview by at most one LOOP_PREVIEW. For want of memory a picture
 * is tried again for a second, then answered as failed. Thread: the loop's;
 * mailboxes: any. */
#ifndef SERVER_WORKER_ENCODER_H
#define SERVER_WORKER_ENCODER_H

#include "proto/fail.h"
#include "server/base/log.h"
#include "server/base/mbox.h"

struct encoder;

struct encoder_conf {
    struct mbox *loop;
    struct log *log;
    const char *model, *version; /* for the text chunks; borrowed */
};

int encoder_new(struct encoder **out, const struct encoder_conf *, struct fail *f);
/* The worker must have stopped, not been freed; what waits is still encoded. NULL is fine. */
void encoder_free(struct encoder *);

struct mbox *encoder_previews(struct encoder *); /* takes struct pixels_preview */
struct mbox *encoder_pictures(struct encoder *); /* takes struct pixels_picture */

/* Box filter: rgb [h, w, 3] to [oh, ow, 3], oh <= h and ow <= w. */
void encoder_shrink(const unsigned char *rgb, int w, int h, unsigned char *out, int ow, int oh);
/* The size of a preview whose longest side is at most `px`: never enlarged, at least 1. */
void encoder_fit(int w, int h, int px, int *ow, int *oh);

#endif
