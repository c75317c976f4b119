/* decoder - the thread between the loop and the process that decodes. */
#include "server/decoder/decoder.h"

#include "server/base/blob.h"
#include "server/decoder/image.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { DECODER_STOP = -1 };

struct decoder {
    struct decoder_conf conf;
    struct mbox box;
    pthread_t thread;
};

static int read_file(struct decoding *d)
{
    struct image_limits limits;
    const uint8_t *file = d->file->data;
    char *memory;
    size_t bytes;
    int err;

    image_limits_init(&limits);
    err = image_look(file, d->file->len, &limits, &d->facts, &d->why);
    if (err) return err;
    bytes = 3 * (size_t)d->facts.width * (size_t)d->facts.height;
    memory = malloc(BLOB_HEAD + bytes);
    if (!memory) return fail_set(&d->why, ERR_OUT_OF_MEMORY, "No memory for an image.");
    err = image_decode(file, d->file->len, &d->facts, (uint8_t *)memory + BLOB_HEAD, &d->why);
    if (!err)
        d->rgb = blob_adopt(memory, bytes);
    else
        free(memory);
    if (!err && !d->rgb) err = fail_set(&d->why, ERR_OUT_OF_MEMORY, "No memory for an image.");
    return err;
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
        read_file((struct decoding *)m);
        mbox_push(d->conf.loop, m);
    }
    return go_on;
}

static void *run(void *arg)
{
    struct decoder *d = arg;

    pthread_setname_np(pthread_self(), "decode-image");
    while (handle(d, mbox_wait(&d->box, -1))) {}
    return NULL;
}

int decoder_new(struct decoder **out, const struct decoder_conf *conf, struct fail *f)
{
    struct decoder *d = calloc(1, sizeof *d);

    *out = d;
    if (!d) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the decoder.");
    d->conf = *conf;
    mbox_init(&d->box, NULL, NULL);
    if (!pthread_create(&d->thread, NULL, run, d)) return 0;
    mbox_destroy(&d->box);
    free(d);
    *out = NULL;
    return fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the decoder.");
}

void decoder_free(struct decoder *d)
{
    struct msg last = {.kind = DECODER_STOP};

    if (!d) return;
    mbox_push(&d->box, &last);
    pthread_join(d->thread, NULL);
    mbox_destroy(&d->box);
    free(d);
}

void decoder_push(struct decoder *d, struct decoding *m)
{
    m->m.kind = LOOP_DECODED;
    mbox_push(&d->box, &m->m);
}
