/* safetensors - open, check and search one model part's shards. */
#include "weights/safetensors/safetensors.h"
#include "weights/json.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files up to this size are read, larger ones mapped: what is in memory stays whole when the file
 * is truncated. */
enum { READ_BYTES_MAX = 64 << 20 };

struct shard {
    char *name; /* base name */
    const unsigned char *bytes;
    size_t size;
    int mapped;     /* munmap at the end */
    json_t *header; /* its keys are the tensors' names */
    size_t data;    /* where the data begin */
};

struct safetensors {
    struct shard *shard;
    size_t shards;
    struct stored_tensor *tensor; /* sorted by name once open */
    size_t n, cap;
};

static int out_of_memory(struct fail *f)
{
    return fail_set(f, ERR_OUT_OF_MEMORY, "no memory for the list of tensors");
}

/* ---- one header ---- */

static int parse_dtype(const char *s, enum stored_dtype *out)
{
    for (int i = 0; s && i < DTYPES; i++) {
        if (strcmp(s, dtype_name((enum stored_dtype)i)) != 0) continue;
        *out = (enum stored_dtype)i;
        return 0;
    }
    return -1;
}

/* Fill nd, dim and count from a JSON shape; on failure the end of the message, else NULL. */
static const char *parse_shape(const json_t *shape, struct stored_tensor *t)
{
    size_t nd;

    if (!json_is_array(shape)) return "has no shape";
    nd = json_array_size(shape);
    if (nd > LIMIT_TENSOR_DIMS) return "has more dimensions than any weight";
    t->nd = (int)nd;
    t->count = 1;
    for (size_t i = 0; i < LIMIT_TENSOR_DIMS; i++) {
        const json_t *v = i < nd ? json_array_get(shape, i) : NULL;

        t->dim[i] = v ? json_integer_value(v) : 1;
        if (v && (!json_is_integer(v) || t->dim[i] < 0)) return "has a shape that is no size";
        if (__builtin_mul_overflow(t->count, t->dim[i], &t->count))
            return "has a shape whose product overflows";
    }
    return NULL;
}

