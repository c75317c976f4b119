/* world_images - pictures that jobs begin with, on the disk of the simulated world and on their way
 * to it: as the real store has them (store/images.h), with the same rules. */
#ifndef TEST_SIM_WORLD_IMAGES_H
#define TEST_SIM_WORLD_IMAGES_H

#include "test/sim/world_state.h"

#include "proto/answer.h"

static inline void image_digest(const void *bytes, size_t n, uint8_t out[SPEC_DIGEST_BYTES])
{
    const uint8_t *at = bytes;
    uint64_t h = 1469598103934665603ULL;

    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * 1099511628211ULL;
    for (int i = 0; i < SPEC_DIGEST_BYTES; i++, h = h * 6364136223846793005ULL + 1)
        out[i] = (uint8_t)(h >> 56);
}

static inline struct kept_image *image_find(struct world *w, uint32_t owner,
                                            const uint8_t digest[SPEC_DIGEST_BYTES])
{
    for (int i = 0; i < w->n_kept_images; i++)
        if (w->kept_image[i].owner == owner
            && memcmp(w->kept_image[i].digest, digest, SPEC_DIGEST_BYTES) == 0)
            return &w->kept_image[i];
    return NULL;
}

static inline bool image_result(const struct world *w, uint32_t owner,
                                const uint8_t digest[SPEC_DIGEST_BYTES])
{
    uint8_t result[SPEC_DIGEST_BYTES];

    for (int i = 0; i < w->n_disk; i++)
        if (w->disk[i]->file && !w->disk[i]->deleted && w->disk[i]->row.owner == owner
            && spec_digest_parse(w->disk[i]->result_digest, result)
            && memcmp(result, digest, SPEC_DIGEST_BYTES) == 0)
            return true;
    return false;
}

/* With one that is on disk. */
static inline bool begins_with(const struct saved *s, const uint8_t digest[SPEC_DIGEST_BYTES])
{
    for (int i = 0; i < s->spec.images; i++)
        if (!(s->row.in_memory >> i & 1)
            && memcmp(s->spec.image[i].digest, digest, SPEC_DIGEST_BYTES) == 0)
            return true;
    return false;
}

/* Rows that begin with it, or those of them that are not over; of private jobs none that is. */
static inline int image_jobs(const struct world *w, uint32_t owner,
                             const uint8_t digest[SPEC_DIGEST_BYTES], bool waiting)
{
    int n = 0;

    for (int i = 0; i < w->n_disk; i++) {
        const struct saved *s = w->disk[i];

        n += !s->deleted && s->row.owner == owner
             && !((waiting || s->row.private) && s->row.state != STATE_QUEUED)
             && begins_with(s, digest);
    }
    return n;
}

static inline void image_put(struct world *w, uint32_t owner,
                             const uint8_t digest[SPEC_DIGEST_BYTES], size_t bytes, bool upload)
{
    struct kept_image *k = image_find(w, owner, digest);

    if (!k) {
        MUST(w, w->n_kept_images < WORLD_IMAGES, "too many for this world");
        k = &w->kept_image[w->n_kept_images++];
        *k = (struct kept_image){.owner = owner, .bytes = bytes};
        memcpy(k->digest, digest, SPEC_DIGEST_BYTES);
    }
    k->upload |= upload;
    k->used_us = w->now;
}

static inline void image_drop(struct world *w, struct kept_image *k)
{
    *k = w->kept_image[--w->n_kept_images];
}

/* --- effects ---------------------------------------------------------------------------------- */

static inline struct image_way *image_push(struct world *w, uint64_t ticket, uint32_t owner)
{
    struct image_way *m = &w->image_way[w->image_end++ % WORLD_IMAGES];

    MUST(w, w->image_end - w->image_first <= WORLD_IMAGES, "too many on their way");
    *m = (struct image_way){.ticket = ticket, .owner = owner};
    return m;
}

static inline void out_take_image(void *arg, const struct hub_file *file)
{
    struct image_way *m = image_push(arg, file->ticket, file->owner);

    m->private = file->private;
    m->bytes = blob_ref(file->bytes);
    image_digest(file->bytes->data, file->bytes->len, m->digest);
}

static inline void out_discard_image(void *arg, uint64_t ticket, uint32_t owner,
                                     const uint8_t digest[SPEC_DIGEST_BYTES], bool forgotten)
{
    struct image_way *m = image_push(arg, ticket, owner);

    memcpy(m->digest, digest, SPEC_DIGEST_BYTES);
    m->forgotten = forgotten;
}

