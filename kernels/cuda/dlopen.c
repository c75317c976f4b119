/* dlopen - dlopen() with a few places to look. */
#include "kernels/cuda/dlopen.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CUDA_LIB_PATH
#    define CUDA_LIB_PATH "" /* folders, separated by colons: from the Makefile */
#endif

static void *open_in(const char *folders, const char *name)
{
    char path[1024];
    size_t n;
    void *h;
    int len;

    for (; folders && *folders; folders += n + (folders[n] == ':')) {
        n = strcspn(folders, ":");
        len = snprintf(path, sizeof path, "%.*s/%s", (int)n, folders, name);
        if (!n || len < 0 || (size_t)len >= sizeof path) continue;
        h = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (h) return h;
    }
    return NULL;
}

int dlopen_any(struct dlopen_lib *l, const char *const *names)
{
    *l = (struct dlopen_lib){0};
    for (int i = 0; names[i] && !l->handle; i++) {
        l->handle = open_in(getenv("DARKROOM_CUDA_LIBS"), names[i]);
        if (!l->handle) l->handle = open_in(CUDA_LIB_PATH, names[i]);
        if (!l->handle) l->handle = dlopen(names[i], RTLD_NOW | RTLD_GLOBAL);
    }
    return l->handle != NULL;
}

int dlopen_beside(struct dlopen_lib *l, const struct dlopen_lib *of, const char *pattern)
{
    struct link_map *map = NULL;
    const char *slash;
    char path[1024];
    glob_t found = {0};
    int len;

    *l = (struct dlopen_lib){0};
    if (!of->handle || dlinfo(of->handle, RTLD_DI_LINKMAP, &map) || !map) return 0;
    slash = strrchr(map->l_name, '/');
    if (!slash) return 0;
    len = snprintf(path, sizeof path, "%.*s/%s", (int)(slash - map->l_name), map->l_name, pattern);
    if (len > 0 && (size_t)len < sizeof path && !glob(path, 0, NULL, &found))
        l->handle = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_GLOBAL);
    globfree(&found);
    return l->handle != NULL;
}

void *dlopen_symbol(struct dlopen_lib *l, const char *name)
{
    void *p = l->handle ? dlsym(l->handle, name) : NULL;

    if (!p) l->missing++;
    return p;
}

void dlopen_close(struct dlopen_lib *l)
{
    if (l->handle) dlclose(l->handle);
    l->handle = NULL;
}
