/* host_memory - /proc/meminfo and the control group's limit (versions 2 and 1). */
#include "kernels/memory/host_memory.h"

#include <inttypes.h>
#include <stdio.h>

/* The number after `key` in kB, as bytes. */
static uint64_t meminfo(const char *key)
{
    char line[128], name[64];
    uint64_t kb, found = 0;
    FILE *f = fopen("/proc/meminfo", "re");

    if (!f) return 0;
    while (!found && fgets(line, sizeof line, f))
        if (sscanf(line, "%63[^:]: %" SCNu64, name, &kb) == 2 && !__builtin_strcmp(name, key))
            found = kb * 1024;
    fclose(f);
    return found;
}

/* A file with one number; 0 when it is missing or says "max". */
static uint64_t number(const char *path)
{
    uint64_t n = 0;
    FILE *f = fopen(path, "re");

    if (!f) return 0;
    if (fscanf(f, "%" SCNu64, &n) != 1) n = 0;
    fclose(f);
    return n;
}

void host_memory(uint64_t *total, uint64_t *available)
{
    static const char *const group[][2] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
    };

    *total = meminfo("MemTotal");
    *available = meminfo("MemAvailable");
    for (int i = 0; i < 2; i++) {
        uint64_t limit = number(group[i][0]), used = number(group[i][1]);
        uint64_t left = limit > used ? limit - used : 0;

        if (!limit || limit >= *total) continue;
        *total = limit;
        if (left < *available) *available = left;
    }
}
