/* model - open a folder completely, or report its first problem. */
#include "weights/model.h"

#include "weights/manifest.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Put the part's folder in front of a failure's message. */
static int in_part(enum part p, int err, struct fail *f)
{
    char text[sizeof f->message];

    if (!err || !f) return err;
    snprintf(text, sizeof text, "%s", f->message);
    return fail_set(f, (enum err)err, "%s: %.350s", config_part_dir(p), text);
}

static int open_part(struct safetensors **out, const char *dir, enum part p, struct fail *f)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, config_part_dir(p));

    *out = NULL;
    if (n >= (int)sizeof path) return fail_set(f, ERR_MODEL, "the model's path is too long");
    return in_part(p, safetensors_open_part(out, path, config_part_stem(p), f), f);
}

/* The token exists; with id >= 0 it also has this id, which is the configuration's `key`. */
static int check_token(const struct bpe *b, const char *text, const char *key, int id,
                       struct fail *f)
{
    int32_t found = bpe_id(b, text);

    if (found < 0)
        return fail_set(f, ERR_MODEL, "processor/tokenizer.json: no token \"%.80s\" (%s)", text,
                        key);
    if (id < 0 || found == id) return 0;
    return fail_set(f, ERR_MODEL,
                    "processor/tokenizer.json: token \"%.80s\" has the id %" PRId32
                    ", but vision_language_encoder/config.json: %s is %d",
                    text, found, key, id);
}

/* The tokenizer and the configuration must agree on the ids. */
static int check_tokens(const struct model_config *c, const struct bpe *b, struct fail *f)
{
    const struct token_config *t = &c->token;
    int err = check_token(b, t->bos, "image_start_token_id", t->image_start, f);

    if (!err) err = check_token(b, t->eos, "image_end_token_id", t->image_end, f);
    if (!err) err = check_token(b, t->image_text, "image_token_id", t->image, f);
    if (!err) err = check_token(b, t->grid_bos, "grid_bos_token", -1, f);
    if (!err) err = check_token(b, t->grid_eos, "grid_eos_token", -1, f);
    if (err || bpe_max_id(b) < c->ar.vocab) return err;
    return fail_set(f, ERR_MODEL,
                    "processor/tokenizer.json: the id %" PRId32
                    " is past the embedding of %d rows (text_config.vocab_size)",
                    bpe_max_id(b), c->ar.vocab);
}

static int open_tokenizer(struct model *m, const char *dir, struct fail *f)
{
    int err = bpe_open(&m->bpe, dir, "processor/tokenizer.json", f);

    return err ? err : check_tokens(&m->cfg, m->bpe, f);
}

/* Count the parameters and bytes that the model uses. */
static void count_weights(struct model *m, const struct manifest *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct manifest_tensor *t = &list->tensor[i];
        const struct stored_tensor *s = manifest_find(m->part[t->part], t->part, t->name);

        m->params += s->count;
        m->bytes += (int64_t)s->bytes;
    }
}

/* Compare every tensor of the parts that could be opened. */
static int compare(struct model *m, struct manifest_report *r, struct fail *f)
{
    struct manifest list;
    const struct safetensors *part[PARTS];
    int all = 1, err = manifest_build(&list, &m->cfg, f);

    if (err) return err;
    for (int p = 0; p < PARTS; p++)
        all &= (part[p] = m->part[p]) != NULL;
    err = manifest_check(&list, part, r);
    if (err)
        fail_set(f, ERR_MODEL, "%zu tensor%s wrong; the first: %.320s", r->problems,
                 r->problems == 1 ? " is" : "s are", r->line[0]);
    else if (all)
        count_weights(m, &list);
    manifest_free(&list);
    return err;
}

/* ---- sizes without weights ---- */

