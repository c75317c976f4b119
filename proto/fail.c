/* fail - one table from error code to wire name, HTTP status and what the user can do. */
#include "proto/fail.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct row {
    enum err code;
    int status;
    const char *wire;
    const char *hint;
};

static const struct row TABLE[] = {
    {ERR_OK, 200, "ok", ""},
    {ERR_BAD_REQUEST, 400, "bad_request",
     "Send one JSON object per message, as PROTOCOL.md shows."},
    {ERR_BAD_FIELD, 422, "bad_field", "Correct the named field and send the request again."},
    {ERR_BAD_UTF8, 400, "bad_utf8", "Encode all text as UTF-8."},
    {ERR_TOO_LARGE, 413, "too_large", "Send less; hello.limits lists every limit."},
    {ERR_BAD_PROMPT, 422, "bad_prompt", "Change the prompt and send the request again."},
    {ERR_BAD_IMAGE, 422, "bad_image", "Use a PNG, JPEG or WebP that other programs open."},
    {ERR_NOT_FOUND, 404, "not_found", "Check the name; finished jobs are listed by `list`."},
    {ERR_CONFLICT, 409, "conflict", "Use a new key for a new request."},
    {ERR_QUEUE_FULL, 503, "queue_full", "The queue is full. Try again after retry_after_ms."},
    {ERR_TOO_BIG_FOR_DEVICE, 422, "too_big_for_device", "Ask for a smaller picture."},
    {ERR_UNAUTHORIZED, 401, "unauthorized", "Send a valid token."},
    {ERR_FORBIDDEN, 403, "forbidden",
     "Ask an administrator for it, or open the page from the server's own address."},
    {ERR_RATE_LIMITED, 429, "rate_limited", "Slow down and try again."},
    {ERR_TIMEOUT, 504, "timeout",
     "Ask for fewer steps or a smaller picture, or raise --job-seconds."},
    {ERR_CANCELLED, 410, "cancelled", "Submit it again if you still want the picture."},
    {ERR_OUT_OF_MEMORY, 507, "out_of_memory", "Ask for a smaller picture, or try again later."},
    {ERR_DEVICE, 500, "device",
     "Submit it again; if it keeps failing, ask whoever runs this server."},
    {ERR_MODEL, 500, "model", "Run `darkroom check --model DIR` to see what the folder lacks."},
    {ERR_IO, 500, "io", "Check the disk, the path and its permissions."},
    {ERR_SHUTTING_DOWN, 503, "shutting_down",
     "Wait for the server to come back; queued work is kept."},
    {ERR_USAGE, 400, "usage", "See `darkroom --help`."},
    {ERR_INTERNAL, 500, "internal", "This is a bug; the server's log says more."},
};

static const struct row *row_of(enum err code)
{
    size_t n = sizeof TABLE / sizeof *TABLE;

    for (size_t i = 0; i < n; i++)
        if (TABLE[i].code == code) return &TABLE[i];
    return &TABLE[n - 1];
}

void fail_sentence(const struct fail *f, char out[FAIL_SENTENCE])
{
    size_t n = strlen(f->message);
    bool ends = n && strchr(".!?", f->message[n - 1]);

    snprintf(out, FAIL_SENTENCE, "%s%s%s", f->message, !*f->hint ? "" : ends ? " " : ". ", f->hint);
}

const char *fail_wire(enum err code)
{
    return row_of(code)->wire;
}
int fail_status(enum err code)
{
    return row_of(code)->status;
}
const char *fail_hint(enum err code)
{
    return row_of(code)->hint;
}

enum err fail_from_wire(const char *wire)
{
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++)
        if (strcmp(TABLE[i].wire, wire) == 0) return TABLE[i].code;
    return ERR_INTERNAL;
}

static int fill(struct fail *f, enum err code, const char *field, const char *format, va_list args)
{
    if (!f) return code;
    memset(f, 0, sizeof *f);
    f->code = code;
    snprintf(f->field, sizeof f->field, "%s", field);
    vsnprintf(f->message, sizeof f->message, format, args);
    snprintf(f->hint, sizeof f->hint, "%s", fail_hint(code));
    return code;
}

int fail_set(struct fail *f, enum err code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(f, code, "", format, args);
    va_end(args);
    return code;
}

int fail_field(struct fail *f, enum err code, const char *field, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(f, code, field, format, args);
    va_end(args);
    return code;
}

int fail_advise(struct fail *f, const char *format, ...)
{
    va_list args;

    if (!f) return ERR_INTERNAL;
    va_start(args, format);
    vsnprintf(f->hint, sizeof f->hint, format, args);
    va_end(args);
    return f->code;
}
