/* shares - jobs that are shown to who has no account: by a secret in an address, until a time.
 *
 * A job is shared once at most: another `share` makes another secret, and the one of before shows
 * nothing any more. Whose secret it is sees that job, of a sweep its cells too, and commands
 * nothing. It ends with `unshare`, at its time, with its job and with its owner; then its guests'
 * subscriptions end, and their connections are woken to be closed.
 * Kept is a hash of the secret alone, in the job's own row. Both commands are answered when the
 * disk has taken the change, so that no crash takes back what was answered; guests are cut off
 * before. What the disk refuses is an error, and the share that it has holds again, for guests who
 * come anew. Thread: the loop's. */
#ifndef SERVER_CORE_SHARES_H
#define SERVER_CORE_SHARES_H

#include "server/core/core.h"

void shares_init(struct hub *);

/* Execute share and unshare. */
void shares_obey(struct hub *, int64_t now, struct pending_reply *, const struct command *);
void shares_revoke(struct hub *, struct pending_reply *, const struct command *);

/* As hub_share_stored(). */
void shares_stored(struct hub *, int64_t now, const struct hub_share *, const struct fail *why);

/* As hub_shared(), hub_shares() and hub_pictures(). */
uint64_t shares_find(const struct hub *, int64_t now, const uint8_t hash[SHARE_HASH_BYTES],
                     uint64_t *mark);
bool shares_hold(const struct hub *, uint64_t job, uint64_t mark);
bool shares_picture(const struct hub *, uint64_t job, const char *digest);

/* End those whose time has come, or whose owner is gone. */
void shares_look(struct hub *, int64_t now);
int64_t shares_due(const struct hub *);

#endif
