/* hub - the entries of the core: each applies one input to the jobs, then starts and pushes what
 * follows from it.
 *
 * No socket, no clock, no lock: time is an argument (microseconds of a monotonic clock, any
 * origin), effects go through struct hub_out. Everything that a connection is sent comes out of
 * hub_next() as a finished message. Thread: the loop's.
 *
 * Rules for the shell around it
 * - No function of the hub is called from inside a callback of hub_out.
 * - Callbacks borrow their pointers for the time of the call; a blob that is kept needs blob_ref().
 * - After a round of inputs: hub_due() says when hub_tick() is wanted next. Calling it more often
 *   is fine.
 * - Every store_accept, store_finish and store_end is answered by exactly one hub_stored, for one
 *   job in their order. An accepted row without an end is handed to hub_restore() at the next
 *   start.
 * - An end that the disk refuses is not posted but stored again a second later, until the disk
 *   takes it: an end that was posted must survive a restart. hub_stored() has the exceptions.
 * - Every start is answered by exactly one end of that run: RUN_FINISHED, RUN_DROPPED,
 *   RUN_SUSPENDED, RUN_FAILED, or its job listed in DEVICE_FAILED or DEVICE_LOST. The worker
 *   ignores a drop or suspend for a job that it does not hold, and sends nothing.
 * - The worker sends RUN_FINISHED before it hands the picture to the encoder; the encoder answers
 *   each picture with exactly one hub_encoded.
 * - The worker steps the batch that batcher_pick() chooses and sends QUANTUM_DONE after each,
 *   before the event that ends a run.
 *
 * What survives a restart: jobs, their order, keys, seeds, results, and the sequence numbers of
 * `accepted`, `result` and `end`. A job that ran waits again; it goes on from its newest
 * checkpoint, if there is one, to the same bytes. Within one run of the server its `overall` never
 * goes back. */
#ifndef SERVER_CORE_HUB_H
#define SERVER_CORE_HUB_H

#include "proto/command.h"
#include "proto/concurrency.h"
#include "server/base/blob.h"
#include "server/core/effects.h"
#include "server/core/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;
struct client; /* the hub's side of one connection */

/* --- start and end ---------------------------------------------------------------------------- */

/* conf and out are copied. 0 or ERR_OUT_OF_MEMORY. */
int hub_new(struct hub **out, const struct hub_conf *, const struct hub_out *);
void hub_free(struct hub *); /* closes what is open; calls nothing of hub_out */
/* One row of an earlier run of the server, in order of acceptance (so that a sweep comes behind its
 * cells), before any other input. Jobs
 * without an end wait again; ended ones can be watched and found by their keys. 0, ERR_IO (out of
 * order, or twice) or ERR_OUT_OF_MEMORY. */
int hub_restore(struct hub *, int64_t now, const struct hub_row *, struct fail *f);

/* The users from now on: n of them by growing id, copied; n 0: none, and everybody may do
 * everything. Jobs of users that are gone are cancelled; their connections may only be closed. At
 * the start of a server the call comes before hub_restore(). 0, or ERR_OUT_OF_MEMORY (all stays as
 * it was). */
int hub_users(struct hub *, int64_t now, const struct user *, int n);

/* Other limits from now on. */
void hub_tune(struct hub *, int64_t now, const struct hub_tuning *);

/* Time limits, watchdog, estimates, statistics. */
void hub_tick(struct hub *, int64_t now);
int64_t hub_due(const struct hub *); /* when hub_tick() is wanted; INT64_MAX: not at all */

/* Stop: no new jobs; runs are suspended and wait on disk for the next start; subscribers of every
 * waiting job are sent `stopping`. hub_idle(): nothing is on the device, with the encoder or on its
 * way to the disk. */
void hub_drain(struct hub *, int64_t now);
bool hub_idle(const struct hub *);

/* --- connections ------------------------------------------------------------------------------ */

/* session comes back in wake(). user: whose it is; USER_NONE in a service without users. NULL when
 * there is no such user, or memory is short. */
struct client *hub_open(struct hub *, void *session, uint32_t user);
/* Which machine it speaks for, as a number that each has for itself; 0, and as long as this is not
 * called: this one. Machines share what strangers may have by it (uploads.h). */
void hub_comes_from(struct client *, uint64_t host);
void hub_close(struct hub *, int64_t now, struct client *);

/* Which job the secret with this hash shows, 0: none (any more). The time does not tell how much of
 * it is right. mark: of the secret. */
uint64_t hub_shared(const struct hub *, int64_t now, const uint8_t hash[SHARE_HASH_BYTES],
                    uint64_t *mark);
/* Does a secret with that mark show that job still? */
bool hub_shares(const struct hub *, uint64_t job, uint64_t mark);
/* Is it the picture of this job, or of a cell of it? */
bool hub_pictures(const struct hub *, uint64_t job, const char *digest);
/* The connection of a guest of this job. NULL: it is not shared, or memory is short. */
struct client *hub_open_guest(struct hub *, void *session, uint64_t job);
/* It is a guest's, and its share has ended since it was opened: it sees nothing any more, also when
 * the same secret shows the job again to who comes anew. */
bool hub_is_cut(const struct client *);

/* One message of a client: decoded, executed, answered exactly once, answers in the order of
 * commands. Errors go to the client, none to the caller. */
void hub_text(struct hub *, int64_t now, struct client *, const char *text, size_t len);
/* The same for a message that is read already (text_parse), which is borrowed. */
void hub_json(struct hub *, int64_t now, struct client *, const json_t *message);
/* The same for a command that is decoded already (takes its spec). */
void hub_command(struct hub *, int64_t now, struct client *, struct command *);
/* Answer with an error: about a message that was not given to hub_text() (its kind, ref and job),
 * or about the connection itself (NULL). */
