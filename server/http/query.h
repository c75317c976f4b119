/* query - the part of an address behind its question mark: names and values, %41 and + decoded.
 * Thread: any, no state. */
#ifndef SERVER_HTTP_QUERY_H
#define SERVER_HTTP_QUERY_H

#include "proto/command.h"
#include "server/http/head.h"

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define QUERY_NAME 64

struct query_pair {
    char name[QUERY_NAME];  /* "" when it is longer than any that is known */
    char value[HEAD_BYTES]; /* never longer than a head */
};

/* The next pair behind *at, which moves on; false: none is left, or an escape is wrong and *at is
 * NULL. */
bool query_next(const char **at, struct query_pair *);
/* The value of the first pair of this name; false: there is none. One that does not fit is "". */
bool query_value(const char *query, const char *name, char *out, size_t bytes);
/* The same for a whole number from min to max that stands there in digits; def when there is none.
 * 0 or ERR_BAD_FIELD. */
int query_whole(const char *query, const char *name, int64_t min, int64_t max, int64_t def,
                int64_t *out, struct fail *f);

/* Put the members of a command of this kind into its object, those of a request into its "spec"; a
 * name that is one of `others` (ends with NULL) is passed over. 0, ERR_BAD_FIELD (no such member, a
 * member twice) or ERR_BAD_REQUEST (a wrong escape). */
int query_command(const char *query, enum command_kind, const char *const *others, json_t *object,
                  struct fail *f);

#endif