/* A part's header, as a file of the manifest's tensors in bf16 would have it. */
static char *header_of(const struct manifest *list, enum part p, size_t *data)
{
    char *text = NULL;
    size_t n = 0, at = 0;
    FILE *out = open_memstream(&text, &n);

    if (!out) return NULL;
    for (size_t i = 0; i < list->n; i++) {
        const struct manifest_tensor *t = &list->tensor[i];
        size_t bytes = dtype_bytes(DTYPE_BF16);

        if (t->part != p) continue;
        fprintf(out, "%c\"%s\":{\"dtype\":\"BF16\",\"shape\":[", at ? ',' : '{', t->name);
        for (int k = 0; k < t->nd; k++) {
            fprintf(out, "%s%" PRId64, k ? "," : "", t->dim[k]);
            bytes *= (size_t)t->dim[k];
        }
        fprintf(out, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    fputc('}', out);
    *data = at;
    if (!fclose(out)) return text;
    free(text);
    return NULL;
}

static int open_zeros(struct model *m, const struct manifest *list, enum part p, struct fail *f)
{
    size_t data = 0;
    char *header = header_of(list, p, &data);
    const uint64_t len = header ? strlen(header) : 0;
    struct zeros *z = &m->zeros[p];
    const size_t bytes = sizeof len + (size_t)len + data;
    void *image = MAP_FAILED;

    if (header)
        image = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (image == MAP_FAILED) {
        free(header);
        return fail_set(f, ERR_OUT_OF_MEMORY, "no address space to plan %s", config_part_dir(p));
    }
    *z = (struct zeros){image, bytes};
    memcpy(image, &len, sizeof len);
    memcpy((char *)image + sizeof len, header, (size_t)len);
    free(header);
    m->absent |= 1U << p;
    return safetensors_open_memory(&m->part[p], image, bytes, config_part_dir(p), f);
}

/* A git-lfs pointer in place of a large file. */
static int is_pointer(const char *path)
{
    char start[24] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not block */
    ssize_t n;

    if (fd < 0) return 0;
    n = read(fd, start, sizeof start - 1);
    close(fd);
    return n > 0 && !strncmp(start, "version https://git-lfs", 23);
}

/* 1 when the part's folder has a file with this ending that is no pointer. */
static int has_file(const char *dir, const char *part, const char *ending)
{
    char path[4096];
    int found = 0;
    DIR *d;

    if (snprintf(path, sizeof path, "%s/%s", dir, part) >= (int)sizeof path) return 0;
    d = opendir(path);
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        char file[4400];
        const size_t n = strlen(e->d_name), k = strlen(ending);

        if (n < k || strcmp(e->d_name + n - k, ending) != 0) continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        found = !is_pointer(file);
    }
    if (d) closedir(d);
    return found;
}

static int open_sizes(struct model *m, const char *dir, struct fail *f)
{
    struct manifest list;
    int err = manifest_build(&list, &m->cfg, f);

    if (err) return err;
    for (int p = 0; !err && p < PARTS; p++)
        err = has_file(dir, config_part_dir((enum part)p), ".safetensors")
                  ? open_part(&m->part[p], dir, (enum part)p, f)
                  : open_zeros(m, &list, (enum part)p, f);
    manifest_free(&list);
    return err;
}

static int open_model(struct model *m, const char *dir, int sizes, struct fail *f)
{
    struct manifest_report report;
    int err;

    memset(m, 0, sizeof *m);
    err = config_load(&m->cfg, dir, f);
    if (!err && sizes) err = open_sizes(m, dir, f);
    for (int p = 0; !err && !sizes && p < PARTS; p++)
        err = open_part(&m->part[p], dir, (enum part)p, f);
    if (!err) err = compare(m, &report, f);
    if (!err && sizes && !has_file(dir, "processor", "tokenizer.json"))
        m->absent |= 1U << PARTS;
    else if (!err)
        err = open_tokenizer(m, dir, f);
    if (err) model_close(m);
    return err;
}

int model_open(struct model *m, const char *dir, struct fail *f)
{
    return open_model(m, dir, 0, f);
}

int model_open_sizes(struct model *m, const char *dir, struct fail *f)
{
    return open_model(m, dir, 1, f);
}

void model_close(struct model *m)
{
    for (int p = 0; p < PARTS; p++) {
        safetensors_close(m->part[p]);
        if (m->zeros[p].image) munmap(m->zeros[p].image, m->zeros[p].bytes);
    }
    bpe_close(m->bpe);
    memset(m, 0, sizeof *m);
}

const struct stored_tensor *model_tensor(const struct model *m, enum part p, const char *format,
                                         ...)
{
    char name[MANIFEST_NAME_MAX];
    va_list ap;
    const struct stored_tensor *t;

    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    t = manifest_find(m->part[p], p, name);
    assert(t);
    return t;
}

/* ---- darkroom check ---- */

static void print_part(FILE *out, const struct safetensors *st, enum part p)
{
    size_t count[DTYPES] = {0}, bytes = 0, n = safetensors_count(st);

    for (size_t i = 0; i < n; i++) {
        const struct stored_tensor *t = safetensors_at(st, i);

        count[t->dtype]++;
        bytes += t->bytes;
    }
    fprintf(out, "%-24s %5zu tensors %15zu bytes %3zu file%s ", config_part_dir(p), n, bytes,
            safetensors_files(st), safetensors_files(st) == 1 ? " " : "s");
    for (int d = 0; d < DTYPES; d++)
        if (count[d]) fprintf(out, " %zu %s", count[d], dtype_name((enum stored_dtype)d));
    fputc('\n', out);
}

static void print_config(FILE *out, const struct model *m)
{
    const struct model_config *c = &m->cfg;

    fprintf(out, "prior    %d layers, width %d, %d heads of %d (%d key/value), vocabulary %d\n",
            c->ar.layers, c->ar.width, c->ar.heads, c->ar.head_dim, c->ar.kv_heads, c->ar.vocab);
    fprintf(out, "vision   %d blocks, width %d, %d codes of %d\n", c->vit.depth, c->vit.width,
            c->vq.codes, c->vq.dim);
    fprintf(out, "glyph    %d layers, width %d, %d heads of %d\n", c->glyph.layers, c->glyph.width,
            c->glyph.heads, c->glyph.head_dim);
    fprintf(out, "dit      %d blocks, width %d, %d heads of %d\n", c->dit.layers, c->dit.width,
            c->dit.heads, c->dit.head_dim);
    fprintf(out, "vae      %d/%d/%d/%d channels, %d latent, %d blocks a level\n",
            c->vae.channels[0], c->vae.channels[1], c->vae.channels[2], c->vae.channels[3],
            c->vae.latent, c->vae.blocks);
    fprintf(out, "sampling temperature %g, top-p %g, top-k %d\n", (double)c->sample.temperature,
            (double)c->sample.top_p, c->sample.top_k);
    fprintf(out, "sizes    %d to %d pixels a side in steps of %d, at most %d:1\n", LIMIT_SIDE_MIN,
            config_side_max(c), LIMIT_SIDE_STEP, LIMIT_ASPECT_MAX);
}

/* Sentences, of which the first ten are printed. */
struct problems {
    FILE *out;
    size_t n;
};

static void problem(struct problems *p, const char *text)
{
    if (p->n++ < MANIFEST_PROBLEMS) fprintf(p->out, "wrong: %s\n", text);
}

/* As model_open, but goes on after a failure, to report as many problems as possible. */
static void check_folder(struct model *m, const char *dir, struct problems *p,
                         struct manifest_report *r)
{
    struct fail f = {0};
    int no_config = config_load(&m->cfg, dir, &f);
    int err;

    if (no_config) problem(p, f.message);
    for (int i = 0; i < PARTS; i++)
        if (open_part(&m->part[i], dir, (enum part)i, &f)) problem(p, f.message);
    if (no_config) return; /* without sizes there is nothing to compare with */
    err = compare(m, r, &f);
    if (err && !r->problems) problem(p, f.message);
    for (size_t i = 0; i < r->problems; i++)
        problem(p, i < r->lines ? r->line[i] : "");
    if (open_tokenizer(m, dir, &f)) problem(p, f.message);
}

int model_check(const char *dir, FILE *out)
{
    struct model m = {0};
    struct problems p = {.out = out};
    struct manifest_report r = {0};

    fprintf(out, "model    %s\n", dir);
    check_folder(&m, dir, &p, &r);
    for (int i = 0; i < PARTS; i++)
        if (m.part[i]) print_part(out, m.part[i], (enum part)i);
    if (!p.n) print_config(out, &m);
    if (p.n > MANIFEST_PROBLEMS) fprintf(out, "and %zu more\n", p.n - MANIFEST_PROBLEMS);
    for (size_t i = r.problems; i < r.lines; i++)
        fprintf(out, "note: %s\n", r.line[i]);
    if (p.n)
        fprintf(out, "not usable\n");
    else
        fprintf(out, "good: %" PRId64 " parameters in %" PRId64 " bytes\n", m.params, m.bytes);
    model_close(&m);
    return p.n ? 1 : 0;
}