void hub_error(struct hub *, int64_t now, struct client *, const struct command *about,
               const struct fail *);

/* The next message for a connection, or NULL. The caller owns the reference. Answers come first,
 * then events of jobs in turn (text before the previews of other jobs), then statistics. */
struct blob *hub_next(struct hub *, int64_t now, struct client *, bool *binary);
/* Bytes of answers that wait: above LIMIT_OUTBOX_BYTES close the connection (4008). Events do not
 * count: a job's board holds the newest of each kind only. */
size_t hub_backlog(const struct client *);

/* --- answers of the other threads ------------------------------------------------------------- */

/* The row of store_accept, store_finish or store_end is on disk (why NULL), or is not. An end that
 * may be taken later (ERR_IO, ERR_OUT_OF_MEMORY) is stored again, with its file; a result that is
 * refused for another reason is stored as `failed`, another end is posted although it is not
 * stored. */
void hub_stored(struct hub *, int64_t now, uint64_t job, const struct fail *why);

/* What store_share was given is on disk (why NULL), or is not: then the share of before holds. */
void hub_share_stored(struct hub *, int64_t now, const struct hub_share *, const struct fail *why);

/* What store_delete was given is gone from the disk (why NULL), or stays there: ERR_IO,
 * ERR_OUT_OF_MEMORY. */
void hub_deleted(struct hub *, int64_t now, const struct hub_deletion *, const struct fail *why);

/* A binary message of a client: a part of an upload. An error goes to the client. */
void hub_chunk(struct hub *, int64_t now, struct client *, const void *message, size_t len);
/* A whole file, as one that came in parts and is committed; ref is that of the answer, or "". */
void hub_upload(struct hub *, int64_t now, struct client *, const char *ref, const void *bytes,
                size_t len, bool private);
/* What became of a file that hub_out.take_image was given; why NULL: it is kept. */
void hub_image(struct hub *, int64_t now, const struct hub_image *, const struct fail *why);
/* What hub_out.discard_image was given is gone from the disk (why NULL), or stays: ERR_NOT_FOUND;
 * ERR_CONFLICT, as a job that is not over begins with it; ERR_IO. */
void hub_discarded(struct hub *, int64_t now, uint64_t ticket, const struct fail *why);
/* The file of a private upload (borrowed), by its digest and for its owner; NULL: none. */
struct blob *hub_private_upload(const struct hub *, uint32_t user, const char *digest);

/* What the store tells of a user's bound on its pictures. */
void hub_removal(struct hub *, int64_t now, const struct removal *);

/* The picture of a private job (borrowed), by its digest and for its owner, and its job; NULL:
 * none. When it was sent whole, hub_fetched() forgets it. */
struct blob *hub_private(const struct hub *, uint32_t user, const char *digest, uint64_t *job);
void hub_fetched(struct hub *, int64_t now, uint64_t job);

/* What the store found for a search: the message that answers it (borrowed), or NULL and why not.
 */
void hub_found(struct hub *, int64_t now, uint64_t ticket, struct blob *answer,
               const struct fail *why);

/* What a probe of the disk found while nothing was stored: why it takes nothing, or NULL: it
 * does. */
void hub_disk(struct hub *, int64_t now, const struct fail *why);

/* The finished file and the hex BLAKE2b-256 of it; file is borrowed. NULL: it failed, and so does
 * the job; for want of memory (ERR_OUT_OF_MEMORY) it is drawn again, up to HUB_RETRIES_MAX runs. */
void hub_encoded(struct hub *, int64_t now, uint64_t job, struct blob *file, const char *digest,
                 const struct fail *why);

/* A preview in the classes of the demand; images are borrowed (board.h: struct board_image). */
struct board_image;
void hub_preview(struct hub *, int64_t now, uint64_t job, enum event_phase,
                 const struct board_image *, int n);

/* What a worker reports of its device. */
void hub_device_event(struct hub *, int64_t now, const struct device_event *);

/* --- for hello, /healthz and tests ------------------------------------------------------------ */

struct hub_counts {
    bool ready, stopping;
    int cap, running, queued;
    int waiting[LANES], clients; /* connections that were greeted */
    int64_t done, failed, cancelled;
    uint64_t budget, promised;                 /* bytes of all devices that work */
    uint64_t previews_sent, previews_replaced; /* to connections; before they took them */
    const struct stats_totals *totals;
    const char *disk; /* why the disk takes nothing, valid until the next input; NULL: it does */
};
void hub_counts(const struct hub *, struct hub_counts *out);
/* Is this one of the users, and was not removed? */
bool hub_knows(const struct hub *, uint32_t user);
/* Connections of this user that are open, requests over HTTP among them; 0 for USER_NONE. */
int hub_connections(const struct hub *, uint32_t user);
/* It stops: by hub_drain(), or at the end of an administrator's drain. */
bool hub_stopping(const struct hub *);
/* What hello says to this user beside what holds for all connections: at most NOTICE_KINDS, valid
 * until the next input; *seq: of the newest of them. */
int hub_notices(const struct hub *, uint32_t user, const struct notice **out, uint64_t *seq);
/* One sentence for people to read; valid until the next input. */
const char *hub_why_cap(const struct hub *);
/* The same in parts, and how many at a time. */
void hub_concurrency(const struct hub *, struct concurrency *out);

#endif
