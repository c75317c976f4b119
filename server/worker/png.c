/* png - stb_image_write makes the picture, libdeflate compresses it, text chunks go in after
 * IHDR. */
#include "server/worker/png.h"

#include "proto/text.h"

#include <assert.h>
#include <libdeflate.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* stb's zlib hook: returns malloc'ed bytes or NULL. */
static unsigned char *compress_zlib(unsigned char *data, int len, int *out_len, int quality)
{
    struct libdeflate_compressor *c;
    size_t max;
    unsigned char *out;

    (void)quality;
    *out_len = 0;
    c = libdeflate_alloc_compressor(6);
    if (!c) return NULL;
    max = libdeflate_zlib_compress_bound(c, (size_t)len);
    out = malloc(max);
    if (out) *out_len = (int)libdeflate_zlib_compress(c, data, (size_t)len, out, max);
    libdeflate_free_compressor(c);
    return out;
}

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBIW_ZLIB_COMPRESS compress_zlib
#include <stb/stb_image_write.h>

enum { PNG_HEAD_BYTES = 8 + 12 + 13 }; /* signature and IHDR, which must come first */

static uint8_t *put_u32(uint8_t *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(n >> (24 - 8 * i));
    return at + 4;
}

static int is_ascii(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s > 0x7e) return 0;
    return 1;
}

static size_t chunk_bytes(const struct png_text *t)
{
    return 12 + strlen(t->key) + 1 + (is_ascii(t->value) ? 0 : 4) + strlen(t->value);
}

/* length, type, key NUL [no compression, method, language NUL, translated key NUL] value, CRC */
static uint8_t *put_chunk(uint8_t *at, const struct png_text *t)
{
    size_t len = chunk_bytes(t) - 12, key = strlen(t->key), value = strlen(t->value);
    int ascii = is_ascii(t->value);
    uint8_t *checked;

    at = put_u32(at, (uint32_t)len);
    checked = at;
    memcpy(at, ascii ? "tEXt" : "iTXt", 4);
    memcpy(at + 4, t->key, key + 1);
    at += 4 + key + 1;
    if (!ascii) {
        memset(at, 0, 4);
        at += 4;
    }
    memcpy(at, t->value, value);
    return put_u32(at + value, libdeflate_crc32(0, checked, len + 4));
}

static uint8_t *insert_texts(const uint8_t *plain, size_t len, const struct png_text *texts, int n,
                             size_t *out_len)
{
    size_t more = 0;
    uint8_t *out, *at;

    for (int i = 0; i < n; i++)
        more += chunk_bytes(&texts[i]);
    out = malloc(len + more);
    at = out + PNG_HEAD_BYTES;
    if (!out) return NULL;
    memcpy(out, plain, PNG_HEAD_BYTES);
    for (int i = 0; i < n; i++)
        at = put_chunk(at, &texts[i]);
    memcpy(at, plain + PNG_HEAD_BYTES, len - PNG_HEAD_BYTES);
    *out_len = len + more;
    return out;
}

int png_encode(const uint8_t *rgb, int width, int height, const struct png_text *texts, int n_texts,
               uint8_t **out, size_t *len, struct fail *f)
{
    int plain_len = 0;
    uint8_t *plain;

    *out = NULL;
    *len = 0;
    plain = stbi_write_png_to_mem(rgb, width * 3, width, height, 3, &plain_len);
    if (plain && plain_len > PNG_HEAD_BYTES)
        *out = insert_texts(plain, (size_t)plain_len, texts, n_texts, len);
    free(plain);
    if (!*out) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory to encode the picture.");
    return 0;
}

int png_encode_spec(const struct glm_picture *picture, const struct spec *spec, int steps,
                    const char *model, const char *version, uint8_t **out, size_t *len,
                    struct fail *f)
{
    struct text json;
    size_t json_len;
    struct png_text texts[] = {
        {"prompt", spec->prompt}, {"parameters", NULL}, {"model", model}, {"version", version}};
    char *parameters;
    int err;

    *out = NULL;
    text_init(&json, 0, LIMIT_PROMPT_BYTES * 6 + 1024);
    spec_write_picture(spec, steps, &json, NULL);
    parameters = text_take(&json, &json_len);
    if (!parameters) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory to encode the picture.");
    texts[1].value = parameters;
    err = png_encode(picture->rgb, picture->width, picture->height, texts, 4, out, len, f);
    free(parameters);
    return err;
}

void png_digest(const void *bytes, size_t len, char out[PNG_DIGEST_TEXT])
{
    uint8_t sum[PNG_DIGEST_BYTES];
    int err = crypto_generichash(sum, sizeof sum, bytes, len, NULL, 0);

    assert(!err);
    (void)err;
    sodium_bin2hex(out, PNG_DIGEST_TEXT, sum, sizeof sum);
}
