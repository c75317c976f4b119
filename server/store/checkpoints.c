/* checkpoints - the digest goes into the free bytes in front of a blob, so that a file is written
 * and read in one piece. */
#include "server/store/checkpoints.h"

#include "proto/id.h"
#include "server/store/files.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CHECKPOINT_WRITE, CHECKPOINT_REMOVE, CHECKPOINT_STOP };
enum { DIGEST = 32 };
_Static_assert(DIGEST == BLOB_HEAD, "a file is a blob with its head");

static const char FOLDER[] = "checkpoints";
/* Bytes of the disk that are left to rows and results. */
static const uint64_t RESERVE = 64 << 20;
/* More than any model's: what is larger is not read. */
static const off_t LARGEST = (off_t)4 << 30;

struct order {
    struct msg m;
    uint64_t job;
    struct blob *blob; /* CHECKPOINT_WRITE: a reference */
};

static void digest_of(const struct blob *b, uint8_t out[DIGEST])
{
    crypto_generichash(out, DIGEST, b->data, b->len, NULL, 0);
}

/* --- writing, on the thread ------------------------------------------------------------------- */

static int check_room(int folder, size_t len, struct fail *f)
{
    struct statvfs fs;

    if (fstatvfs(folder, &fs) || (uint64_t)fs.f_bavail * fs.f_frsize >= RESERVE + len) return 0;
    return fail_set(f, ERR_IO, "the disk is nearly full");
}

static int write_one(struct checkpoints *c, uint64_t job, const struct blob *b, struct fail *f)
{
    char name[ID_TEXT];
    int folder, err = files_subfolder(c->data, FOLDER, true, &folder, f);

    if (err) return err;
    id_format(job, name);
    digest_of(b, (uint8_t *)b->memory);
    err = check_room(folder, b->len, f);
    if (!err) err = files_replace(folder, name, b->memory, DIGEST + b->len, f);
    close(folder);
    return err;
}

/* A refusal is logged when it begins. */
static void note(struct checkpoints *c, int err, const struct fail *why)
{
    if (err && !c->refused)
        log_warn(c->log, "store: checkpoints are not written, a kill costs what was drawn: %s",
                 why->message);
    if (!err && c->refused) log_info(c->log, "store: checkpoints are written again");
    c->refused = err != 0;
}

static void remove_one(struct checkpoints *c, uint64_t job)
{
    char name[ID_TEXT];
    int folder;

    if (files_subfolder(c->data, FOLDER, false, &folder, NULL)) return;
    id_format(job, name);
    unlinkat(folder, name, 0);
    close(folder);
}

static void handle(struct checkpoints *c, struct order *o)
{
    struct fail why;

    if (o->m.kind == CHECKPOINT_WRITE) note(c, write_one(c, o->job, o->blob, &why), &why);
    if (o->m.kind == CHECKPOINT_REMOVE) remove_one(c, o->job);
    blob_unref(o->blob);
    free(o);
}

static void *run(void *arg)
{
    struct checkpoints *c = arg;
    bool more = true;

    pthread_setname_np(pthread_self(), "checkpoints");
    while (more)
        for (struct msg *m = mbox_wait(&c->box, -1), *next; m; m = next) {
            next = m->next;
            if (m->kind == CHECKPOINT_STOP)
                more = false;
            else
                handle(c, (struct order *)m);
        }
    return NULL;
}

/* --- from other threads ----------------------------------------------------------------------- */

/* Without memory it is left out: an older checkpoint is as good, a stale one goes at the start. */
static void send(struct checkpoints *c, int kind, uint64_t job, struct blob *b)
{
    struct order *o = calloc(1, sizeof *o);

    if (!o) return;
    o->m.kind = kind;
    o->job = job;
    o->blob = b ? blob_ref(b) : NULL;
    mbox_push(&c->box, &o->m);
}

void checkpoints_write(struct checkpoints *c, uint64_t job, struct blob *b)
{
    send(c, CHECKPOINT_WRITE, job, b);
}

void checkpoints_remove(struct checkpoints *c, uint64_t job)
{
    send(c, CHECKPOINT_REMOVE, job, NULL);
}

static bool read_all(int fd, char *to, size_t len)
{
    ssize_t n;

    for (size_t at = 0; at < len; at += (size_t)n) {
        do
            n = read(fd, to + at, len - at);
        while (n < 0 && errno == EINTR);
        if (n <= 0) return false;
    }
    return true;
}

/* The file as a blob, its digest not checked. */
static struct blob *read_blob(int fd)
{
    struct stat st;
    char *memory;
    size_t size;

    if (fstat(fd, &st) || st.st_size <= DIGEST || st.st_size > LARGEST) return NULL;
    size = (size_t)st.st_size;
    memory = malloc(size);
    if (!memory) return NULL;
    if (read_all(fd, memory, size)) return blob_adopt(memory, size - DIGEST);
    free(memory);
    return NULL;
}

struct blob *checkpoints_read(int data, uint64_t job)
{
    struct blob *b = NULL;
    uint8_t digest[DIGEST];
    char name[ID_TEXT];
    int folder, fd;

    if (files_subfolder(data, FOLDER, false, &folder, NULL)) return NULL;
    id_format(job, name);
    if (!files_read(folder, name, &fd, NULL)) {
        b = read_blob(fd);
        close(fd);
    }
    close(folder);
    if (b) digest_of(b, digest);
    if (!b || !memcmp(digest, b->memory, DIGEST)) return b;
    blob_unref(b);
    return NULL;
}

/* --- start and end ---------------------------------------------------------------------------- */

struct keep {
    bool (*waits)(void *arg, uint64_t job);
    void *arg;
};

static bool keeps(void *arg, const char *name)
{
    const struct keep *k = arg;
    uint64_t job;

    return id_parse(name, &job) && k->waits(k->arg, job);
}

static void sweep(struct checkpoints *c, struct keep *k)
{
    int folder, err = files_subfolder(c->data, FOLDER, true, &folder, NULL);
    struct fail f;

    if (err) return; /* the first one that is written says why */
    if (files_prune(folder, keeps, k, &f)) log_warn(c->log, "store: checkpoints: %s", f.message);
    close(folder);
}

int checkpoints_open(struct checkpoints *c, int data, struct log *log,
                     bool (*waits)(void *arg, uint64_t job), void *arg, struct fail *f)
{
    c->data = data;
    c->log = log;
    mbox_init(&c->box, NULL, NULL);
    sweep(c, &(struct keep){waits, arg});
    if (pthread_create(&c->thread, NULL, run, c))
        return fail_set(f, ERR_OUT_OF_MEMORY, "Cannot start the thread of the checkpoints.");
    c->running = true;
    return 0;
}

void checkpoints_close(struct checkpoints *c)
{
    struct msg stop = {.kind = CHECKPOINT_STOP};

    if (!c->running) return;
    mbox_push(&c->box, &stop);
    pthread_join(c->thread, NULL);
    c->running = false;
    mbox_destroy(&c->box);
}
