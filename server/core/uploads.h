/* uploads - files of clients on their way to become pictures that jobs begin with.
 *
 * Their bytes come in parts, on any connection of their owner, so that one that breaks is followed
 * by another that goes on where the bytes end. A whole file is handed out (hub_out.take_image),
 * which comes back as hub_image(). What is private is kept here and nowhere else, for as long as
 * private pictures are.
 *
 * They are in memory, LIMIT_UPLOAD_MEMORY of it, that no sender can take from the others. A sender
 * is a user; where there are no users, another machine, and on this one a connection. It has
 * LIMIT_UPLOADS at a time, and no more bytes than are then still free: half of all when it is
 * alone. An upload is given up when nothing comes for LIMIT_UPLOAD_IDLE_S, or it is not whole in
 * LIMIT_UPLOAD_S and what LIMIT_UPLOAD_SLOWEST adds to that; and, if there is no room for another
 * sender's first file, when its connection is closed and none has gone on with it for
 * LIMIT_UPLOAD_ALONE_S.
 * Thread: the loop's. */
#ifndef SERVER_CORE_UPLOADS_H
#define SERVER_CORE_UPLOADS_H

#include "server/core/core.h"

/* upload, commit, uploads, discard */
void uploads_obey(struct hub *, int64_t now, struct pending_reply *, const struct command *);
/* A part of a file, as hub_chunk(). 0, or why not: then nothing of that upload is taken until it is
 * asked for again. */
int uploads_chunk(struct hub *, int64_t now, const struct client *, const void *message, size_t len,
                  struct fail *f);
/* A whole file, as hub_upload(). */
void uploads_whole(struct hub *, int64_t now, struct pending_reply *, const void *bytes, size_t len,
                   bool private);
/* As hub_image(). */
void uploads_taken(struct hub *, int64_t now, const struct hub_image *, const struct fail *why);

/* This connection is closed; another may go on with what came over it. */
void uploads_closed(struct hub *, const struct client *);

/* As hub_discarded(). */
void uploads_discarded(struct hub *, uint64_t ticket, const struct fail *why);

/* A private upload of this account (borrowed), by its digest; NULL: there is none. */
const struct private_image *uploads_private(const struct hub *, const struct account *,
                                            const uint8_t digest[SPEC_DIGEST_BYTES]);

/* Give up what nothing comes for, and forget private ones in time; those of users that are gone. */
void uploads_look(struct hub *, int64_t now);
int64_t uploads_due(const struct hub *); /* INT64_MAX: not at all */
void uploads_free(struct hub *);

#endif
