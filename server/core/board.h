/* board - the present state of one job: one slot a kind of event, the newest wins, each post
 * numbered.
 *
 * A slot holds the finished message, written once and sent to every subscriber. A subscription is
 * nothing but (job, last sequence number seen): board_next() finds what it has not seen, oldest
 * first. A slow client finds fewer slots to read, never a longer queue. `accepted`, `result` and
 * `end` are posted once and so are never replaced; after `end` nothing can be posted.
 *
 * The board of a sweep has one slot more for each of its cells: `cell` events replace each other
 * cell by cell. Slots are numbered: an enum event_kind, or EVENT_KINDS + the cell.
 *
 * The preview slot holds the same preview in every class that some subscription demands. A class is
 * a format and a longest side of 16, 32 .. 512 pixels; a request for max_px is served by the
 * largest class that is not larger. Thread: the loop's. */
#ifndef SERVER_CORE_BOARD_H
#define SERVER_CORE_BOARD_H

#include "proto/event.h"
#include "server/base/blob.h"

#include <stdbool.h>
#include <stdint.h>

#define BOARD_CLASSES 12 /* JPEG in 16 .. 512 pixels, PNG in 16 .. 512 pixels */

struct board_cell {
    uint64_t at; /* 0: empty */
    struct blob *message;
};

struct board {
    uint64_t job;
    uint64_t seq;                        /* of the newest post */
    uint64_t at[EVENT_KINDS];            /* each slot's sequence number, 0: empty */
    struct blob *slot[EVENT_KINDS];      /* but for EVENT_PREVIEW */
    struct blob *preview[BOARD_CLASSES]; /* NULL: not in this class */
    struct board_cell *cell;             /* NULL: it is no sweep's */
    int cells;
};

/* One preview in one class; the image is encoded, without frame header, and borrowed. */
struct board_image {
    int class;
    int width, height;
    const struct blob *image;
    int64_t computed_us, posted_us; /* go with its message (blob.h); 0: not measured */
};

/* Empty; the first post gets seq + 1. */
void board_init(struct board *, uint64_t job, uint64_t seq);
/* It is a sweep's, with so many cells. 0 or ERR_OUT_OF_MEMORY. */
int board_cells(struct board *, int n);
/* Empties every slot. */
void board_free(struct board *);

/* Write an event into its slot. Returns its sequence number; 0 when memory is short (the slot keeps
 * what it held, no number is used) or when the board has ended. */
uint64_t board_post(struct board *, const struct event *);
/* The same for a preview, n classes at once under one number; of a class given twice the first
 * counts. It replaces the last preview in every class. */
uint64_t board_post_preview(struct board *, enum event_phase, const struct board_image *, int n);
/* Put back an event of an earlier run of the server under its old number; later posts get numbers
 * above it. 0, or ERR_OUT_OF_MEMORY. */
int board_restore(struct board *, const struct event *, uint64_t seq);
/* Empty a slot whose event no longer holds (a job that runs has no place in the queue). */
void board_clear(struct board *, enum event_kind);

/* The slot with the smallest number above seq, with that number in *at; -1 when there is none.
 * class < 0: without previews; else previews of that class only. */
int board_next(const struct board *, uint64_t seq, int class, uint64_t *at);
/* Whether any slot but the preview has a number above seq. */
bool board_has_text(const struct board *, uint64_t seq);
/* The message in a slot, borrowed; class for EVENT_PREVIEW only. */
struct blob *board_message(const struct board *, int slot, int class);
bool board_ended(const struct board *);

/* The class that serves a request (format NONE: -1), and what a class means. */
int board_class(enum frame_format, int max_px);
enum frame_format board_class_format(int class);
int board_class_px(int class); /* longest side */

#endif