/* Fill the tensor from its header entry; on failure the end of the message, else NULL. */
static const char *parse_entry(const json_t *entry, const struct shard *s, struct stored_tensor *t)
{
    const char *wrong;
    const json_t *span, *b, *e;
    int64_t begin, end, bytes;

    if (!json_is_object(entry)) return "is not described by an object";
    if (parse_dtype(json_string_value(json_object_get(entry, "dtype")), &t->dtype))
        return "has an unknown dtype";
    if ((wrong = parse_shape(json_object_get(entry, "shape"), t))) return wrong;
    span = json_object_get(entry, "data_offsets");
    b = json_array_get(span, 0);
    e = json_array_get(span, 1);
    if (json_array_size(span) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return "has no data_offsets";
    begin = json_integer_value(b);
    end = json_integer_value(e);
    if (begin < 0 || end < begin || (uint64_t)end > s->size - s->data)
        return "has data_offsets outside the file";
    if (__builtin_mul_overflow(t->count, (int64_t)dtype_bytes(t->dtype), &bytes)
        || bytes != end - begin)
        return "has data_offsets that do not fit its shape and dtype";
    t->bytes = (size_t)bytes;
    t->data = s->bytes + s->data + begin;
    return NULL;
}

static int grow(struct safetensors *st, const char *file, struct fail *f)
{
    size_t cap;
    struct stored_tensor *t;

    if (st->n == LIMIT_TENSORS)
        return fail_set(f, ERR_MODEL, "%s: more than %d tensors", file, LIMIT_TENSORS);
    if (st->n < st->cap) return 0;
    cap = st->cap ? 2 * st->cap : 256;
    t = realloc(st->tensor, cap * sizeof *t);
    if (!t) return out_of_memory(f);
    st->tensor = t;
    st->cap = cap;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct stored_tensor *x = a, *y = b;

    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The tensors from `first` on are this shard's: they must tile its data without overlap or hole. */
static int check_tiling(struct safetensors *st, size_t first, const struct shard *s, struct fail *f)
{
    const unsigned char *at = s->bytes + s->data;
    size_t rest;

    if (st->n > first) qsort(st->tensor + first, st->n - first, sizeof *st->tensor, by_place);
    for (size_t i = first; i < st->n; i++) {
        const struct stored_tensor *t = &st->tensor[i];
        const unsigned char *p = t->data;

        if (p != at)
            return fail_set(f, ERR_MODEL, "%s: tensor %s %s", s->name, t->name,
                            p < at ? "overlaps the one before it" : "leaves a hole before it");
        at = p + t->bytes;
    }
    rest = (size_t)(s->bytes + s->size - at);
    if (rest) return fail_set(f, ERR_MODEL, "%s: %zu bytes after the last tensor", s->name, rest);
    return 0;
}

static int check_meta(const struct shard *s, const json_t *meta, struct fail *f)
{
    const char *key;
    const json_t *v;

    if (!json_is_object(meta))
        return fail_set(f, ERR_MODEL, "%s: __metadata__ is not an object", s->name);
    json_object_foreach((json_t *)meta, key, v) if (!json_is_string(v)) return fail_set(
        f, ERR_MODEL, "%s: __metadata__ %s is not a string", s->name, key);
    return 0;
}

static int parse_header(struct shard *s, struct fail *f)
{
    uint64_t n;
    json_error_t e;
    const char *text;
    char twice[256];

    if (s->size < 8) return fail_set(f, ERR_MODEL, "%s: shorter than its header", s->name);
    memcpy(&n, s->bytes, sizeof n); /* little endian, as all supported machines */
    if (n > LIMIT_HEADER_BYTES || n > s->size - 8)
        return fail_set(f, ERR_MODEL, "%s: a header of %" PRIu64 " bytes cannot be", s->name, n);
    s->data = 8 + (size_t)n;
    text = (const char *)s->bytes + 8;
    s->header = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &e);
    if (!s->header && json_twice(text, &e, twice, sizeof twice))
        return fail_set(f, ERR_MODEL, "%s: %s is in its header twice", s->name, twice);
    if (!json_is_object(s->header))
        return fail_set(f, ERR_MODEL, "%s: its header is not a JSON object: %s", s->name,
                        s->header ? "another value" : e.text);
    return 0;
}

/* Append a shard's tensors, checked. */
static int add_tensors(struct safetensors *st, struct shard *s, struct fail *f)
{
    size_t first = st->n;
    const char *key, *wrong;
    json_t *entry;
    int err = parse_header(s, f);

    if (err) return err;
    json_object_foreach(s->header, key, entry)
    {
        struct stored_tensor *t;

        if (!strcmp(key, "__metadata__")) {
            if ((err = check_meta(s, entry, f))) return err;
            continue;
        }
        if ((err = grow(st, s->name, f))) return err;
        t = &st->tensor[st->n];
        *t = (struct stored_tensor){.name = key, .file = s->name};
        if ((wrong = parse_entry(entry, s, t)))
            return fail_set(f, ERR_MODEL, "%s: tensor %s %s", s->name, key, wrong);
        st->n++;
    }
    return check_tiling(st, first, s, f);
}

/* ---- shards ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Room for `shards` files; their number is fixed here, because tensors point at their names. */
static int new_part(struct safetensors **out, size_t shards, struct fail *f)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return out_of_memory(f);
    (*out)->shard = calloc(shards ? shards : 1, sizeof *(*out)->shard);
    return (*out)->shard ? 0 : out_of_memory(f);
}

static struct shard *new_shard(struct safetensors *st, const char *path)
{
    struct shard *s = &st->shard[st->shards];

    s->name = strdup(base_name(path));
    if (!s->name) return NULL;
    st->shards++;
    return s;
}

/* The whole of a small file, in memory that is mapped, too; MAP_FAILED with errno. */
static void *read_all(int fd, size_t size)
{
    unsigned char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t have = 0;

    while (p != MAP_FAILED && have < size) {
        ssize_t n = read(fd, p + have, size - have);

        if (n > 0) have += (size_t)n;
        if (n > 0 || (n < 0 && errno == EINTR)) continue;
        if (n == 0) errno = EIO; /* it became shorter */
        munmap(p, size);
        p = MAP_FAILED;
    }
    return p;
}

