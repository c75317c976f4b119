/* draw PROMPT HOST PORT - has a darkroom server draw it, prints what happens, writes picture.png.
 * Needs libwebsockets 4 and jansson: cc draw.c -o draw -lwebsockets -ljansson */
#include <jansson.h>
#include <libwebsockets.h>

struct draw {
    struct lws_client_connect_info to;
    int status; /* the program's; -1: it goes on */
};

static int on(struct lws *ws, enum lws_callback_reasons why, void *submit, void *in, size_t len)
{
    struct draw *d = lws_context_user(lws_get_context(ws));
    char room[LWS_PRE + 4096], *at = room + LWS_PRE;
    const char *url;
    int n = 4096;

    if (why == LWS_CALLBACK_CLIENT_ESTABLISHED) lws_callback_on_writable(ws);
    if (why == LWS_CALLBACK_CLIENT_WRITEABLE) lws_write(ws, submit, strlen(submit), LWS_WRITE_TEXT);
    if (why == LWS_CALLBACK_CLIENT_RECEIVE && !lws_frame_is_binary(ws)) { /* else a preview */
        fprintf(stderr, "%.*s\n", (int)len, (char *)in);
        if (!lws_json_simple_strcmp(in, len, "\"type\":", "error")) return -1;
        if (!lws_json_simple_strcmp(in, len, "\"type\":", "end")) return -1;
        url = lws_json_simple_find(in, len, "\"url\":", &len);
        if (!url || !freopen("picture.png", "wb", stdout)) return 0;
        snprintf(at, 4096, "%.*s", (int)len, url);
        d->to.path = at;
        d->to.method = "GET";
        lws_client_connect_via_info(&d->to);
    }
    if (why == LWS_CALLBACK_RECEIVE_CLIENT_HTTP) lws_http_client_read(ws, &at, &n);
    if (why == LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ) fwrite(in, 1, len, stdout);
    if (why == LWS_CALLBACK_COMPLETED_CLIENT_HTTP) d->status = 0;
    if (why == LWS_CALLBACK_CLIENT_CONNECTION_ERROR) d->status = 1;
    if (why == LWS_CALLBACK_CLIENT_CLOSED && !d->to.method) d->status = 1;
    return 0;
}

int main(int argc, char **argv)
{
    const struct lws_protocols all[] = {{"darkroom.v1", on, 0, 1 << 17, 0, NULL, 0}, {0}};
    char submit[LWS_PRE + 65536] = "";
    json_t *message;
    struct draw d = {{.path = "/ws", .protocol = all->name, .userdata = submit + LWS_PRE}, -1};
    struct lws_context_creation_info info = {.port = -1, .protocols = all, .user = &d};

    if (argc != 4) return 2;
    lws_set_log_level(LLL_ERR, NULL);
    message = json_pack("{s:s, s:{s:s}}", "type", "submit", "spec", "prompt", argv[1]);
    if (!message || json_dumpb(message, submit + LWS_PRE, 65535, 0) > 65535) return 2;
    d.to.context = lws_create_context(&info);
    d.to.address = d.to.host = argv[2];
    d.to.port = (int)strtol(argv[3], NULL, 10);
    lws_client_connect_via_info(&d.to);
    while (d.status < 0)
        lws_service(d.to.context, 0);
    lws_context_destroy(d.to.context);
    return d.status;
}
