/* retention - a file goes before its row: a kill in between leaves a row that is found again. */
#include "server/store/retention.h"

#include "server/store/erase.h"

#include "proto/limits.h"

enum {
    LOOK_SECONDS = 60,   /* between two looks while jobs end */
    IDLE_SECONDS = 3600, /* while none do */
    ENDED_MAX = 256,     /* jobs without a picture that may end before the next look */
    WRITTEN_PART = 16,   /* a look when so large a part of keep_bytes was written */
    TRIMMED_MAX = 1000,  /* rows in one look: a thread that is busy for long counts as stuck */
    REMOVED_MAX = 64     /* pictures in one look: others wait for the thread */
};

void retention_ended(struct retention *r, int64_t bytes)
{
    if (bytes)
        r->written += bytes;
    else
        r->ended++;
}

bool retention_due(const struct retention *r, int64_t now_us)
{
    bool some = r->ended || r->written;
    int64_t seconds = some ? LOOK_SECONDS : IDLE_SECONDS;

    return r->more || r->ended > ENDED_MAX
           || (r->keep_bytes && r->written > r->keep_bytes / WRITTEN_PART)
           || now_us >= quota_due(&r->quota) || now_us - r->looked_us >= seconds * 1000000;
}

int retention_wait_ms(const struct retention *r, int64_t now_us)
{
    int64_t ms = r->ended || r->written ? LOOK_SECONDS * 1000 : IDLE_SECONDS * 1000;
    int64_t due = quota_due(&r->quota);

    if (r->more) return 0;
    if (due < now_us + ms * 1000) ms = due > now_us ? (due - now_us + 999) / 1000 : 0;
    return (int)ms;
}

void retention_grace(struct retention *r, int64_t grace_us)
{
    for (int i = 0; i < r->quota.n; i++)
        r->quota.at[i].until_us += grace_us - r->quota.grace_us;
    r->quota.grace_us = grace_us;
    r->more = true;
}

/* The time that ages are counted from. A wall clock that is years ahead, as before it is set from
 * the network, must not empty the store: it counts no further than a day past the newest job. */
static int64_t sane_ms(struct retention *r, int64_t unix_ms)
{
    int64_t newest = rows_newest_ms(r->rows), most = newest + INT64_C(86400000);

    return unix_ms < most ? unix_ms : most;
}

/* The end of a transaction; the number of pictures removed, or negative. */
static int finish(struct retention *r, int err, int removed, struct fail *f)
{
    if (!err) err = rows_commit(r->rows, f);
    if (err) rows_rollback(r->rows);
    return err ? err : removed;
}

/* The number of pictures removed, or negative. */
static int remove_some(struct retention *r, int64_t unix_ms, int64_t total, struct fail *f)
{
    struct row_picture oldest;
    int removed = 0, err = rows_begin(r->rows, f);

    while (!err && removed < REMOVED_MAX && rows_oldest(r->rows, &oldest)) {
        bool old = r->keep_ms && !oldest.favourite && unix_ms - oldest.created_ms > r->keep_ms;

        if (!old && (!r->keep_bytes || total <= r->keep_bytes)) break;
        if (!oldest.shared) total -= oldest.bytes;
        err = erase_old(r->rows, r->pictures, &oldest, r->log, f);
        removed++;
    }
    return finish(r, err, removed, f);
}

void retention_look(struct retention *r, int64_t now_us, int64_t unix_ms)
{
    struct fail why;
    int64_t total = 0;
    int removed = 0, beyond = 0, trimmed = rows_trim(r->rows, LIMIT_JOBS_KEPT, TRIMMED_MAX, &why);
    int err = trimmed < 0 ? trimmed : 0;

    if (!err) err = rows_total(r->rows, &total, &why);
    if (!err) removed = err = remove_some(r, sane_ms(r, unix_ms), total, &why);
    if (err >= 0) beyond = err = quota_look(&r->quota, now_us, unix_ms, &why);
    if (err < 0) log_error(r->log, "store: old jobs are not removed: %s", why.message);
    if (removed > 0)
        log_info(r->log, "store: the %d oldest picture%s removed (--keep-days, --keep-size)",
                 removed, removed == 1 ? " was" : "s were");
    r->more = removed == REMOVED_MAX || trimmed == TRIMMED_MAX || beyond > 0;
    r->looked_us = now_us;
    r->ended = r->written = 0;
}
