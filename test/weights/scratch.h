/* scratch - temporary folders for tests that need files. */
#ifndef TEST_WEIGHTS_SCRATCH_H
#define TEST_WEIGHTS_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    char dir[256];
};

static inline int scratch_new(struct scratch *s)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(s->dir, sizeof s->dir, "%s/darkroom-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(s->dir) ? 0 : -1;
}

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
    (void)st, (void)type, (void)w;
    return remove(path);
}

/* The folder and everything in it; links are removed, not followed. */
static inline void scratch_free(struct scratch *s)
{
    nftw(s->dir, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* dir/name, valid until the next call with the same buffer. */
static inline const char *scratch_path(const struct scratch *s, const char *name, char buf[512])
{
    snprintf(buf, 512, "%s/%s", s->dir, name);
    return buf;
}

/* Write a file; folders in `name` are made. Returns 0 or -1. */
static inline int scratch_write(const struct scratch *s, const char *name, const void *data,
                                size_t n)
{
    char path[512];
    FILE *f;
    int bad;

    scratch_path(s, name, path);
    for (char *p = path + strlen(s->dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = 0;
        mkdir(path, 0700);
    }
    f = fopen(path, "wb");
    if (!f) return -1;
    bad = fwrite(data, 1, n, f) != n;
    return fclose(f) || bad ? -1 : 0;
}

#endif
