/* encoder - a preview is encoded once for each class that a viewer demands, and shared by all
 * viewers. */
#include "server/worker/encoder.h"

#include "server/core/board.h"
#include "server/events.h"
#include "server/worker/pixels.h"
#include "server/worker/png.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <turbojpeg.h>

enum { JPEG_QUALITY = 82, PICTURE_TRIES = 20, MEMORY_WAIT_MS = 50 };

struct encoder {
    struct encoder_conf conf;
    struct mbox previews, pictures;
    pthread_t preview_thread, picture_thread;
    tjhandle jpeg; /* the preview thread's */
};

void encoder_fit(int w, int h, int px, int *ow, int *oh)
{
    int longest = w > h ? w : h;

    *ow = longest > px ? (w * px + longest / 2) / longest : w;
    *oh = longest > px ? (h * px + longest / 2) / longest : h;
    if (*ow < 1) *ow = 1;
    if (*oh < 1) *oh = 1;
}

void encoder_shrink(const unsigned char *rgb, int w, int h, unsigned char *out, int ow, int oh)
{
    for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++) {
            int x0 = x * w / ow, x1 = (x + 1) * w / ow, y0 = y * h / oh, y1 = (y + 1) * h / oh;
            int n = (x1 - x0) * (y1 - y0), sum[3] = {n / 2, n / 2, n / 2};

            for (int v = y0; v < y1; v++)
                for (int u = x0; u < x1; u++)
                    for (int c = 0; c < 3; c++)
                        sum[c] += rgb[(v * w + u) * 3 + c];
            for (int c = 0; c < 3; c++)
                out[(y * ow + x) * 3 + c] = (unsigned char)(sum[c] / n);
        }
}

/* --- previews --------------------------------------------------------------------------------- */

static struct blob *as_jpeg(struct encoder *e, const uint8_t *rgb, int w, int h)
{
    unsigned char *bytes = NULL;
    unsigned long len = 0;
    int bad = tjCompress2(e->jpeg, rgb, w, w * 3, h, TJPF_RGB, &bytes, &len, TJSAMP_420,
                          JPEG_QUALITY, TJFLAG_FASTDCT);
    struct blob *b = bad ? NULL : blob_copy(bytes, len);

    tjFree(bytes);
    return b;
}

static struct blob *as_png(const uint8_t *rgb, int w, int h)
{
    uint8_t *bytes;
    size_t len;
    struct blob *b;

    if (png_encode(rgb, w, h, NULL, 0, &bytes, &len, NULL)) return NULL;
    b = blob_copy(bytes, len);
    free(bytes);
    return b;
}

/* An image that an earlier class gave in the same format and size. */
static struct blob *same_image(const struct loop_preview *m, enum frame_format format, int w, int h)
{
    for (int i = 0; i < m->n; i++)
        if (m->image[i].width == w && m->image[i].height == h
            && board_class_format(m->image[i].class) == format)
            return blob_ref(m->blob[i]);
    return NULL;
}

static void add_class(struct encoder *e, const struct pixels_preview *s, int class, uint8_t *small,
                      struct loop_preview *m)
{
    int w, h;
    enum frame_format format = board_class_format(class);
    struct blob *b;

    encoder_fit(s->width, s->height, board_class_px(class), &w, &h);
    b = same_image(m, format, w, h);
    if (!b) {
        const uint8_t *rgb = s->rgb;

        if (w != s->width || h != s->height) {
            encoder_shrink(s->rgb, s->width, s->height, small, w, h);
            rgb = small;
        }
        b = format == FRAME_PNG ? as_png(rgb, w, h) : as_jpeg(e, rgb, w, h);
    }
    if (!b) return;
    m->blob[m->n] = b;
    m->image[m->n++] = (struct board_image){.class = class, .width = w, .height = h, .image = b};
}

static void encode_preview(struct encoder *e, struct pixels_preview *s)
{
    struct loop_preview *m = calloc(1, sizeof *m);
    uint8_t *small = malloc((size_t)s->width * (size_t)s->height * 3);

    if (m && small) {
        m->m.kind = LOOP_PREVIEW;
        m->job = s->job;
        m->phase = s->phase;
        m->computed_us = s->computed_us;
        for (int class = 0; class < BOARD_CLASSES; class ++)
            if (s->classes & (1U << class)) add_class(e, s, class, small, m);
    }
    pixels_release(s);
    free(small);
    if (m && m->n)
        mbox_push(e->conf.loop, &m->m);
    else
        free(m);
}

