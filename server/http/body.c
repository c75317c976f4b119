/* body - a machine of one byte a step outside of the bytes themselves, which are taken as they
 * come. */
#include "server/http/body.h"

enum { EXTENSION_BYTES = 256, TRAILER_BYTES = 4096, SIZE_DIGITS = 8 };

static int bad(struct fail *f, const char *message)
{
    fail_set(f, ERR_BAD_REQUEST, "%s", message);
    fail_advise(f, "Send chunks as RFC 9112 writes them, or a Content-Length.");
    return 400;
}

static int too_large(const struct body *b, struct fail *f)
{
    fail_set(f, ERR_TOO_LARGE, "The body is longer than %lld bytes.", (long long)b->max);
    return 413;
}

int body_begin(struct body *b, const struct head *h, int64_t max, struct fail *f)
{
    *b = (struct body){.state = BODY_WHOLE, .max = max, .left = h->length, .chunked = h->chunked};
    if (h->length > max) return too_large(b, f);
    if (h->length > 0) b->state = BODY_BYTES;
    if (h->chunked) b->state = BODY_SIZE;
    return 0;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The line of a chunk's size has ended. */
static void end_size(struct body *b)
{
    b->state = b->left ? BODY_BYTES : BODY_TRAILER;
    b->digits = b->extra = 0;
    b->line = false;
}

/* One byte of a line whose end is CRLF; *ended when it is. */
static int in_line(struct body *b, char c, bool *ended, struct fail *f)
{
    *ended = b->cr && c == '\n';
    if (b->cr != (c == '\n')) return bad(f, "A line of a chunked body ends with a bare CR or LF.");
    b->cr = c == '\r';
    if (!*ended && !b->cr && c != '\t' && ((unsigned char)c < ' ' || c == 0x7f))
        return bad(f, "A chunked body holds a control character outside of its chunks.");
    return 0;
}

static int size_byte(struct body *b, char c, struct fail *f)
{
    int digit = b->cr ? -1 : hex(c);
    bool ended;

    if (digit >= 0) {
        if (++b->digits > SIZE_DIGITS) return bad(f, "The size of a chunk is too long a number.");
        b->left = b->left * 16 + digit;
        return b->bytes + b->left > b->max ? too_large(b, f) : 0;
    }
    if (!b->digits) return bad(f, "A chunk does not begin with its size.");
    if (c == ';' && !b->cr) {
        b->state = BODY_EXTENSION;
        return 0;
    }
    if (c != '\r' && c != '\n') return bad(f, "The size of a chunk is no number in hex digits.");
    if (in_line(b, c, &ended, f)) return 400;
    if (ended) end_size(b);
    return 0;
}

static int extension_byte(struct body *b, char c, struct fail *f)
{
    bool ended;

    if (++b->extra > EXTENSION_BYTES) return bad(f, "The extension of a chunk is too long.");
    if (in_line(b, c, &ended, f)) return 400;
    if (ended) end_size(b);
    return 0;
}

/* CRLF behind the bytes of a chunk */
static int break_byte(struct body *b, char c, struct fail *f)
{
    bool ended;

    if (c != '\r' && c != '\n') return bad(f, "A chunk is longer than its size.");
    if (in_line(b, c, &ended, f)) return 400;
    if (ended) b->state = BODY_SIZE;
    return 0;
}

/* Lines up to an empty one. */
static int trailer_byte(struct body *b, char c, struct fail *f)
{
    bool ended;

    if (++b->extra > TRAILER_BYTES) return bad(f, "The trailers of the body are too long.");
    if (in_line(b, c, &ended, f)) return 400;
    if (!ended) {
        b->line |= c != '\r';
        return 0;
    }
    if (!b->line) b->state = BODY_WHOLE;
    b->line = false;
    return 0;
}

static int step(struct body *b, char c, struct fail *f)
{
    switch (b->state) {
    case BODY_SIZE: return size_byte(b, c, f);
    case BODY_EXTENSION: return extension_byte(b, c, f);
    case BODY_BREAK: return break_byte(b, c, f);
    default: return trailer_byte(b, c, f);
    }
}

/* As much of the body as is there. */
static size_t take(struct body *b, const char *bytes, size_t n, struct body_piece *piece)
{
    if ((int64_t)n > b->left) n = (size_t)b->left;
    *piece = (struct body_piece){bytes, n};
    b->left -= (int64_t)n;
    b->bytes += (int64_t)n;
    return n;
}

int body_feed(struct body *b, const char *bytes, size_t n, size_t *used, struct body_piece *piece,
              struct fail *f)
{
    int status = 0;

    *used = 0;
    *piece = (struct body_piece){bytes, 0};
    while (!status && *used < n && b->state != BODY_WHOLE && !piece->n) {
        if (b->state != BODY_BYTES) {
            status = step(b, bytes[(*used)++], f);
            continue;
        }
        *used += take(b, bytes + *used, n - *used, piece);
        if (!b->left) b->state = b->chunked ? BODY_BREAK : BODY_WHOLE;
    }
    return status;
}
