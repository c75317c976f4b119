/* usage - getrusage() and /proc/self. */
#include "server/base/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static uint64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    long page = sysconf(_SC_PAGESIZE);

    if (!f) return 0;
    if (fscanf(f, "%*u %llu", &pages) != 1) pages = 0;
    fclose(f);
    return pages * (uint64_t)(page > 0 ? page : 0);
}

/* Without ".", ".." and the descriptor that is read. */
static int open_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = -3;

    if (!folder) return 0;
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

void usage_read(struct usage *u)
{
    struct rusage used;
    struct rlimit fds;

    *u = (struct usage){.resident_bytes = resident_bytes(), .open_fds = open_fds()};
    if (!getrusage(RUSAGE_SELF, &used))
        u->cpu_seconds = seconds(&used.ru_utime) + seconds(&used.ru_stime);
    if (!getrlimit(RLIMIT_NOFILE, &fds)) u->max_fds = (int)fds.rlim_cur;
}
