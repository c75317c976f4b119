/* spec_images - 64 hex digits name a file, 16 a job. */
#include "proto/spec_images.h"

#include "proto/id.h"

#include <string.h>

#include <sodium.h>

bool spec_digest_parse(const char *text, uint8_t out[SPEC_DIGEST_BYTES])
{
    size_t n = strspn(text, "0123456789abcdef"), got;

    return n == 2 * SPEC_DIGEST_BYTES && !text[n]
           && sodium_hex2bin(out, SPEC_DIGEST_BYTES, text, n, NULL, &got, NULL) == 0;
}

void spec_digest_text(const uint8_t digest[SPEC_DIGEST_BYTES], char out[SPEC_DIGEST_TEXT])
{
    sodium_bin2hex(out, SPEC_DIGEST_TEXT, digest, SPEC_DIGEST_BYTES);
}

static int fail_type(int most, struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, "images", "images is not a list of at most %d pictures", most);
    return fail_advise(f, "Use [\"..\"] with the digests of uploads or results, or with jobs.");
}

static int decode_one(struct spec_image *out, const json_t *v, int most, struct fail *f)
{
    const char *text = json_string_value(v);

    if (!text) return fail_type(most, f);
    if (spec_digest_parse(text, out->digest) || id_parse(text, &out->job)) return 0;
    fail_field(f, ERR_BAD_FIELD, "images", "images has \"%.70s\", which names no picture", text);
    return fail_advise(f, "Use the 64 hex digits of a picture's digest, or the 16 of a job.");
}

int spec_images_decode(struct spec_image out[LIMIT_IMAGES], const json_t *v, int most,
                       struct fail *f)
{
    const size_t n = json_array_size(v);
    int err = 0;

    if (!json_is_array(v) || n > (size_t)most) return fail_type(most, f);
    memset(out, 0, LIMIT_IMAGES * sizeof *out);
    for (size_t i = 0; i < n && !err; i++)
        err = decode_one(&out[i], json_array_get(v, i), most, f);
    return err ? err : (int)n;
}

int spec_images_refuse(const char *why, struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, "images", "%s", why);
    return fail_advise(f, "Leave images out.");
}

void spec_images_write(const struct spec_image *image, int n, struct text *out, const char *key)
{
    char digest[SPEC_DIGEST_TEXT];

    text_open(out, key, '[');
    for (int i = 0; i < n; i++) {
        spec_digest_text(image[i].digest, digest);
        if (image[i].job)
            text_id(out, NULL, image[i].job);
        else
            text_string(out, NULL, digest);
    }
    text_close(out, ']');
}

void spec_image_members(const struct spec_image *m, struct text *out)
{
    char digest[SPEC_DIGEST_TEXT];

    spec_digest_text(m->digest, digest);
    text_string(out, "digest", digest);
    text_int(out, "width", m->width);
    text_int(out, "height", m->height);
    if (m->used_width && (m->used_width != m->width || m->used_height != m->height)) {
        text_open(out, "used", '{');
        text_int(out, "width", m->used_width);
        text_int(out, "height", m->used_height);
        text_close(out, '}');
    }
}

void spec_image_write(const struct spec_image *m, struct text *out, const char *key)
{
    text_open(out, key, '{');
    spec_image_members(m, out);
    text_close(out, '}');
}

bool spec_images_same(const struct spec_image *a, int n, const struct spec_image *b, int m)
{
    bool same = n == m;

    for (int i = 0; i < n && same; i++)
        same = a[i].job == b[i].job && memcmp(a[i].digest, b[i].digest, SPEC_DIGEST_BYTES) == 0;
    return same;
}
