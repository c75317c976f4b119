/* lift - a reader of JSON that knows strings alone, and a decoder that stops anywhere. */
#include "server/http/lift.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_MOST = 256, ROOM_FIRST = 1 << 16, PAD = 64, SPACE = 65, BAD = 66 };

void lift_init(struct lift *l)
{
    memset(l, 0, sizeof *l);
    text_init(&l->text, 0, LIFT_TEXT_MOST);
}

void lift_free(struct lift *l)
{
    text_free(&l->text);
    for (int i = 0; i < LIFT_KEPT; i++)
        free(l->one[i].bytes);
}

/* --- base64 ----------------------------------------------------------------------------------- */

/* One more than what a character means; a table, since the next one cannot be foretold. */
static const uint8_t SYMBOL[256] = {
    ['A'] = 1,         ['B'] = 2,          ['C'] = 3,         ['D'] = 4,  ['E'] = 5,
    ['F'] = 6,         ['G'] = 7,          ['H'] = 8,         ['I'] = 9,  ['J'] = 10,
    ['K'] = 11,        ['L'] = 12,         ['M'] = 13,        ['N'] = 14, ['O'] = 15,
    ['P'] = 16,        ['Q'] = 17,         ['R'] = 18,        ['S'] = 19, ['T'] = 20,
    ['U'] = 21,        ['V'] = 22,         ['W'] = 23,        ['X'] = 24, ['Y'] = 25,
    ['Z'] = 26,        ['a'] = 27,         ['b'] = 28,        ['c'] = 29, ['d'] = 30,
    ['e'] = 31,        ['f'] = 32,         ['g'] = 33,        ['h'] = 34, ['i'] = 35,
    ['j'] = 36,        ['k'] = 37,         ['l'] = 38,        ['m'] = 39, ['n'] = 40,
    ['o'] = 41,        ['p'] = 42,         ['q'] = 43,        ['r'] = 44, ['s'] = 45,
    ['t'] = 46,        ['u'] = 47,         ['v'] = 48,        ['w'] = 49, ['x'] = 50,
    ['y'] = 51,        ['z'] = 52,         ['0'] = 53,        ['1'] = 54, ['2'] = 55,
    ['3'] = 56,        ['4'] = 57,         ['5'] = 58,        ['6'] = 59, ['7'] = 60,
    ['8'] = 61,        ['9'] = 62,         ['+'] = 63,        ['/'] = 64, ['='] = PAD + 1,
    [' '] = SPACE + 1, ['\r'] = SPACE + 1, ['\n'] = SPACE + 1};

/* Its six bits, or PAD, SPACE, BAD. */
static int symbol_of(char c)
{
    return SYMBOL[(uint8_t)c] ? SYMBOL[(uint8_t)c] - 1 : BAD;
}

/* Room for three more bytes. One byte more than a file may have is enough to refuse it. */
static bool has_room(struct lift *l, struct lifted *d)
{
    size_t room = d->room ? 2 * d->room : ROOM_FIRST;
    uint8_t *more;

    if (room > LIMIT_IMAGE_BYTES + 4) room = LIMIT_IMAGE_BYTES + 4;
    if (d->len + 3 <= d->room) return true;
    if (d->len > LIMIT_IMAGE_BYTES) return false;
    more = realloc(d->bytes, room);
    if (!more) {
        l->starved = true;
        return false;
    }
    d->bytes = more;
    d->room = room;
    return true;
}

static void end_four(struct lift *l, struct lifted *d)
{
    const uint32_t v = d->held;

    d->bad = d->bad || d->pads > 2 || (v & ((1u << (8 * d->pads)) - 1u));
    if (!d->bad && has_room(l, d)) {
        d->bytes[d->len] = (uint8_t)(v >> 16);
        d->bytes[d->len + 1] = (uint8_t)(v >> 8);
        d->bytes[d->len + 2] = (uint8_t)v;
        d->len += (size_t)(3 - d->pads);
    }
    d->symbols = 0;
    d->held = 0;
}

/* One character of a picture's; those past what is kept go nowhere. */
static void take(struct lift *l, char c)
{
    struct lifted *d = &l->one[l->n <= LIFT_KEPT ? l->n - 1 : 0];
    int s = symbol_of(c);

    if (l->n > LIFT_KEPT || d->bad || s == SPACE) return;
    d->bad = s == BAD || (d->pads && s != PAD);
    d->pads += s == PAD;
    d->held = d->held << 6 | (s < PAD ? (uint32_t)s : 0);
    if (++d->symbols == 4) end_four(l, d);
}

