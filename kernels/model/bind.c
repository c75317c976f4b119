/* bind - weight specifications from tensor names. */
#include "kernels/model/bind.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 512, GROUPS_MORE = 64 };

static struct source source_of(const struct stored_tensor *t)
{
    int64_t rows = t->nd ? t->dim[0] : 1;

    return (struct source){
        .data = t->data, .type = (int)t->dtype, .rows = rows, .cols = t->count / rows};
}

/* Make room first, so that a weight that exists is always owned. */
static int list_grow(struct weight_list *p)
{
    int cap;
    struct weight **w;

    if (p->n < p->cap) return 0;
    cap = p->cap ? 2 * p->cap : 256;
    w = realloc(p->w, (size_t)cap * sizeof *w);
    if (!w) return -1;
    p->w = w;
    p->cap = cap;
    return 0;
}

static int open_group(struct bind *b, enum part part, int images)
{
    struct weight_list *p = b->list;

    if (b->err) return 0;
    if (p->groups % GROUPS_MORE == 0) {
        struct residency_group *g =
            realloc(p->group, (size_t)(p->groups + GROUPS_MORE) * sizeof *g);

        if (!g) {
            b->err = fail_set(b->fail, ERR_OUT_OF_MEMORY, "no memory for the list of layers");
            return 0;
        }
        p->group = g;
    }
    p->group[p->groups] = (struct residency_group){.side = part == PART_DIT || part == PART_VAE,
                                                   .part = (int)part + (images ? PARTS : 0),
                                                   .images = images};
    b->group = ++p->groups;
    return b->group - 1;
}

int bind_group(struct bind *b, enum part part)
{
    return open_group(b, part, 0);
}

int bind_images_group(struct bind *b, enum part part)
{
    return open_group(b, part, 1);
}

/* Its place in the open group. */
static void place(struct bind *b, struct weight_spec *spec)
{
    struct weight_list *p = b->list;
    struct residency_group *g;
    size_t size;

    if (!b->group) return;
    g = &p->group[b->group - 1];
    size = p->dev->ops->weight_size(p->dev, spec);
    if (p->offload) offload_locate(p->offload, b->group - 1, g->bytes, &spec->at, &spec->home);
    g->bytes += (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

static const struct weight *make(struct bind *b, struct weight_spec *spec)
{
    struct weight_list *p = b->list;

    if (b->err) return NULL;
    if (list_grow(p)) {
        b->err = fail_set(b->fail, ERR_OUT_OF_MEMORY, "no memory for the list of weights");
        return NULL;
    }
    place(b, spec);
    b->err = p->dev->ops->weight_new(p->dev, &p->w[p->n], spec, b->fail);
    if (b->err) return NULL;
    if (!b->group) p->loose += p->dev->ops->weight_bytes(p->w[p->n]);
    return p->w[p->n++];
}

const struct weight *bind_linear(struct bind *b, enum part part, enum bind_bias bias,
                                 const char *names, ...)
{
    char text[NAMES_MAX], *save = NULL;
    va_list ap;
    struct weight_spec spec = {.use = USE_LINEAR};

    va_start(ap, names);
    vsnprintf(text, sizeof text, names, ap);
    va_end(ap);
    for (char *s = strtok_r(text, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        assert(spec.n < 4);
        if (!spec.name) spec.name = s;
        spec.part[spec.n] = source_of(model_tensor(b->model, part, "%s.weight", s));
        if (bias) spec.bias[spec.n] = source_of(model_tensor(b->model, part, "%s.bias", s));
        spec.n++;
    }
    return make(b, &spec);
}

/* One tensor, name already complete. */
static const struct weight *make_one(struct bind *b, enum part part, enum weight_use use,
                                     const char *name)
{
    struct weight_spec spec = {.use = use, .n = 1, .name = name};

    spec.part[0] = source_of(model_tensor(b->model, part, "%s", name));
    return make(b, &spec);
}

static const struct weight *conv_of(struct bind *b, enum part part, const char *name, int up)
{
    const struct stored_tensor *t = model_tensor(b->model, part, "%s.weight", name);
    struct weight_spec spec = {
        .use = USE_CONV, .n = 1, .k = (int)t->dim[3], .up = up, .name = name};

    spec.part[0] = source_of(t);
    spec.bias[0] = source_of(model_tensor(b->model, part, "%s.bias", name));
    return make(b, &spec);
}

const struct weight *bind_conv(struct bind *b, enum part part, const char *name, ...)
{
    char text[NAMES_MAX];
    va_list ap;

    va_start(ap, name);
    vsnprintf(text, sizeof text, name, ap);
    va_end(ap);
    return conv_of(b, part, text, 0);
}

const struct weight *bind_conv_up(struct bind *b, enum part part, const char *name)
{
    return conv_of(b, part, name, 1);
}

const struct weight *bind_table(struct bind *b, enum part part, const char *name, ...)
{
    char text[NAMES_MAX];
    va_list ap;

    va_start(ap, name);
    vsnprintf(text, sizeof text, name, ap);
    va_end(ap);
    return make_one(b, part, USE_TABLE, text);
}

const struct weight *bind_table_rows(struct bind *b, enum part part, int64_t rows, const char *name)
{
    struct weight_spec spec = {.use = USE_TABLE, .n = 1, .name = name};

    spec.part[0] = source_of(model_tensor(b->model, part, "%s", name));
    assert(rows <= spec.part[0].rows);
    spec.part[0].rows = rows;
    return make(b, &spec);
}

const struct weight *bind_vector(struct bind *b, enum part part, const char *name, ...)
{
    char text[NAMES_MAX];
    va_list ap;

    va_start(ap, name);
    vsnprintf(text, sizeof text, name, ap);
    va_end(ap);
    return make_one(b, part, USE_VECTOR, text);
}

const struct weight *bind_values(struct bind *b, enum weight_use use, const char *name,
                                 const float *v, int64_t rows, int64_t cols)
{
    struct weight_spec spec = {.use = use, .n = 1, .name = name};

    spec.part[0] = (struct source){.data = v, .type = DTYPE_F32, .rows = rows, .cols = cols};
    return make(b, &spec);
}

size_t weight_list_bytes(const struct weight_list *p)
{
    size_t sum = 0;

    for (int i = 0; i < p->n; i++)
        sum += p->dev->ops->weight_bytes(p->w[i]);
    return sum;
}

void weight_list_free(struct weight_list *p)
{
    for (int i = 0; i < p->n; i++)
        p->dev->ops->weight_free(p->dev, p->w[i]);
    free(p->w);
    free(p->group);
    *p = (struct weight_list){0};
}
