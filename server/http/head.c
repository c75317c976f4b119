/* head - one pass over the lines; each rule of the standard is one small function. */
#include "server/http/head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Fields that say one thing: a second line of the same name would say another. */
static const char *const SINGLE[] = {
    "host",
    "content-length",
    "transfer-encoding",
    "expect",
    "origin",
    "authorization",
    "x-forwarded-user",
    "sec-websocket-key",
    "sec-websocket-version",
    "content-type",
    "content-encoding",
    "idempotency-key",
    "last-event-id",
    "range",
    "if-range",
    "access-control-request-method",
};

static int bad(struct fail *f, const char *message)
{
    fail_set(f, ERR_BAD_REQUEST, "%s", message);
    fail_advise(f, "Send one request as RFC 9112 writes it.");
    return 400;
}

/* --- characters ------------------------------------------------------------------------------- */

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_text(char c)
{
    unsigned char u = (unsigned char)c;

    return u == '\t' || (u >= ' ' && u != 0x7f);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* --- the request line ------------------------------------------------------------------------- */

/* %41 becomes A, in place; false for half an escape and for U+0000. An escaped slash is a character
 * of a word and parts none: it stays HEAD_SLASH (RFC 3986 section 2.2). */
static bool decode(char *path)
{
    char *out = path;

    for (const char *in = path; *in; in++) {
        int high, low;

        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        high = hex(in[1]);
        low = high < 0 ? -1 : hex(in[2]);
        if (low < 0 || !(high | low)) return false;
        in += 2;
        if ((high << 4 | low) == '/')
            out = mempcpy(out, HEAD_SLASH, sizeof HEAD_SLASH - 1);
        else
            *out++ = (char)(high << 4 | low);
    }
    *out = 0;
    return true;
}

/* http://host/path, the form that is sent to proxies: the host moves over the scheme, so that it
 * can be ended there; the path is what follows. */
static char *take_host(struct head *h, char *target)
{
    const size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                          : strncasecmp(target, "https://", 8) == 0 ? 8
                                                                    : 0;
    const size_t len = strcspn(target + scheme, "/?");
    char *path = target + scheme + len;

    if (!scheme || !len) return target;
    memmove(target, target + scheme, len);
    target[len] = 0;
    h->host = target;
    if (*path != '/') *--path = '/';
    return path;
}

static int read_target(struct head *h, char *target, struct fail *f)
{
    char *query;

    for (const char *c = target; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return bad(f, "The address holds a character that must be escaped.");
    target = take_host(h, target);
    if (*target != '/' && (strcmp(target, "*") != 0 || strcmp(h->method, "OPTIONS") != 0))
        return bad(f, "The address must begin with a slash.");
    query = strchr(target, '?');
    h->query = "";
    if (query) {
        *query = 0;
        h->query = query + 1;
    }
    h->path = target;
    return decode(target) ? 0 : bad(f, "The address holds a wrong escape.");
}

static int read_version(struct head *h, const char *version, struct fail *f)
{
    if (strncmp(version, "HTTP/", 5) != 0) return bad(f, "The version is not HTTP/1.1.");
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) {
        fail_set(f, ERR_BAD_REQUEST, "This version of HTTP is not spoken here.");
        fail_advise(f, "Use HTTP/1.1.");
        return 505;
    }
    h->old = version[7] == '0';
    return 0;
}

/* "GET /path?query HTTP/1.1", without its line end */
static int read_first(struct head *h, char *line, struct fail *f)
{
    char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
    int status;

    if (!version || strchr(version + 1, ' ')) return bad(f, "The first line is no request.");
    *target++ = 0;
    *version++ = 0;
    h->method = line;
    for (const char *c = line; *c; c++)
        if (!is_token(*c)) return bad(f, "The method is no word.");
    if (!*line) return bad(f, "The method is missing.");
    status = read_version(h, version, f);
    return status ? status : read_target(h, target, f);
}

/* --- fields ----------------------------------------------------------------------------------- */

/* "Name: value" */
static int read_field(struct head *h, char *line, struct fail *f)
{
    char *colon = strchr(line, ':'), *value, *end;

    if (!colon || colon == line) return bad(f, "A header line has no name.");
    for (char *c = line; c < colon; c++) {
        if (!is_token(*c)) return bad(f, "The name of a header holds a blank or a sign.");
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 'a' - 'A');
    }
    *colon = 0;
    value = colon + 1 + strspn(colon + 1, " \t");
    end = value + strlen(value);
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    for (const char *c = value; *c; c++)
        if (!is_text(*c)) return bad(f, "A header holds a control character.");
    if (h->fields == HEAD_FIELDS) {
        fail_set(f, ERR_TOO_LARGE, "The request has more than %d header lines.", HEAD_FIELDS);
        return 431;
    }
    h->field[h->fields++] = (struct head_field){line, value};
    return 0;
}

static int count(const struct head *h, const char *name)
{
    int n = 0;

    for (int i = 0; i < h->fields; i++)
        n += strcmp(h->field[i].name, name) == 0;
    return n;
}