static int load_file(struct shard *s, const char *path, struct fail *f)
{
    struct stat info;
    void *p = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not block */
    int err = fd < 0 || fstat(fd, &info) ? errno : 0;

    if (!err && (!S_ISREG(info.st_mode) || info.st_size <= 0)) {
        close(fd);
        return fail_set(f, ERR_MODEL, "%s: %s", s->name,
                        S_ISREG(info.st_mode) ? "the file is empty" : "this is not a file");
    }
    if (!err) {
        s->size = (size_t)info.st_size;
        p = s->size <= READ_BYTES_MAX ? read_all(fd, s->size)
                                      : mmap(NULL, s->size, PROT_READ, MAP_SHARED, fd, 0);
        err = p == MAP_FAILED ? errno : 0;
    }
    if (fd >= 0) close(fd);
    if (err) return fail_set(f, ERR_MODEL, "%s: %s", s->name, strerror(err));
    s->bytes = p;
    s->mapped = 1;
    return 0;
}

static int add_file(struct safetensors *st, const char *path, struct fail *f)
{
    struct shard *s = new_shard(st, path);
    int err;

    if (!s) return out_of_memory(f);
    err = load_file(s, path, f);
    return err ? err : add_tensors(st, s, f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct stored_tensor *)a)->name, ((const struct stored_tensor *)b)->name);
}

/* Sort, and refuse a name that two shards have. */
static int finish(struct safetensors *st, struct fail *f)
{
    if (st->n) qsort(st->tensor, st->n, sizeof *st->tensor, by_name);
    for (size_t i = 1; i < st->n; i++) {
        const struct stored_tensor *a = &st->tensor[i - 1], *b = &st->tensor[i];

        if (!strcmp(a->name, b->name))
            return fail_set(f, ERR_MODEL, "tensor %s is in %s and in %s", a->name, a->file,
                            b->file);
    }
    return 0;
}

/* Give the handle to the caller, or close it after a failure. */
static int hand_over(struct safetensors **out, struct safetensors *st, int err)
{
    *out = err ? NULL : st;
    if (err) safetensors_close(st);
    return err;
}

int safetensors_open(struct safetensors **out, const char *path, struct fail *f)
{
    struct safetensors *st;
    int err = new_part(&st, 1, f);

    if (!err) err = add_file(st, path, f);
    if (!err) err = finish(st, f);
    return hand_over(out, st, err);
}

int safetensors_open_memory(struct safetensors **out, const void *bytes, size_t size,
                            const char *name, struct fail *f)
{
    struct safetensors *st;
    int err = new_part(&st, 1, f);

    if (!err) {
        struct shard *s = new_shard(st, name);

        err = s ? 0 : out_of_memory(f);
        if (s) {
            s->bytes = bytes;
            s->size = size;
            err = add_tensors(st, s, f);
        }
    }
    if (!err) err = finish(st, f);
    return hand_over(out, st, err);
}

void safetensors_close(struct safetensors *st)
{
    if (!st) return;
    for (size_t i = 0; i < st->shards; i++) {
        struct shard *s = &st->shard[i];

        if (s->mapped) munmap((void *)s->bytes, s->size);
        json_decref(s->header);
        free(s->name);
    }
    free(st->shard);
    free(st->tensor);
    free(st);
}

/* ---- the index of a sharded part ---- */

