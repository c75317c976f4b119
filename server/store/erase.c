/* erase - files first, then rows; what cannot be looked up is not taken for absent. */
#include "server/store/erase.h"

int erase_picture(struct job_rows *r, struct pictures *pictures, const struct row_picture *p,
                  struct fail *f)
{
    int err = p->shared ? 0 : pictures_remove(pictures, p->name, f);

    return err ? err : rows_remove(r, p->job, f);
}

static int erase_one(struct job_rows *r, struct pictures *pictures, uint64_t job, struct fail *f)
{
    struct row_picture p;
    int err = rows_picture(r, job, &p, f);

    if (err == ERR_NOT_FOUND) return rows_remove(r, job, f); /* it ended without a picture */
    return err ? err : erase_picture(r, pictures, &p, f);
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