static int check_single(struct head *h, struct fail *f)
{
    for (size_t i = 0; i < sizeof SINGLE / sizeof *SINGLE; i++) {
        if (count(h, SINGLE[i]) < 2) continue;
        fail_field(f, ERR_BAD_REQUEST, SINGLE[i], "The header %s stands twice.", SINGLE[i]);
        fail_advise(f, "Send it once.");
        return 400;
    }
    if (!h->old && !count(h, "host")) return bad(f, "The header Host is missing.");
    for (int i = 0; h->host && i < h->fields; i++)
        if (strcmp(h->field[i].name, "host") == 0) h->field[i].value = h->host;
    return 0;
}

/* --- where the request ends ------------------------------------------------------------------- */

static int read_length(struct head *h, struct fail *f)
{
    const char *text = head_value(h, "content-length");
    size_t digits = strspn(text, "0123456789");

    if (!count(h, "content-length")) return 0;
    if (!digits || text[digits] || digits > 18) return bad(f, "Content-Length is no length.");
    for (; *text; text++)
        h->length = h->length * 10 + (*text - '0');
    return 0;
}

static int read_coding(struct head *h, struct fail *f)
{
    if (!count(h, "transfer-encoding")) return 0;
    if (h->old || count(h, "content-length"))
        return bad(f, "Transfer-Encoding stands where it says two things.");
    if (strcasecmp(head_value(h, "transfer-encoding"), "chunked") != 0) {
        fail_set(f, ERR_BAD_REQUEST, "The only Transfer-Encoding read here is chunked.");
        return 501;
    }
    h->chunked = true;
    return 0;
}

static int read_expect(struct head *h, struct fail *f)
{
    if (!count(h, "expect")) return 0;
    h->expect = !h->old && strcasecmp(head_value(h, "expect"), "100-continue") == 0;
    if (h->expect || h->old) return 0;
    fail_set(f, ERR_BAD_REQUEST, "The only Expect met here is 100-continue.");
    return 417;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* One empty line before a request is passed over: some clients send it behind a body. */
static size_t blank(const char *bytes, size_t len)
{
    return len >= 2 && memcmp(bytes, "\r\n", 2) == 0 ? 2 : 0;
}

/* Up to and with the first line end that is no CRLF: head_parse() refuses it, where a wait for the
 * rest would end in silence. 0: there is none. */
static size_t bare_line(const char *bytes, size_t len)
{
    const char *lf = len > 0 ? memchr(bytes, '\n', len) : NULL;

    for (; lf; lf = memchr(lf + 1, '\n', len - (size_t)(lf + 1 - bytes)))
        if (lf == bytes || lf[-1] != '\r') return (size_t)(lf + 1 - bytes);
    return 0;
}

size_t head_length(const char *bytes, size_t len)
{
    size_t skip = blank(bytes, len);
    const char *end = len > skip ? memmem(bytes + skip, len - skip, "\r\n\r\n", 4) : NULL;

    return end ? (size_t)(end - bytes) + 4 : bare_line(bytes, len);
}

/* Ends the line at `at` and returns where the next one begins; NULL when it holds what no line
 * may. */
static char *cut(char *at, const char *end)
{
    char *cr = memmem(at, (size_t)(end - at), "\r\n", 2);

    if (!cr) return NULL;
    *cr = 0;
    if (strlen(at) != (size_t)(cr - at) || strpbrk(at, "\r\n")) return NULL;
    return cr + 2;
}

int head_parse(struct head *h, char *bytes, size_t len, struct fail *f)
{
    char *line = bytes + blank(bytes, len), *end = bytes + len, *next = cut(line, end);
    int status;

    h->method = h->path = h->query = "";
    h->host = NULL;
    h->fields = 0;
    h->length = 0;
    h->old = h->close = h->expect = h->chunked = false;
    if (!next) return bad(f, "The first line holds U+0000 or a bare line end.");
    status = read_first(h, line, f);
    for (line = next; !status && line < end - 2; line = next) {
        next = cut(line, end);
        if (!next) return bad(f, "A header line holds U+0000 or a bare line end.");
        if (*line == ' ' || *line == '\t') return bad(f, "A header line is folded.");
        status = read_field(h, line, f);
    }
    if (!status) status = check_single(h, f);
    if (!status) status = read_length(h, f);
    if (!status) status = read_coding(h, f);
    if (!status) status = read_expect(h, f);
    h->close = h->old || head_has(h, "connection", "close");
    return status;
}

/* --- asking ----------------------------------------------------------------------------------- */

const char *head_value(const struct head *h, const char *name)
{
    for (int i = 0; i < h->fields; i++)
        if (strcmp(h->field[i].name, name) == 0) return h->field[i].value;
    return "";
}

bool head_list(const struct head *h, const char *name, char *out, size_t bytes)
{
    size_t n = 0;

    *out = 0;
    for (int i = 0; i < h->fields; i++) {
        if (strcmp(h->field[i].name, name) != 0) continue;
        n += (size_t)snprintf(out + n, bytes - n, "%s%s", n ? ", " : "", h->field[i].value);
        if (n < bytes) continue;
        *out = 0;
        return false;
    }
    return true;
}

static bool holds(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (*list) {
        size_t n;

        list += strspn(list, " ,\t");
        n = strcspn(list, " ,\t");
        if (n == len && strncasecmp(list, word, n) == 0) return true;
        list += n;
    }
    return false;
}

bool head_has(const struct head *h, const char *name, const char *word)
{
    for (int i = 0; i < h->fields; i++)
        if (strcmp(h->field[i].name, name) == 0 && holds(h->field[i].value, word)) return true;
    return false;
}