/* Whether an index entry is a file name without a folder. */
static int plain_name(const char *s)
{
    return s && *s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

/* The distinct file names of a weight_map, borrowed from it. */
static int list_files(json_t *map, const char *index, const char *name[LIMIT_SHARDS], size_t *n,
                      struct fail *f)
{
    const char *key;
    json_t *v;

    *n = 0;
    json_object_foreach(map, key, v)
    {
        const char *file = json_string_value(v);
        size_t i = 0;

        if (!plain_name(file))
            return fail_set(f, ERR_MODEL, "%s: tensor %s names no file of this folder", index, key);
        while (i < *n && strcmp(name[i], file) != 0)
            i++;
        if (i < *n) continue;
        if (*n == LIMIT_SHARDS)
            return fail_set(f, ERR_MODEL, "%s: more than %d files", index, LIMIT_SHARDS);
        name[(*n)++] = file;
    }
    return 0;
}

/* Every index entry must exist in its shard, and every tensor must be in the index. */
static int check_index(const struct safetensors *st, json_t *map, const char *index, struct fail *f)
{
    const char *key;
    json_t *v;

    json_object_foreach(map, key, v)
    {
        const struct stored_tensor *t = safetensors_find(st, key);
        const char *file = json_string_value(v);

        if (!t || strcmp(t->file, file) != 0)
            return fail_set(f, ERR_MODEL, "%s: tensor %s should be in %s but is %s%s", index, key,
                            file, t ? "in " : "missing there", t ? t->file : "");
    }
    for (size_t i = 0; i < st->n; i++)
        if (!json_object_get(map, st->tensor[i].name))
            return fail_set(f, ERR_MODEL, "%s: tensor %s of %s is not in the index", index,
                            st->tensor[i].name, st->tensor[i].file);
    return 0;
}

static int join(char *out, size_t size, const char *dir, const char *name, struct fail *f)
{
    if (snprintf(out, size, "%s/%s", dir, name) < (int)size) return 0;
    return fail_set(f, ERR_MODEL, "the path of %s is too long", name);
}

static int load_index(struct json_doc *d, const char *dir, const char *index, struct fail *f)
{
    int err = json_open(d, dir, index, f);
    json_t *map = json_object_get(d->root, "weight_map");

    if (!err && (!json_is_object(map) || json_object_size(map) == 0))
        err = fail_set(f, ERR_MODEL, "%s: no weight_map", index);
    if (!err && json_object_size(map) > LIMIT_TENSORS)
        err = fail_set(f, ERR_MODEL, "%s: more than %d tensors", index, LIMIT_TENSORS);
    return err;
}

static int open_index(struct safetensors **out, const char *dir, const char *index, struct fail *f)
{
    char path[4096];
    struct json_doc doc;
    struct safetensors *st = NULL;
    const char *name[LIMIT_SHARDS];
    size_t n = 0;
    int err = load_index(&doc, dir, index, f);
    json_t *map = json_object_get(doc.root, "weight_map");

    if (!err) err = list_files(map, index, name, &n, f);
    if (!err) err = new_part(&st, n, f);
    for (size_t i = 0; !err && i < n; i++) {
        err = join(path, sizeof path, dir, name[i], f);
        if (!err) err = add_file(st, path, f);
    }
    if (!err) err = finish(st, f);
    if (!err) err = check_index(st, map, index, f);
    json_close(&doc);
    return hand_over(out, st, err);
}

/* ---- a part's folder ---- */

static int ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);

    return n > k && !strcmp(s + n - k, tail);
}

/* The only file of the folder with this ending; 0 none, 1 found, 2 several. */
static int only_file(const char *dir, const char *tail, char *name, size_t size)
{
    DIR *d = opendir(dir);
    int found = 0;

    for (struct dirent *e; d && found < 2 && (e = readdir(d));)
        if (ends_with(e->d_name, tail) && ++found == 1) snprintf(name, size, "%s", e->d_name);
    if (d) closedir(d);
    return found;
}

static int exists(const char *dir, const char *stem, const char *tail, char *name, size_t size)
{
    char path[4096];

    if (snprintf(name, size, "%s%s", stem, tail) >= (int)size) return 0;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) return 0;
    return access(path, F_OK) == 0;
}

int safetensors_open_part(struct safetensors **out, const char *dir, const char *stem,
                          struct fail *f)
{
    static const char index[] = ".safetensors.index.json", single[] = ".safetensors";
    char name[300], path[4096];
    int err;

    *out = NULL;
    if (exists(dir, stem, index, name, sizeof name)) return open_index(out, dir, name, f);
    if (!exists(dir, stem, single, name, sizeof name)) {
        int found;

        if (only_file(dir, index, name, sizeof name) == 1) return open_index(out, dir, name, f);
        found = only_file(dir, single, name, sizeof name);
        if (found != 1)
            return fail_set(f, ERR_MODEL, "%s *.safetensors in the folder",
                            found ? "no index and several" : "no");
    }
    err = join(path, sizeof path, dir, name, f);
    return err ? err : safetensors_open(out, path, f);
}

/* ---- search ---- */

size_t safetensors_count(const struct safetensors *st)
{
    return st->n;
}

size_t safetensors_files(const struct safetensors *st)
{
    return st->shards;
}

const struct stored_tensor *safetensors_at(const struct safetensors *st, size_t i)
{
    assert(i < st->n);
    return &st->tensor[i];
}

const struct stored_tensor *safetensors_find(const struct safetensors *st, const char *name)
{
    const struct stored_tensor key = {.name = name};

    return st->n ? bsearch(&key, st->tensor, st->n, sizeof key, by_name) : NULL;
}

const char *safetensors_meta(const struct safetensors *st, const char *key)
{
    const json_t *meta = json_object_get(st->shard[0].header, "__metadata__");

    return json_string_value(json_object_get(meta, key));
}
