/* decoder - the thread between the loop and the process that decodes. */
#include "server/decoder/decoder.h"

#include "server/base/blob.h"
#include "server/base/clock.h"
#include "server/decoder/helper.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DECODER_STOP = -1 };

struct decoder {
    struct decoder_conf conf;
    struct mbox box;
    pthread_t thread;
    int stop_fd;          /* readable once decoder_free() is called */
    struct helper helper; /* the thread's */
};

/* --- the thread ------------------------------------------------------------------------------- */

static struct blob *copy_pixels(const uint8_t *rgb, const struct image_facts *facts)
{
    return blob_copy(rgb, 3 * (size_t)facts->width * (size_t)facts->height);
}

static void decode(struct decoder *d, struct decoding *m)
{
    const int64_t began = clock_us();
    const uint8_t *rgb;

    if (!helper_decode(&d->helper, m->file->data, m->file->len, &m->facts, &rgb, &m->why)) {
        m->rgb = copy_pixels(rgb, &m->facts);
        if (!m->rgb) fail_set(&m->why, ERR_OUT_OF_MEMORY, "No memory for an image.");
    }
    m->took_us = clock_us() - began;
    m->starts = d->helper.starts;
}

static bool handle(struct decoder *d, struct msg *list)
{
    bool go_on = true;

    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        if (m->kind == DECODER_STOP) {
            go_on = false;
            continue;
        }
        decode(d, (struct decoding *)m);
        helper_clear(&d->helper);
        mbox_push(d->conf.loop, m);
    }
    return go_on;
}

/* The process dies with the thread that starts it, so this one does. */
static void *run(void *arg)
{
    struct decoder *d = arg;

    pthread_setname_np(pthread_self(), "decode-image");
    helper_start(&d->helper, NULL); /* so that the log tells at once where it cannot */
    while (handle(d, mbox_wait(&d->box, -1))) {}
    helper_close(&d->helper);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static int open_parts(struct decoder *d, const struct decoder_conf *conf, struct fail *f)
{
    struct helper_conf helper = {.log = conf->log};

    d->conf = *conf;
    d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->stop_fd < 0) return fail_set(f, ERR_IO, "No descriptor for the decoder.");
    helper.stop_fd = d->stop_fd;
    return helper_open(&d->helper, &helper, f);
}

int decoder_new(struct decoder **out, const struct decoder_conf *conf, struct fail *f)
{
    struct decoder *d = calloc(1, sizeof *d);
    int err;

    *out = NULL;
    if (!d) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the decoder.");
    err = open_parts(d, conf, f);
    mbox_init(&d->box, NULL, NULL);
    if (!err && pthread_create(&d->thread, NULL, run, d)) {
        helper_close(&d->helper);
        err = fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the decoder.");
    }
    if (!err) {
        *out = d;
        return 0;
    }
    if (d->stop_fd >= 0) close(d->stop_fd);
    mbox_destroy(&d->box);
    free(d);
    return err;
}

void decoder_free(struct decoder *d)
{
    struct msg last = {.kind = DECODER_STOP};

    if (!d) return;
    eventfd_write(d->stop_fd, 1);
    mbox_push(&d->box, &last);
    pthread_join(d->thread, NULL);
    mbox_destroy(&d->box);
    close(d->stop_fd);
    free(d);
}

void decoder_count(struct decoder_counts *c, const struct decoding *m)
{
    c->seconds += (double)m->took_us / 1e6;
    c->starts = m->starts;
    if (m->rgb) c->decoded++;
    switch (m->rgb ? 0 : (int)m->why.code) {
    case 0:
    case ERR_SHUTTING_DOWN: break;
    case ERR_BAD_IMAGE: c->bad_image++; break;
    case ERR_TOO_LARGE: c->too_large++; break;
    case ERR_OUT_OF_MEMORY: c->memory++; break;
    default: c->unavailable++;
    }
}

void decoder_push(struct decoder *d, struct decoding *m)
{
    m->m.kind = LOOP_DECODED;
    mbox_push(&d->box, &m->m);
}
