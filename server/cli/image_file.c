/* image_file - reads a file and has it decoded by the process that a server has for it. */
#include "server/cli/image_file.h"

#include "proto/limits.h"
#include "server/decoder/helper.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    uint8_t *data;
    size_t len;
};

static int no_memory(struct fail *f)
{
    return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a picture.");
}

static int read_file(const char *path, struct bytes *b, struct fail *f)
{
    FILE *in = fopen(path, "rbe");
    bool bad;

    b->data = malloc(LIMIT_IMAGE_BYTES + 1);
    if (!b->data) {
        if (in) fclose(in);
        return no_memory(f);
    }
    b->len = in ? fread(b->data, 1, LIMIT_IMAGE_BYTES + 1, in) : 0;
    bad = !in || ferror(in);
    if (bad) fail_set(f, ERR_IO, "Cannot read %.200s: %s.", path, strerror(errno));
    if (in) fclose(in);
    return bad ? ERR_IO : 0;
}

static int copy(struct image_file *out, const struct image_facts *facts, const uint8_t *rgb,
                struct fail *f)
{
    const size_t bytes = 3 * (size_t)facts->width * (size_t)facts->height;

    out->rgb = malloc(bytes);
    if (!out->rgb) return no_memory(f);
    memcpy(out->rgb, rgb, bytes);
    out->width = facts->width;
    out->height = facts->height;
    image_changes_text(facts->changes, out->note, sizeof out->note);
    return 0;
}

static int decode(const struct bytes *b, struct image_file *out, struct fail *f)
{
    const struct helper_conf conf = {.stop_fd = -1};
    struct helper h;
    struct image_facts facts;
    const uint8_t *rgb;
    int err = helper_open(&h, &conf, f);

    if (err) return err;
    err = helper_decode(&h, b->data, b->len, &facts, &rgb, f);
    if (!err) err = copy(out, &facts, rgb, f);
    helper_close(&h);
    return err;
}

/* What is wrong with a file is a mistake of the command line. */
static int name_file(const char *path, int err, struct fail *f)
{
    struct fail why = *f;

    if (err != ERR_BAD_IMAGE && err != ERR_TOO_LARGE) return err;
    fail_set(f, ERR_USAGE, "%.200s: %s", path, why.message);
    return fail_advise(f, "%s", why.hint);
}

int image_file_read(const char *path, struct image_file *out, struct fail *f)
{
    struct bytes b = {0};
    int err;

    memset(out, 0, sizeof *out);
    err = read_file(path, &b, f);
    if (!err) err = decode(&b, out, f);
    free(b.data);
    return err ? name_file(path, err, f) : 0;
}
