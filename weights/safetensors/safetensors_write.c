/* safetensors_write - write a header, then the data, under a temporary name. */
#include "weights/safetensors/safetensors_write.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct placed {
    const struct safetensors_entry *e;
    size_t bytes;
};

static size_t entry_bytes(const struct safetensors_entry *e)
{
    size_t n = dtype_bytes(e->dtype);

    for (int i = 0; i < e->nd; i++)
        n *= (size_t)e->dim[i];
    return n;
}

/* Large elements first, so that everything is aligned; then by name. */
static int by_size_then_name(const void *a, const void *b)
{
    const struct safetensors_entry *x = ((const struct placed *)a)->e,
                                   *y = ((const struct placed *)b)->e;
    size_t sx = dtype_bytes(x->dtype), sy = dtype_bytes(y->dtype);

    if (sx != sy) return sx > sy ? -1 : 1;
    return strcmp(x->name, y->name);
}

static json_t *describe(const struct placed *p, size_t at)
{
    json_t *shape = json_array();

    for (int i = 0; i < p->e->nd; i++)
        json_array_append_new(shape, json_integer((json_int_t)p->e->dim[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtype_name(p->e->dtype), "shape", shape,
                     "data_offsets", (json_int_t)at, (json_int_t)(at + p->bytes));
}

/* The header's JSON text, to be freed; NULL with the failure set. */
static char *make_header(const struct placed *p, size_t n, const char *const (*meta)[2],
                         size_t n_meta, struct fail *f)
{
    json_t *root = json_object();
    size_t at = 0;
    char *text = NULL;

    if (n_meta) {
        json_t *m = json_object();

        for (size_t i = 0; i < n_meta; i++)
            json_object_set_new(m, meta[i][0], json_string(meta[i][1]));
        json_object_set_new(root, "__metadata__", m);
    }
    for (size_t i = 0; i < n; at += p[i++].bytes) {
        if (json_object_get(root, p[i].e->name)) {
            fail_set(f, ERR_INTERNAL, "tensor %s is given twice", p[i].e->name);
            goto out;
        }
        json_object_set_new(root, p[i].e->name, describe(&p[i], at));
    }
    if (json_object_size(root) == n + (n_meta > 0)) text = json_dumps(root, JSON_COMPACT);
    if (!text) fail_set(f, ERR_INTERNAL, "a tensor's name or the metadata is not UTF-8");
out:
    json_decref(root);
    return text;
}

static int put(FILE *o, const char *header, const struct placed *p, size_t n)
{
    static const char pad[8] = "        ";
    size_t len = strlen(header), more = (8 - len % 8) % 8;
    uint64_t total = len + more;

    if (fwrite(&total, sizeof total, 1, o) != 1 || fwrite(header, 1, len, o) != len
        || fwrite(pad, 1, more, o) != more)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (fwrite(p[i].e->data, 1, p[i].bytes, o) != p[i].bytes) return -1;
    return 0;
}

/* Write beside the target and rename: a reader never sees half a file. A path that is no
 * regular file (a device, a link to one) is opened and written directly. */
static int store(const char *path, const char *header, const struct placed *p, size_t n,
                 struct fail *f)
{
    char part[4096];
    struct stat st;
    bool special = !lstat(path, &st) && !S_ISREG(st.st_mode);
    FILE *o;
    int bad, why;

    if (snprintf(part, sizeof part, special ? "%s" : "%s.part", path) >= (int)sizeof part)
        return fail_set(f, ERR_IO, "%s: the path is too long", path);
    o = fopen(part, "wbe");
    if (!o) return fail_set(f, ERR_IO, "%s: %s", path, strerror(errno));
    bad = put(o, header, p, n);
    bad |= fclose(o);
    if (!bad && !special) bad = rename(part, path);
    if (!bad) return 0;
    why = errno;
    if (!special) unlink(part);
    return fail_set(f, ERR_IO, "%s: %s", path, strerror(why));
}

int safetensors_write(const char *path, const struct safetensors_entry *e, size_t n,
                      const char *const (*meta)[2], size_t n_meta, struct fail *f)
{
    struct placed *p = calloc(n ? n : 1, sizeof *p);
    char *header;
    int err;

    if (!p) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the list of tensors");
    for (size_t i = 0; i < n; i++)
        p[i] = (struct placed){&e[i], entry_bytes(&e[i])};
    qsort(p, n, sizeof *p, by_size_then_name);
    header = make_header(p, n, meta, n_meta, f);
    err = header ? store(path, header, p, n, f) : ERR_INTERNAL;
    free(header);
    free(p);
    return err;
}