bool lift_good(const struct lifted *d)
{
    return !d->bad && !d->symbols && d->len > 0;
}

/* --- strings ---------------------------------------------------------------------------------- */

/* What an escape in a string of base64 means: "\/" is usual. */
static void take_escaped(struct lift *l, char c)
{
    take(l, c == 'n' || c == 'r' ? ' ' : c == '/' ? c : '\\');
}

/* Where its base64 begins: behind "data:..;base64,". */
static const char *payload(const char *at, size_t n)
{
    const char *comma = NULL;

    if (n > HEAD_MOST && memcmp(at, "data:", 5) == 0) comma = memchr(at, ',', HEAD_MOST);
    return comma ? comma + 1 : at;
}

static bool looks_encoded(const char *at, const char *end)
{
    for (; at < end; at++)
        if (*at == '\\' ? ++at < end && !strchr("/nr", *at) : symbol_of(*at) >= SPACE) return false;
    return true;
}

/* The string is long: it leaves the text, with what is there of it, or it stays. */
static void judge(struct lift *l)
{
    const char *from = l->text.at + l->string + 1, *end = l->text.at + l->text.len;
    const char *at = payload(from, (size_t)(end - from));

    l->plain = !looks_encoded(at, end);
    if (l->plain) return;
    l->state = LIFT_BYTES;
    l->n++;
    for (; at < end; at++)
        if (*at != '\\')
            take(l, *at);
        else if (at + 1 < end)
            take_escaped(l, *++at);
    l->text.len = l->string;
    text_printf(&l->text, "{\"lifted\":%d}", l->n - 1);
}

/* Inside of a string that is in the text, or outside of any: up to what changes that. */
static size_t feed_text(struct lift *l, const char *at, size_t n)
{
    const bool inside = l->state == LIFT_STRING;
    size_t k = 0;

    while (k < n && at[k] != '"' && !(inside && at[k] == '\\')
           && !(inside && !l->plain && l->text.len + k > l->string + LIFT_LONGER))
        k++;
    text_bytes(&l->text, at, k);
    if (l->text.code || k == n) return k;
    if (inside && !l->plain && l->text.len > l->string + LIFT_LONGER) {
        judge(l);
        return k;
    }
    if (at[k] == '\\') {
        l->state = LIFT_ESCAPE;
    } else {
        l->string = l->text.len;
        l->plain = false;
        l->state = inside ? LIFT_TEXT : LIFT_STRING;
    }
    text_bytes(&l->text, at + k, 1);
    return k + 1;
}

static size_t feed_bytes(struct lift *l, const char *at, size_t n)
{
    size_t k = 0;

    while (k < n && at[k] != '"' && at[k] != '\\')
        take(l, at[k++]);
    if (k == n) return k;
    l->state = at[k] == '"' ? LIFT_TEXT : LIFT_BYTES_ESCAPE;
    return k + 1;
}

static size_t feed(struct lift *l, const char *at, size_t n)
{
    switch (l->state) {
    case LIFT_BYTES: return feed_bytes(l, at, n);
    case LIFT_BYTES_ESCAPE:
        take_escaped(l, *at);
        l->state = LIFT_BYTES;
        return 1;
    case LIFT_ESCAPE:
        text_bytes(&l->text, at, 1);
        l->state = LIFT_STRING;
        return 1;
    default: return feed_text(l, at, n);
    }
}

int lift_feed(struct lift *l, const char *bytes, size_t n, struct fail *f)
{
    for (size_t at = 0; at < n && !l->text.code && !l->starved;)
        at += feed(l, bytes + at, n - at);
    if (l->text.code == ERR_TOO_LARGE) {
        fail_set(f, ERR_TOO_LARGE, "What is no picture has more than %d bytes", LIFT_TEXT_MOST);
        fail_advise(f, "Send pictures in base64, or as files in multipart/form-data.");
        return 413;
    }
    if (!l->text.code && !l->starved) return 0;
    fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the pictures");
    return 500;
}

const struct lifted *lift_find(const struct lift *l, const json_t *v)
{
    const json_t *i = json_object_get(v, "lifted");
    const double at = json_is_number(i) ? json_number_value(i) : -1;

    if (!l || !(at >= 0) || at >= l->n || at >= LIFT_KEPT) return NULL;
    return &l->one[(int)at];
}
