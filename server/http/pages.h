/* pages - the files of the web page, which are inside the binary. Thread: the loop's. */
#ifndef SERVER_HTTP_PAGES_H
#define SERVER_HTTP_PAGES_H

#include "server/http/reply.h"

/* One file inside the binary (the table page_files of frontend/pack.sh, which ends with a NULL
 * path). */
struct http_page {
    const char *path; /* "/index.html" */
    const uint8_t *start, *end;
};

struct pages {
    const struct http_page *files;
    int n;
    char (*etags)[24]; /* of each file, with quotes */
};

/* files is borrowed. ERR_OUT_OF_MEMORY. */
int pages_init(struct pages *, const struct http_page *files, struct fail *f);
void pages_free(struct pages *);
/* False (no reply is made): no file has this path. */
bool pages_route(const struct pages *, const struct http_request *, struct http_reply *);

#endif