/* --- pictures --------------------------------------------------------------------------------- */

static struct blob *encode_file(struct encoder *e, const struct pixels_picture *p, struct fail *f)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct glm_picture picture = {.rgb = p->rgb, .width = p->width, .height = p->height};
    struct blob *b;

    if (p->bare ? png_encode(p->rgb, p->width, p->height, NULL, 0, &bytes, &len, f)
                : png_encode_spec(&picture, &p->spec, p->steps, e->conf.model, e->conf.version,
                                  &bytes, &len, f))
        return NULL;
    b = blob_copy(bytes, len);
    if (!b) fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the picture's file.");
    free(bytes);
    return b;
}

static void wait_for_memory(void)
{
    nanosleep(&(struct timespec){.tv_nsec = MEMORY_WAIT_MS * 1000000L}, NULL);
}

/* A picture takes seconds to draw: what others free within one may be enough to encode it. */
static void encode_picture(struct encoder *e, struct pixels_picture *p)
{
    struct loop_encoded *m;

    while (!(m = calloc(1, sizeof *m)))
        wait_for_memory();
    m->m.kind = LOOP_ENCODED;
    m->job = p->job;
    for (int i = 0; i < PICTURE_TRIES && !(m->file = encode_file(e, p, &m->why)); i++)
        wait_for_memory();
    if (m->file) png_digest(m->file->data, m->file->len, m->digest);
    pixels_picture_free(p);
    mbox_push(e->conf.loop, &m->m);
}

/* --- threads ---------------------------------------------------------------------------------- */

static bool handle(struct encoder *e, struct msg *list)
{
    bool stop = false;

    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        if (m->kind == PIXELS_PREVIEW)
            encode_preview(e, (struct pixels_preview *)m);
        else if (m->kind == PIXELS_PICTURE)
            encode_picture(e, (struct pixels_picture *)m);
        else
            stop = true;
    }
    return !stop;
}

static void *run_previews(void *arg)
{
    struct encoder *e = arg;

    pthread_setname_np(pthread_self(), "encode-preview");
    while (handle(e, mbox_wait(&e->previews, -1))) {}
    return NULL;
}

static void *run_pictures(void *arg)
{
    struct encoder *e = arg;

    pthread_setname_np(pthread_self(), "encode-picture");
    while (handle(e, mbox_wait(&e->pictures, -1))) {}
    return NULL;
}

static void stop(struct mbox *b, struct msg *last, pthread_t thread)
{
    last->kind = PIXELS_STOP;
    mbox_push(b, last);
    pthread_join(thread, NULL);
    mbox_destroy(b);
}

int encoder_new(struct encoder **out, const struct encoder_conf *conf, struct fail *f)
{
    struct msg last;
    struct encoder *e = calloc(1, sizeof *e);
    bool first;

    *out = NULL;
    if (!e) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the encoder.");
    e->conf = *conf;
    e->jpeg = tjInitCompress();
    mbox_init(&e->previews, NULL, NULL);
    mbox_init(&e->pictures, NULL, NULL);
    first = e->jpeg && !pthread_create(&e->preview_thread, NULL, run_previews, e);
    if (first && !pthread_create(&e->picture_thread, NULL, run_pictures, e)) {
        *out = e;
        return 0;
    }
    if (first) stop(&e->previews, &last, e->preview_thread);
    if (e->jpeg) tjDestroy(e->jpeg);
    free(e);
    return fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the encoder.");
}

void encoder_free(struct encoder *e)
{
    struct msg last[2];

    if (!e) return;
    stop(&e->previews, &last[0], e->preview_thread);
    stop(&e->pictures, &last[1], e->picture_thread);
    tjDestroy(e->jpeg);
    free(e);
}

struct mbox *encoder_previews(struct encoder *e)
{
    return &e->previews;
}

struct mbox *encoder_pictures(struct encoder *e)
{
    return &e->pictures;
}
