/* concurrency - one writer for the three places that it stands in. */
#include "proto/concurrency.h"

#include <assert.h>

static const char *const REASON[CAP_REASONS] = {"starting", "failed", "lost",   "memory",
                                                "lowered",  "option", "useful", "batch"};

const char *cap_reason_name(enum cap_reason why)
{
    assert((int)why >= 0 && why < CAP_REASONS);
    return REASON[why];
}

static void write_device(const struct cap_device *d, struct text *out)
{
    text_open(out, NULL, '{');
    text_string(out, "why", cap_reason_name(d->why));
    if (d->why >= CAP_MEMORY) {
        text_int(out, "cap", d->cap);
        text_int(out, "fits", d->fits);
        text_int(out, "width", d->width);
        text_int(out, "height", d->height);
        text_int(out, "picture_bytes", (int64_t)d->picture_bytes);
        text_int(out, "bytes", (int64_t)d->bytes);
    }
    if (d->why == CAP_LOST) text_int(out, "tries", d->tries);
    if (*d->message) text_string(out, "message", d->message);
    text_close(out, '}');
}

void concurrency_write_parts(const struct concurrency *c, struct text *out)
{
    if (c->disk) text_string(out, "disk", c->disk);
    text_open(out, "devices", '[');
    for (int i = 0; i < c->devices; i++)
        write_device(c->device[i], out);
    text_close(out, ']');
}

void concurrency_write(const struct concurrency *c, struct text *out)
{
    text_open(out, "concurrency", '{');
    text_int(out, "cap", c->cap);
    text_string(out, "why", c->why);
    concurrency_write_parts(c, out);
    text_close(out, '}');
}
