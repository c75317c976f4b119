/* options_table - every option, one row each. */
#include "server/options_table.h"

#include "proto/limits.h"

#define S              (1U << OPTIONS_SERVE)
#define G              (1U << OPTIONS_GENERATE)
#define C              (1U << OPTIONS_CHECK)
#define P              (1U << OPTIONS_PLAN)
#define T              (1U << OPTIONS_TRACE)
#define U              (1U << OPTIONS_USER)
#define B              (1U << OPTIONS_BACKUP)
#define K              (1U << OPTIONS_CLIENT)
#define L              OPTIONS_LIVE
#define E              OPTIONS_EMPTY
#define ALL            (S | G | C | P | T)
/* a limit's number as the text of a default */
#define TEXT_OF(limit) TEXT_OF_(limit)
#define TEXT_OF_(x)    #x
#define AT(member)     offsetof(struct options, member)

const struct options_row OPTIONS_TABLE[] = {
    {"model", 'm', OPTIONS_TEXT, ALL, AT(model), NULL, 0, 0, "DIR",
     "Folder of the model; the bundled one when not given."},
    {"device", 0, OPTIONS_TEXT, S | G | P | T, AT(device), "auto", 0, 0, "NAME",
     "What draws: auto (all cards, or the processor), cpu, cuda:N; serve takes a list, one worker "
     "each."},
    {"dtype", 0, OPTIONS_TEXT, S | G | P | T, AT(dtype), "auto", 0, 0, "TYPE",
     "Arithmetic: auto (the faster one here), f32 or bf16."},
    {"threads", 't', OPTIONS_INT, S | G | P | T, AT(threads), "0", 0, 1024, "N",
     "Threads of the CPU device; 0 for all that the process may use."},
    {"vram", 0, OPTIONS_BYTES, S | G | P, AT(vram), "0", 0, 0x1p50, "SIZE",
     "Use so much of the device as if it had no more: 16G, 24576M; 0 for all."},
    {"cache", 0, OPTIONS_TEXT, G, AT(cache), NULL, 0, 0, "DIR",
     "Keep what is learnt from the model (preview colours) here."},

    {"host", 0, OPTIONS_TEXT, S, AT(host), "127.0.0.1", 0, 0, "ADDRESS",
     "Address to listen on; beyond this machine only with users (`darkroom user`) or --open."},
    {"port", 'p', OPTIONS_INT, S, AT(port), "7860", 0, 65535, "N",
     "Port to listen on; 0 takes a free one and prints it."},
    {"open", 0, OPTIONS_FLAG, S, AT(open), NULL, 0, 0, NULL,
     "Without users, let everybody who can reach the address use the service without a token: see "
     "all pictures, submit and cancel. Names of other hosts need --origins."},
    {"listen", 0, OPTIONS_TEXT, S, AT(listen), NULL, 0, 0, "unix:PATH",
     "Listen on this unix socket, for a proxy on this machine, instead of --host and --port."},
    {"trust-proxy", 0, OPTIONS_FLAG, S, AT(trust_proxy), NULL, 0, 0, NULL,
     "Believe X-Forwarded-User, -For and -Proto of what connects from this machine itself: a proxy "
     "that sets all three. A user it names must be there (`darkroom user add`)."},
    {"base", 0, OPTIONS_TEXT, S, AT(base), "/", 0, 0, "PATH",
     "Path below which a proxy serves this, as /lab/."},
    {"origins", 0, OPTIONS_TEXT, S | L | E, AT(origins), NULL, 0, 0, "LIST",
     "Other web origins whose pages may connect, and hosts that are served, with commas between "
     "them: https://pictures.example.org for a proxy of that name."},
    {"webhook-hosts", 0, OPTIONS_TEXT, S | E, AT(webhook_hosts), NULL, 0, 0, "LIST",
     "Hosts to which `webhook` of a request may have its end posted, with commas between them: "
     "hooks.example.org,build.lan:8080:private; none when not given."},
    {"webhook-secret", 0, OPTIONS_TEXT, S, AT(webhook_secret), NULL, 0, 0, "SECRET",
     "What such posts are signed with, whsec_ and base64; better in the file or the environment, "
     "as other users of the machine see flags."},
    {"webhook-ca", 0, OPTIONS_TEXT, S, AT(webhook_ca), NULL, 0, 0, "FILE",
     "Certificates of authorities in PEM that sign those hosts' too, beside the machine's own."},
    {"data", 'd', OPTIONS_TEXT, S | U | B, AT(data), NULL, 0, 0, "DIR",
     "Folder for queue, pictures and users; $XDG_DATA_HOME/darkroom when not given."},
    {"keep-days", 0, OPTIONS_INT, S | L, AT(keep_days), "90", 0, 36500, "N",
     "Remove pictures that are older; 0 keeps them at any age."},
    {"keep-size", 0, OPTIONS_BYTES, S | L, AT(keep_size), "20G", 0, 0x1p60, "SIZE",
     "Remove the oldest pictures beyond so many bytes with their rows; 0 for no bound."},
    {"grace-minutes", 0, OPTIONS_INT, S | L, AT(grace_minutes), "1440", 0, 525600, "N",
     "From telling users that pictures will go, as they take more than --disk of `darkroom user`, "
     "to removing them; beyond five quarters of it the oldest go at once."},
    {"private-minutes", 0, OPTIONS_INT, S | L, AT(private_minutes), "10", 0, 1440, "N",
     "For which a private picture waits in memory to be fetched."},
    {"upload-hours", 0, OPTIONS_INT, S, AT(upload_hours), "24", 1, 8760, "N",
     "For which an upload is kept that no job begins with, from its last use."},
    {"concurrency", 'c', OPTIONS_INT, S | L, AT(concurrency), "0", 0, LIMIT_BATCH, "N",
     "Draw at most N pictures at a time; 0: computed from memory and device."},
    {"memory", 0, OPTIONS_INT64, S, AT(memory_mb), "0", 0, 1 << 24, "MIB",
     "Memory for pictures besides the weights; 0 for three quarters of what is free."},
    {"queue", 'q', OPTIONS_INT, S | L, AT(queue), TEXT_OF(LIMIT_QUEUE_DEFAULT), 1, LIMIT_QUEUE_MAX,
     "N", "Jobs that may wait; more are refused with a time to retry."},
    {"job-seconds", 0, OPTIONS_INT, S | L, AT(job_seconds), TEXT_OF(LIMIT_JOB_SECONDS_DEFAULT), 1,
     LIMIT_JOB_SECONDS_MAX, "N", "Running time after which a job is ended as `timeout`."},
    {"connections", 0, OPTIONS_INT, S, AT(connections), TEXT_OF(LIMIT_SESSIONS_DEFAULT), 1, 65536,
     "N",
     "Open connections in all; the log says at the start when the limit of descriptors is "
     "less."},
    {"connections-per-ip", 0, OPTIONS_INT, S | L, AT(connections_per_ip), "0", 0, 65536, "N",
     "Open connections from one address; 0: 64, but from this machine itself any number."},
    {"connections-per-user", 0, OPTIONS_INT, S | L, AT(connections_per_user), "64", 0, 65536, "N",
     "WebSockets and event streams of one user at a time; 0: any number."},
    {"submits-per-second", 0, OPTIONS_INT, S | L, AT(submits_per_second), "20", 0, 100000, "N",
     "Jobs (a sweep is one) that one user (without users: one connection) may ask for, after a "
     "pause ten seconds' worth at once; 0: any number."},
    {"messages-per-second", 0, OPTIONS_INT, S | L, AT(messages_per_second), "1000", 0, 1000000, "N",
     "Messages that one connection may send, in the same way; 0: any number."},
    {"ping-seconds", 0, OPTIONS_INT, S | L, AT(ping_seconds), "25", 1, 3600, "N",
     "Silence after which a WebSocket is pinged."},
    {"hangup-seconds", 0, OPTIONS_INT, S | L, AT(hangup_seconds), "60", 2, 3600, "N",
     "Silence after which a WebSocket is closed."},
    {"log-level", 'l', OPTIONS_TEXT, S | G | L, AT(log_level), "info", 0, 0, "LEVEL",
     "What is written to stderr: error, warn, info or debug."},
    {"log-format", 0, OPTIONS_TEXT, S | G, AT(log_format), "text", 0, 0, "FORMAT",
     "How: text, or json (one object a line: time, level, text)."},
    {"access-log", 0, OPTIONS_FLAG, S, AT(access_log), NULL, 0, 0, NULL,
     "Log requests and WebSockets, too: address, user, method, path, status, bytes."},
    {"config", 0, OPTIONS_TEXT, S | G, AT(config), NULL, 0, 0, "FILE",
     "Read options from an ini file, one `name = value` a line."},

    {"out", 'o', OPTIONS_TEXT, G | T | K, AT(out), NULL, 0, 0, "FILE",
     "File to write; generate and client take - for standard output, and wait at a named pipe "
     "until "
     "something reads it."},
    {"width", 'W', OPTIONS_INT, G | P | K, AT(width), "0", 0, LIMIT_SIDE_MAX, "PIXELS",
     "Width, a multiple of 32; 0 for what the model draws best."},
    {"height", 'H', OPTIONS_INT, G | P | K, AT(height), "0", 0, LIMIT_SIDE_MAX, "PIXELS",
     "Height, a multiple of 32; 0 for what the model draws best."},
    {"steps", 's', OPTIONS_INT, G | P | K, AT(steps), "0", 0, LIMIT_STEPS_MAX, "N",
     "Denoising steps; 0 for the model's own number."},
    {"guidance", 'g', OPTIONS_REAL, G | P | K, AT(guidance), "-1", -1, LIMIT_GUIDANCE_MAX, "X",
     "Weight of the prompt; up to 1 needs half the work, -1 for the model's own."},
    {"seed", 'S', OPTIONS_INT64, G | K, AT(seed), "-1", -1, (double)LIMIT_SEED_MAX, "N",
     "Same seed, same picture; -1 picks one and says which."},
    {"noise-seed", 0, OPTIONS_INT64, G | K, AT(noise_seed), "-1", -1, (double)LIMIT_SEED_MAX, "N",
     "Draws the noise, and --seed the composition alone; -1: --seed draws both."},
    {"strict", 0, OPTIONS_FLAG, G, AT(strict), NULL, 0, 0, NULL,
     "The reference's sampling law to the letter: fails where it would fail."},
    {"image", 0, OPTIONS_TEXTS, G | P | K, AT(images), NULL, 0, 0, "FILE",
     "Begin with this picture (PNG, JPEG or WebP; for plan: WIDTHxHEIGHT); up to "
     "four times, in order."},
    {"like", 0, OPTIONS_TEXT, T, AT(like), NULL, 0, 0, "FILE",
     "Reference trace whose request and injected values are used."},
    {"logits", 0, OPTIONS_TEXT, T, AT(logits), NULL, 0, 0, "FILE",
     "Instead: apply the sampling law to the tensor `logits` of this file."},

    {"server", 0, OPTIONS_TEXT, K, AT(server), "http://127.0.0.1:7860", 0, 0, "URL",
     "Where the server is that draws: http://HOST:PORT, behind a proxy with its path."},
    {"token", 0, OPTIONS_TEXT, K | E, AT(token), NULL, 0, 0, "TOKEN",
     "Of a user of that server; others on this machine can read it in the process list, but not "
     "from the environment."},

    {"role", 0, OPTIONS_TEXT, U, AT(role), "user", 0, 0, "ROLE",
     "What the user may do: viewer (look), user (draw), admin (see and cancel everybody's jobs)."},
    {"lanes", 0, OPTIONS_TEXT, U, AT(lanes), NULL, 0, 0, "LIST",
     "Which of urgent, normal and batch its jobs may use; normal,batch when not given, all for an "
     "admin."},
    {"weight", 0, OPTIONS_REAL, U, AT(weight), "1", 0.001, 1000, "X",
     "Its share of the devices beside the others': 2 gets twice as much as 1."},
    {"waiting", 0, OPTIONS_INT, U, AT(waiting), "0", 0, LIMIT_QUEUE_MAX, "N",
     "Its jobs that may wait; 0 for no bound but the server's."},
    {"running", 0, OPTIONS_INT, U, AT(running), "0", 0, LIMIT_QUEUE_MAX, "N",
     "Its jobs that may run at a time; 0 for no bound but the server's."},
    {"disk", 0, OPTIONS_BYTES, U, AT(disk), "0", 0, 0x1p60, "SIZE",
     "Bytes of its pictures; 0 for no bound but the server's."},
    {0},
};
