/* tuning - a short list, and its file. */
#include "kernels/cuda/tuning.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void tuning_open(struct tuning *t, const char *cache, const char *library, size_t version,
                 const char *model)
{
    FILE *f;
    int n;

    memset(t, 0, sizeof *t);
    if (!cache) return;
    n = snprintf(t->file, sizeof t->file, "%s/%s-%zu-%s.bin", cache, library, version, model);
    if (n < 0 || (size_t)n >= sizeof t->file) t->file[0] = 0;
    f = t->file[0] ? fopen(t->file, "r+be") : NULL;
    if (!f) return;
    while (t->n < TUNING_RECORDS && fread(&t->record[t->n], sizeof t->record[0], 1, f) == 1
           && t->record[t->n].key)
        t->n++;
    if (ftruncate(fileno(f), (off_t)((size_t)t->n * sizeof t->record[0]))) t->file[0] = 0;
    fclose(f);
}

const void *tuning_find(const struct tuning *t, uint64_t key)
{
    for (int i = 0; i < t->n; i++)
        if (t->record[i].key == key) return t->record[i].what;
    return NULL;
}

const void *tuning_hold(struct tuning *t, uint64_t key, const void *what, size_t bytes)
{
    struct tuning_record *r;

    assert(key && bytes <= TUNING_BYTES);
    if (t->n == TUNING_RECORDS) return NULL;
    r = &t->record[t->n++];
    memset(r, 0, sizeof *r);
    r->key = key;
    memcpy(r->what, what, bytes);
    return r->what;
}

const void *tuning_keep(struct tuning *t, uint64_t key, const void *what, size_t bytes)
{
    const void *kept = tuning_hold(t, key, what, bytes);
    FILE *f = kept && t->file[0] ? fopen(t->file, "abe") : NULL;

    if (!f) return kept;
    /* a record that is lost is timed again */
    fwrite(&t->record[t->n - 1], sizeof t->record[0], 1, f);
    fclose(f);
    return kept;
}
