/* faults_memory - memory that is short: the k-th call of malloc, calloc, realloc or strdup in our
 * code, and of what SQLite and jansson have instead, gives none. Linked with --wrap (faults.mk). */
#ifndef TEST_SERVER_STORE_FAULTS_MEMORY_H
#define TEST_SERVER_STORE_FAULTS_MEMORY_H

#include "test/server/store/faults.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t n)
{
    return fault(FAULT_MEMORY, "malloc") ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fault(FAULT_MEMORY, "calloc") ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fault(FAULT_MEMORY, "realloc") ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
    return fault(FAULT_MEMORY, "strdup") ? NULL : __real_strdup(text);
}

static sqlite3_mem_methods faults_sqlite; /* its own */

static inline void *faults_sqlite_new(int n)
{
    return fault(FAULT_MEMORY, "SQLite's malloc") ? NULL : faults_sqlite.xMalloc(n);
}

static inline void *faults_sqlite_more(void *p, int n)
{
    return fault(FAULT_MEMORY, "SQLite's realloc") ? NULL : faults_sqlite.xRealloc(p, n);
}

static inline void *faults_jansson_new(size_t n)
{
    return fault(FAULT_MEMORY, "jansson's malloc") ? NULL : __real_malloc(n);
}

/* Before SQLite and jansson are used. Without lookaside each piece of SQLite's is counted. */
static inline void faults_memory_init(void)
{
    sqlite3_mem_methods ours;

    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &faults_sqlite);
    ours = faults_sqlite;
    ours.xMalloc = faults_sqlite_new;
    ours.xRealloc = faults_sqlite_more;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    json_set_alloc_funcs(faults_jansson_new, free);
}

#endif
