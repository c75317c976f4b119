/* query - the part of an address behind its question mark: names and values, %41 and + decoded.
 *
 * Every route's query has passed query_check() before the route sees it: so no name stands twice in
 * it, of which one reader would take the first and another the last. Thread: any, no state. */
#ifndef SERVER_HTTP_QUERY_H
#define SERVER_HTTP_QUERY_H

#include "proto/command.h"
#include "server/http/head.h"

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define QUERY_NAME 64
enum { QUERY_PAIRS = 64 /* of one address */ };

struct query_pair {
    char name[QUERY_NAME];  /* "" when it is longer than any that is known */
    char value[HEAD_BYTES]; /* never longer than a head */
};

/* The next pair behind *at, which moves on; false: none is left, or an escape is wrong and *at is
 * NULL. */
bool query_next(const char **at, struct query_pair *);
/* 0, ERR_BAD_FIELD (a name stands twice) or ERR_BAD_REQUEST (a wrong escape, too many pairs). */
int query_check(const char *query, struct fail *f);
/* Has it no other parameters than these (ends with NULL)? 0 or ERR_BAD_FIELD. */
int query_only(const char *query, const char *const *names, struct fail *f);
/* The value of the pair of this name; false: there is none. One that does not fit is "". */
bool query_value(const char *query, const char *name, char *out, size_t bytes);
/* The same for a whole number from min to max that stands there in digits; def when there is none.
 * 0 or ERR_BAD_FIELD. */
int query_whole(const char *query, const char *name, int64_t min, int64_t max, int64_t def,
                int64_t *out, struct fail *f);

/* The same for true or false, as the words of query_truth(); false when there is none. */
int query_true(const char *query, const char *name, bool *out, struct fail *f);
/* Does the text of n bytes say true (1, yes, on) or false (0, no, off), in any case? */
bool query_truth(const char *text, size_t n, bool *out);

/* Put the members of a command of this kind into its object, those of a request into its "spec"; a
 * name that is one of `others` (ends with NULL) is passed over. 0, ERR_BAD_FIELD (no such member)
 * or ERR_BAD_UTF8. */
int query_command(const char *query, enum command_kind, const char *const *others, json_t *object,
                  struct fail *f);

#endif
