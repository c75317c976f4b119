/* queue_words - what the server's own page of the queue says, in each language that it has.
 *
 * A {} stands for the next number of queue_say(). Thread: any, no state. */
#ifndef SERVER_HTTP_QUEUE_WORDS_H
#define SERVER_HTTP_QUEUE_WORDS_H

#include "proto/text.h"

#include <jansson.h>

struct queue_words {
    const char *tag; /* of the language */
    const char *title, *brand, *open;
    const char *counts, *cap;           /* how many run and wait; how many at a time */
    const char *next, *totals;          /* around the time until one more would be there */
    const char *state, *size, *done_in; /* heads of the columns .. */
    const char *user, *job;
    const char *runs, *waits; /* .. and of a row, with the phase before it, and its place */
    const char *seconds, *minutes, *unknown;
    const char *more;
    const char *stop; /* the end of a sentence */
};

/* The words for who accepts these languages (Accept-Language). */
const struct queue_words *queue_words(const char *accept);
/* Write words, with these numbers in the places of {}. */
void queue_say(struct text *, const char *words, const long long *numbers);
/* Text of others, as HTML. */
void queue_put(struct text *, const char *text);
/* The name of a phase. */
const char *queue_phase(const struct queue_words *, const char *phase);
/* Why no more are drawn at a time: of `stats`. */
void queue_why(const struct queue_words *, const json_t *stats, struct text *);

#endif