static inline void out_list_images(void *arg, uint32_t owner, struct text *out)
{
    const struct world *w = arg;

    for (int i = 0; i < w->n_kept_images; i++) {
        struct spec_image image = {.width = 64, .height = 64};
        const struct answer_image row = {.image = &image, .bytes = 1, .changed = "[]"};

        if (w->kept_image[i].owner != owner || !w->kept_image[i].upload) continue;
        memcpy(image.digest, w->kept_image[i].digest, SPEC_DIGEST_BYTES);
        answer_image_row(&row, out);
    }
}

static inline int out_source(void *arg, uint32_t owner, struct spec_image *image, struct fail *f)
{
    struct world *w = arg;

    if (!image_find(w, owner, image->digest) && !image_result(w, owner, image->digest))
        return fail_set(f, ERR_NOT_FOUND, "There is no such picture.");
    image->width = image->height = 64;
    return 0;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* A row is written: what it begins with is kept with it, or is gone. */
static inline bool images_refer(struct world *w, const struct saved *s)
{
    for (int i = 0; i < s->spec.images; i++) {
        const uint8_t *digest = s->spec.image[i].digest;

        if (s->row.in_memory >> i & 1) continue;
        if (!image_find(w, s->row.owner, digest) && !image_result(w, s->row.owner, digest))
            return false;
    }
    for (int i = 0; !s->row.private && i < s->spec.images; i++)
        image_put(w, s->row.owner, s->spec.image[i].digest, 1, false);
    return true;
}

static inline void discard_answer(struct world *w, const struct image_way *m, bool ok)
{
    struct kept_image *k = image_find(w, m->owner, m->digest);
    struct fail f = {0};

    if (!ok)
        fail_set(&f, ERR_IO, "the disk is full");
    else if (!k || !k->upload)
        f.code = m->forgotten ? 0 : fail_set(&f, ERR_NOT_FOUND, "There is no such upload");
    else if (image_jobs(w, m->owner, m->digest, true))
        fail_set(&f, ERR_CONFLICT, "a job begins with it");
    else
        image_drop(w, k);
    hub_discarded(w->hub, w->now, m->ticket, f.code ? &f : NULL);
}

static inline size_t uploaded_bytes(const struct world *w, uint32_t owner)
{
    size_t n = 0;

    for (int i = 0; i < w->n_kept_images; i++)
        if (w->kept_image[i].owner == owner && w->kept_image[i].upload) n += w->kept_image[i].bytes;
    return n;
}

static inline void take_answer(struct world *w, const struct image_way *m, bool ok)
{
    struct hub_image i = {.ticket = m->ticket,
                          .image = {.width = 64, .height = 64},
                          .bytes = (int64_t)m->bytes->len,
                          .private = m->private,
                          .changed = "[]"};
    const struct kept_image *k = image_find(w, m->owner, m->digest);
    struct fail f = {0};

    memcpy(i.image.digest, m->digest, SPEC_DIGEST_BYTES);
    if (!ok)
        fail_set(&f, ERR_BAD_IMAGE, "it is none");
    else if (m->private)
        i.png = m->bytes;
    else if (w->image_bound && !(k && k->upload)
             && uploaded_bytes(w, m->owner) + m->bytes->len > w->image_bound)
        fail_set(&f, ERR_TOO_LARGE, "too much");
    else
        image_put(w, m->owner, m->digest, m->bytes->len, true);
    hub_image(w->hub, w->now, &i, f.code ? &f : NULL);
}

/* Answer the oldest upload or discard; ok: the decoder and the disk take it. */
static inline void image_answer(struct world *w, bool ok)
{
    struct image_way m;

    if (w->image_first == w->image_end) return;
    m = w->image_way[w->image_first++ % WORLD_IMAGES];
    if (m.bytes)
        take_answer(w, &m, ok);
    else
        discard_answer(w, &m, ok);
    blob_unref(m.bytes);
}

static inline void images_lose(struct world *w)
{
    while (w->image_first != w->image_end)
        blob_unref(w->image_way[w->image_first++ % WORLD_IMAGES].bytes);
}

/* What no row begins with and was not used for so long goes. */
static inline void images_prune(struct world *w, int64_t keep_us)
{
    for (int i = w->n_kept_images - 1; i >= 0; i--) {
        struct kept_image *k = &w->kept_image[i];

        if (k->used_us < w->now - keep_us && !image_jobs(w, k->owner, k->digest, false))
            image_drop(w, k);
    }
}

#endif
