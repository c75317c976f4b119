/* service_conf - what the service is made with. Thread: main's. */
#ifndef SERVER_SERVICE_CONF_H
#define SERVER_SERVICE_CONF_H

#include "server/base/log.h"
#include "server/http/routes.h"
#include "server/options.h"

struct service_conf {
    struct options *options; /* live ones change on SIGHUP */
    const char *model, *data, *version;
    const struct http_page *pages;
    struct log *log;
};

#endif
