/* converter - stb reads what png.h has written; libjpeg-turbo and libwebp write. */
#include "server/worker/converter.h"

#include "server/worker/encoder.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <turbojpeg.h>
#include <unistd.h>
#include <webp/encode.h>

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb/stb_image.h>

enum { CONVERTER_STOP = -1 };

struct converter {
    struct mbox box, *loop;
    pthread_t thread;
};

static struct blob *as_jpeg(const uint8_t *rgb, int w, int h, int quality)
{
    tjhandle jpeg = tjInitCompress();
    unsigned char *bytes = NULL;
    unsigned long len = 0;
    struct blob *b = NULL;

    if (!jpeg) return NULL;
    if (!tjCompress2(jpeg, rgb, w, w * 3, h, TJPF_RGB, &bytes, &len, TJSAMP_444, quality, 0))
        b = blob_copy(bytes, len);
    tjFree(bytes);
    tjDestroy(jpeg);
    return b;
}

static struct blob *as_webp(const uint8_t *rgb, int w, int h, int quality)
{
    uint8_t *bytes = NULL;
    size_t len = WebPEncodeRGB(rgb, w, h, w * 3, (float)quality, &bytes);
    struct blob *b = len ? blob_copy(bytes, len) : NULL;

    WebPFree(bytes);
    return b;
}

/* In place, or as before for want of memory. */
static void shrink(uint8_t **rgb, int *w, int *h, int px)
{
    uint8_t *small;
    int sw, sh;

    encoder_fit(*w, *h, px, &sw, &sh);
    if (sw == *w && sh == *h) return;
    small = malloc((size_t)sw * (size_t)sh * 3);
    if (!small) return;
    encoder_shrink(*rgb, *w, *h, small, sw, sh);
    stbi_image_free(*rgb);
    *rgb = small; /* both are malloc'ed */
    *w = sw;
    *h = sh;
}

struct blob *converter_convert(const void *png, size_t len, enum picture_format format, int quality,
                               int px)
{
    int w, h, channels;
    struct blob *b;
    uint8_t *rgb;

    if (format == PICTURE_PNG) return blob_copy(png, len);
    rgb = len < INT_MAX ? stbi_load_from_memory(png, (int)len, &w, &h, &channels, 3) : NULL;
    if (!rgb) return NULL;
    if (px) shrink(&rgb, &w, &h, px);
    b = format == PICTURE_WEBP ? as_webp(rgb, w, h, quality) : as_jpeg(rgb, w, h, quality);
    stbi_image_free(rgb);
    return b;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void convert_file(struct conversion *c)
{
    size_t n = (size_t)c->bytes;
    char *png = malloc(n + 1);

    if (png && pread(c->fd, png, n, 0) == (ssize_t)n)
        c->file = converter_convert(png, n, c->format, c->quality, c->px);
    free(png);
    close(c->fd);
}

static void convert(struct converter *v, struct conversion *c)
{
    if (c->png)
        c->file = converter_convert(c->png->data, c->png->len, c->format, c->quality, c->px);
    else
        convert_file(c);
    blob_unref(c->png);
    c->png = NULL;
    c->m.kind = LOOP_CONVERTED;
    mbox_push(v->loop, &c->m);
}

static void press(struct converter *v, struct intake *m)
{
    uint8_t *bytes;
    size_t len;
    char digest[PNG_DIGEST_TEXT];

    if (!png_encode(m->rgb->data, m->image.width, m->image.height, NULL, 0, &bytes, &len, &m->why))
        m->png = blob_copy(bytes, len);
    if (m->png) {
        png_digest(bytes, len, digest);
        spec_digest_parse(digest, m->image.digest);
        free(bytes);
    } else if (!m->why.code) {
        fail_set(&m->why, ERR_OUT_OF_MEMORY, "No memory for the picture");
    }
    blob_unref(m->rgb);
    m->rgb = NULL;
    mbox_push(v->loop, &m->m);
}

static bool handle(struct converter *v, struct msg *list)
{
    bool go_on = true;

    for (struct msg *m = list, *next; m; m = next) {
        next = m->next;
        if (m->kind == CONVERTER_STOP)
            go_on = false;
        else if (m->kind == LOOP_PRESSED)
            press(v, (struct intake *)m);
        else
            convert(v, (struct conversion *)m);
    }
    return go_on;
}

static void *run(void *arg)
{
    struct converter *v = arg;

    pthread_setname_np(pthread_self(), "convert-picture");
    while (handle(v, mbox_wait(&v->box, -1))) {}
    return NULL;
}

int converter_new(struct converter **out, struct mbox *loop, struct fail *f)
{
    struct converter *v = calloc(1, sizeof *v);

    *out = v;
    if (!v) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the converter.");
    v->loop = loop;
    mbox_init(&v->box, NULL, NULL);
    if (!pthread_create(&v->thread, NULL, run, v)) return 0;
    mbox_destroy(&v->box);
    free(v);
    *out = NULL;
    return fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the converter.");
}

void converter_free(struct converter *v)
{
    struct msg last = {.kind = CONVERTER_STOP};

    if (!v) return;
    mbox_push(&v->box, &last);
    pthread_join(v->thread, NULL);
    mbox_destroy(&v->box);
    free(v);
}

void converter_press(struct converter *v, struct intake *m)
{
    m->m.kind = LOOP_PRESSED;
    mbox_push(&v->box, &m->m);
}

void converter_push(struct converter *v, struct conversion *c)
{
    c->m.kind = LOOP_CONVERTED;
    mbox_push(&v->box, &c->m);
}
