/* draw PROMPT HOST PORT - has a darkroom server draw it, prints what happens, writes picture.png.
 * Needs libwebsockets 4 and jansson: cc draw.c -o draw -lwebsockets -ljansson */
#include <jansson.h>
#include <libwebsockets.h>
static int on(struct lws *ws, enum lws_callback_reasons why, void *submit, void *in, size_t len)
{
    struct lws_client_connect_info *to = lws_context_user(lws_get_context(ws));
    char room[LWS_PRE + 4096], *at = room + LWS_PRE;
    if (why == LWS_CALLBACK_CLIENT_ESTABLISHED) lws_callback_on_writable(ws);
    if (why == LWS_CALLBACK_CLIENT_WRITEABLE) lws_write(ws, submit, strlen(submit), LWS_WRITE_TEXT);
    if (why == LWS_CALLBACK_CLIENT_RECEIVE && !lws_frame_is_binary(ws)) { /* else a preview */
        fprintf(stderr, "%.*s\n", (int)len, (char *)in);
        if (!lws_json_simple_strcmp(in, len, "\"type\":", "error")) exit(1);
        if (!to->method && !lws_json_simple_strcmp(in, len, "\"type\":", "end")) exit(1);
        in = (char *)lws_json_simple_find(in, len, "\"url\":", &len);
        if (!in || !freopen("picture.png", "wb", stdout)) return 0;
        to->path = strndup(in, len); /* the picture is there: fetch it */
        to->method = "GET";
        lws_client_connect_via_info(to);
    }
    if (why == LWS_CALLBACK_RECEIVE_CLIENT_HTTP) lws_http_client_read(ws, &at, (int[]){4096});
    if (why == LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ) fwrite(in, 1, len, stdout);
    if (why == LWS_CALLBACK_COMPLETED_CLIENT_HTTP) exit(0);
    if (why == LWS_CALLBACK_CLIENT_CONNECTION_ERROR || why == LWS_CALLBACK_CLIENT_CLOSED) exit(1);
    return 0;
}
int main(int argc, char **argv)
{
    const struct lws_protocols p[] = {{"darkroom.v1", on, 0, 1 << 17, 0, NULL, 0}, {0}};
    char room[LWS_PRE + 65536] = "", *text = room + LWS_PRE;
    struct lws_client_connect_info to = {.path = "/ws", .protocol = p->name, .userdata = text};
    struct lws_context_creation_info info = {.port = -1, .protocols = p, .user = &to};
    json_t *m = json_pack("{s:s, s:{s:s}}", "type", "submit", "spec", "prompt", argv[1]);
    if (argc != 4 || !m || json_dumpb(m, text, 65535, 0) > 65535) return 2;
    to.context = lws_create_context(&info);
    to.address = to.host = argv[2];
    to.port = (int)strtol(argv[3], NULL, 10);
    lws_client_connect_via_info(&to);
    while (lws_service(to.context, 0) >= 0) {}
}
