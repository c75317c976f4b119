/* board - one slot a kind of event, the newest wins, each post numbered. */
#include "server/core/board.h"

#include "proto/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CLASS_SIDES = BOARD_CLASSES / 2, CLASS_SMALLEST = LIMIT_PREVIEW_PX_MIN };

void board_init(struct board *b, uint64_t job, uint64_t seq)
{
    memset(b, 0, sizeof *b);
    b->job = job;
    b->seq = seq;
}

static void preview_drop(struct board *b)
{
    for (int c = 0; c < BOARD_CLASSES; c++) {
        blob_unref(b->preview[c]);
        b->preview[c] = NULL;
    }
}

void board_clear(struct board *b, enum event_kind kind)
{
    assert(kind < EVENT_KINDS);
    if (kind == EVENT_PREVIEW) preview_drop(b);
    blob_unref(b->slot[kind]);
    b->slot[kind] = NULL;
    b->at[kind] = 0;
}

int board_cells(struct board *b, int n)
{
    assert(n > 0 && !b->cell);
    b->cell = calloc((size_t)n, sizeof *b->cell);
    if (!b->cell) return ERR_OUT_OF_MEMORY;
    b->cells = n;
    return 0;
}

static void clear_cells(struct board *b)
{
    for (int i = 0; i < b->cells; i++) {
        blob_unref(b->cell[i].message);
        b->cell[i] = (struct board_cell){0};
    }
}

void board_free(struct board *b)
{
    clear_cells(b);
    free(b->cell);
    for (int k = 0; k < EVENT_KINDS; k++)
        board_clear(b, (enum event_kind)k);
}

bool board_ended(const struct board *b)
{
    return b->at[EVENT_END] != 0;
}

static struct blob *encode(const struct board *b, const struct event *e, uint64_t seq)
{
    struct text t;
    struct blob *m;

    text_init(&t, BLOB_HEAD, LIMIT_OUTBOX_BYTES);
    event_encode(e, b->job, seq, NULL, &t);
    m = blob_from_text(&t);
    text_free(&t);
    return m;
}

static void put(struct board *b, enum event_kind kind, struct blob *message, uint64_t seq)
{
    board_clear(b, kind);
    b->slot[kind] = message;
    b->at[kind] = seq;
}

static void put_cell(struct board *b, int cell, struct blob *message, uint64_t seq)
{
    assert(cell >= 0 && cell < b->cells);
    blob_unref(b->cell[cell].message);
    b->cell[cell] = (struct board_cell){seq, message};
}

/* Empty the slots that describe a job at work: it is over. */
static void clear_passing(struct board *b)
{
    board_clear(b, EVENT_QUEUE);
    board_clear(b, EVENT_PHASE);
    board_clear(b, EVENT_PROGRESS);
    board_clear(b, EVENT_PREVIEW);
    clear_cells(b);
}

uint64_t board_post(struct board *b, const struct event *e)
{
    struct blob *m;

    assert(e->kind != EVENT_PREVIEW);
    if (board_ended(b)) return 0;
    m = encode(b, e, b->seq + 1);
    if (!m) return 0;
    if (e->kind == EVENT_CELL)
        put_cell(b, e->u.cell.cell, m, ++b->seq);
    else
        put(b, e->kind, m, ++b->seq);
    if (e->kind == EVENT_END) clear_passing(b);
    return b->seq;
}

int board_restore(struct board *b, const struct event *e, uint64_t seq)
{
    struct blob *m = encode(b, e, seq);

    assert(seq > 0 && e->kind != EVENT_PREVIEW && e->kind != EVENT_CELL);
    if (!m) return ERR_OUT_OF_MEMORY;
    put(b, e->kind, m, seq);
    if (seq > b->seq) b->seq = seq;
    return 0;
}

uint64_t board_post_preview(struct board *b, enum event_phase phase,
                            const struct board_image *images, int n)
{
    struct blob *made[BOARD_CLASSES] = {NULL};
    int count = 0;

    assert(n >= 0 && n <= BOARD_CLASSES);
    if (board_ended(b)) return 0;
    for (int i = 0; i < n; i++) {
        const struct board_image *im = &images[i];
        struct event e = {.kind = EVENT_PREVIEW,
                          .u.preview = {phase, board_class_format(im->class), im->width, im->height,
                                        im->image->data, (uint32_t)im->image->len}};

        if (made[im->class]) continue;
        made[im->class] = encode(b, &e, b->seq + 1);
        if (!made[im->class]) continue;
        made[im->class]->computed_us = im->computed_us;
        made[im->class]->posted_us = im->posted_us;
        count++;
    }
    if (count == 0) return 0;
    preview_drop(b);
    memcpy(b->preview, made, sizeof made);
    b->at[EVENT_PREVIEW] = ++b->seq;
    return b->seq;
}

int board_next(const struct board *b, uint64_t seq, int class, uint64_t *at)
{
    uint64_t found = UINT64_MAX;
    int best = -1;

    assert(class < BOARD_CLASSES);
    for (int k = 0; k < EVENT_KINDS; k++) {
        if (b->at[k] <= seq || b->at[k] >= found) continue;
        if (k == EVENT_PREVIEW && (class < 0 || !b->preview[class])) continue;
        found = b->at[k];
        best = k;
    }
    for (int i = 0; i < b->cells; i++) {
        if (b->cell[i].at <= seq || b->cell[i].at >= found) continue;
        found = b->cell[i].at;
        best = EVENT_KINDS + i;
    }
    if (best >= 0) *at = found;
    return best;
}

bool board_has_text(const struct board *b, uint64_t seq)
{
    uint64_t at;

    return board_next(b, seq, -1, &at) >= 0;
}

struct blob *board_message(const struct board *b, int slot, int class)
{
    assert(slot >= 0 && slot < EVENT_KINDS + b->cells);
    assert(slot != EVENT_PREVIEW || (class >= 0 && class < BOARD_CLASSES));
    if (slot >= EVENT_KINDS) return b->cell[slot - EVENT_KINDS].message;
    return slot == EVENT_PREVIEW ? b->preview[class] : b->slot[slot];
}

int board_class(enum frame_format format, int max_px)
{
    int side = -1;

    if (format == FRAME_NONE) return -1;
    for (int s = 0; s < CLASS_SIDES && (CLASS_SMALLEST << s) <= max_px; s++)
        side = s;
    if (side < 0) return -1;
    return format == FRAME_PNG ? CLASS_SIDES + side : side;
}

enum frame_format board_class_format(int class)
{
    assert(class >= 0 && class < BOARD_CLASSES);
    return class < CLASS_SIDES ? FRAME_JPEG : FRAME_PNG;
}

int board_class_px(int class)
{
    assert(class >= 0 && class < BOARD_CLASSES);
    return CLASS_SMALLEST << (class % CLASS_SIDES);
}
