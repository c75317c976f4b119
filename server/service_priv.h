/* service_priv - struct service, for the files that it is wired in: service.c opens, closes and
 * hands on events, emit.c has what the hub emits, live.c what changes while it runs. Thread: the
 * loop's. */
#ifndef SERVER_SERVICE_PRIV_H
#define SERVER_SERVICE_PRIV_H

#include "server/base/reserve.h"
#include "server/base/watchdog.h"
#include "server/decoder/decoder.h"
#include "server/net/hello.h"
#include "server/net/net.h"
#include "server/service_conf.h"
#include "server/supervisor.h"
#include "server/webhook/webhooks.h"
#include "server/worker/converter.h"
#include "server/worker/encoder.h"
#include "server/worker/worker.h"

struct service {
    const struct service_conf *conf;
    struct log *log;
    struct mbox box;
    struct reserve reserve; /* for uploads, when memory is short */
    struct store *store;
    struct webhooks *webhooks;
    struct hub *hub;
    struct http *http;
    struct net *net;
    struct auth auth;
    int watch; /* of the users; -1: none, or the network's */
    struct watchdog *watchdog;
    struct pulse pulse; /* of the loop */
    struct supervisor supervisor;
    struct encoder *encoder;
    struct converter *converter;
    struct decoder *decoder;
    struct decoder_counts decoded;
    struct worker *worker[LIMIT_DEVICES];
    glm_device names[LIMIT_DEVICES];
    int workers;
    struct hello hello;
    struct glm_info info;
    /* copies, as info's texts live as long as the engine */
    char model[128], device[192], type[16], residency[256];
    bool loaded;
    struct traffic traffic;
    struct histogram commit;
    int folder; /* the data folder: as a number, it may outlive the store */
    uint64_t boot_id;
    bool terminal;   /* it was started from one */
    int64_t stop_by; /* 0: not stopping */
    struct fail fatal;
};

/* emit.c: the hub's effects, as calls of the other parts. */
struct hub_out emit_effects(struct service *);

/* live.c: the users that the data folder has now, to all that ask about users. */
int live_users(struct service *, struct fail *f);
/* The same while it serves: who is no user any more is hung up on. */
void live_renew_users(struct service *);
/* The ini file again: live options are in force, others are named in the log. */
void live_reread(struct service *);
/* The engine of any device, as all are of one kind and have the same model; NULL: none is open. */
const struct glm *live_engine(const struct service *);
/* Silence of a busy device before it counts as stuck. */
int live_stuck_seconds(const struct options *);

#endif
