/* erase - files first, then rows; what cannot be looked up is not taken for absent. */
#include "server/store/erase.h"

int erase_old(struct job_rows *r, struct pictures *pictures, const struct row_picture *p,
              struct log *log, struct fail *f)
{
    struct fail why;

    if (!p->shared && pictures_remove(pictures, p->name, &why) != 0)
        log_warn(log, "store: an old picture stays on the disk: %s", why.message);
    return rows_remove(r, p->job, f);
}

static int erase_one(struct job_rows *r, struct pictures *pictures, uint64_t job, struct fail *f)
{
    struct row_picture p;
    int err = rows_picture(r, job, &p, f);

    if (err == ERR_NOT_FOUND)
        err = 0; /* it ended without a picture */
    else if (!err && !p.shared)
        err = pictures_remove(pictures, p.name, f);
    return err ? err : rows_remove(r, job, f);
}

int erase_job(struct job_rows *r, struct pictures *pictures, uint64_t job, struct fail *f)
{
    uint64_t next;
    int err;

    do {
        err = rows_cell(r, job, &next, f);
        if (!err) err = erase_one(r, pictures, next ? next : job, f);
    } while (!err && next);
    return err;
}
