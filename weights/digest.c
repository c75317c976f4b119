/* digest - hashing configuration and weights. */
#include "weights/digest.h"

#include <sodium.h>
#include <string.h>

enum { PAGE_BYTES = 4096, PAGES = 16 };

static void add(crypto_generichash_state *h, const void *p, size_t n)
{
    crypto_generichash_update(h, p, n);
}

static void add_data(crypto_generichash_state *h, const char *data, size_t bytes)
{
    if (bytes <= PAGE_BYTES * PAGES) {
        add(h, data, bytes);
        return;
    }
    for (size_t i = 0; i < PAGES; i++)
        add(h, data + (bytes - PAGE_BYTES) / (PAGES - 1) * i, PAGE_BYTES);
    add(h, data + bytes - PAGE_BYTES, PAGE_BYTES);
}

static void add_tensor(crypto_generichash_state *h, const struct stored_tensor *t)
{
    add(h, t->name, strlen(t->name) + 1);
    add(h, dtype_name(t->dtype), strlen(dtype_name(t->dtype)) + 1);
    add(h, t->dim, sizeof t->dim);
    add_data(h, t->data, t->bytes);
}

void digest_model(char out[DIGEST_TEXT], const struct model *m)
{
    crypto_generichash_state h;
    unsigned char sum[(DIGEST_TEXT - 1) / 2];

    crypto_generichash_init(&h, NULL, 0, sizeof sum);
    add(&h, &m->cfg, sizeof m->cfg);
    for (int p = 0; p < PARTS; p++)
        for (size_t i = 0; i < safetensors_count(m->part[p]); i++)
            add_tensor(&h, safetensors_at(m->part[p], i));
    crypto_generichash_final(&h, sum, sizeof sum);
    sodium_bin2hex(out, DIGEST_TEXT, sum, sizeof sum);
}
