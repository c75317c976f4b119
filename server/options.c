/* options - one setter and three readers of the table. */
#include "server/options.h"

#include <argp.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* usage: a line of the program's help; doc: what the command's own help begins with */
static const struct {
    const char *name, *args, *usage, *doc;
} COMMANDS[OPTIONS_COMMANDS] = {
    [OPTIONS_SERVE] = {"serve", "", "serve a model: web page, WebSocket, pictures",
                       "Serve a model: a web page, WebSocket darkroom.v1, and the pictures."},
    [OPTIONS_GENERATE] = {"generate", "PROMPT", "draw one picture without the service",
                          "Draw one picture without the service."},
    [OPTIONS_CHECK] = {"check", "", "what a model folder holds, or what is wrong with it",
                       "Say what a model folder holds, or the first ten things that are wrong."},
    [OPTIONS_PLAN] = {"plan", "", "bytes and FLOPs of one picture",
                      "Bytes by lifetime and FLOPs by phase of one picture."},
    [OPTIONS_TRACE] = {"trace", "", "every stage of a reference trace's request",
                       "Write every stage of a reference trace's request, for comparison."},
    [OPTIONS_BACKUP] = {"backup", "FILE", "copy a server's jobs and users, also while it runs",
                        "Copy the database of a data folder (jobs and users) to a new file, also "
                        "while a server uses it."},
    [OPTIONS_CLIENT] = {"client", "PROMPT", "have a running server draw one picture",
                        "Have a running server draw one picture, follow it, and fetch the file. "
                        "When this command is interrupted, the picture is cancelled half a minute "
                        "later; when the connection is lost, it is made again for a minute. Exit "
                        "status: 0 the file is there, 1 it is not (no server, refused, cancelled), "
                        "2 what was asked for is wrong."},
    [OPTIONS_USER] =
        {"user", "add NAME\nlist\nset NAME\nremove NAME\nrotate NAME",
         "who may use a server: add, list, set, remove, rotate",
         "Say who may use the server of a data folder, also while it runs: add a user "
         "and print its token, list all, set what one may do (only what is named changes; its "
         "connections stay), remove one (its jobs are cancelled, its "
         "connections closed), or rotate: give one another token, which ends the "
         "old. The first user closes the server to everybody else."},
};

const char *options_command_name(enum options_command command)
{
    return COMMANDS[command].name;
}

int options_command_parse(const char *name)
{
    for (int i = 0; i < OPTIONS_COMMANDS; i++)
        if (strcmp(COMMANDS[i].name, name) == 0) return i;
    return -1;
}

void options_usage(FILE *out)
{
    for (int i = 0; i < OPTIONS_COMMANDS; i++)
        fprintf(out, "  darkroom %-10s %s\n", COMMANDS[i].name, COMMANDS[i].usage);
}

/* --- one value -------------------------------------------------------------------------------- */

static int set_text(char **at, const char *value, struct fail *f)
{
    char *copy = strdup(value);

    if (!copy) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for an option.");
    free(*at);
    *at = copy;
    return 0;
}

/* A line more. */
static int add_text(char **at, const char *line, struct fail *f)
{
    const size_t n = strlen(*at), more = strlen(line);
    char *all = realloc(*at, n + more + 2);

    if (!all) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for an option.");
    all[n] = '\n';
    memcpy(all + n + 1, line, more + 1);
    *at = all;
    return 0;
}

static int set_texts(char **at, bool again, const char *text, struct fail *f)
{
    return again && *at ? add_text(at, text, f) : set_text(at, text, f);
}

static int set_flag(bool *at, const char *where, const char *value, struct fail *f)
{
    static const char *const yes[] = {"", "1", "yes", "true", "on"}, *const no[] = {"0", "no",
                                                                                    "false", "off"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (strcmp(value, yes[i]) == 0) return *at = true, 0;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (strcmp(value, no[i]) == 0) return *at = false, 0;
    return fail_set(f, ERR_USAGE, "%s must be yes or no, not '%s'.", where, value);
}

static int set_int64(int64_t *at, const struct options_row *o, const char *where, const char *value,
                     struct fail *f)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(value, &end, 10);
    if (end == value || *end || errno || (double)n < o->min || (double)n > o->max)
        return fail_set(f, ERR_USAGE, "%s must be a whole number from %.0f to %.0f, not '%s'.",
                        where, o->min, o->max, value);
    *at = n;
    return 0;
}

static int set_int(int *at, const struct options_row *o, const char *where, const char *value,
                   struct fail *f)
{
    int64_t n;
    int err = set_int64(&n, o, where, value, f);

    if (!err) *at = (int)n;
    return err;
}

/* A number of bytes, or of K, M, G (1024 each). */
static int set_bytes(int64_t *at, const struct options_row *o, const char *where, const char *value,
                     struct fail *f)
{
    static const char units[] = "KMG";
    char *end;
    double x = strtod(value, &end);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;

    for (const char *u = units; unit && u <= unit; u++)
        x *= 1024;
    end += unit != NULL;
    if (unit && toupper((unsigned char)*end) == 'I') end++; /* GiB, MB, .. */
    if (unit && toupper((unsigned char)*end) == 'B') end++;
    if (end == value || *end || !isdigit((unsigned char)*value) || !(x >= o->min && x <= o->max))
        return fail_set(f, ERR_USAGE, "%s must be a size such as 16G or 24576M, not '%s'.", where,
                        value);
    *at = (int64_t)x;
    return 0;
}

static int set_real(double *at, const struct options_row *o, const char *where, const char *value,
                    struct fail *f)
{
    char *end;
    double x = strtod(value, &end);

    if (end == value || *end || !(x >= o->min && x <= o->max))
        return fail_set(f, ERR_USAGE, "%s must be a number from %g to %g, not '%s'.", where, o->min,
                        o->max, value);
    *at = x;
    return 0;
}

/* An empty path or name comes from a variable that is not set; the default is not what it meant. */
static int check_empty(const struct options_row *o, const char *where, const char *value,
                       struct fail *f)
{
    bool text = o->type == OPTIONS_TEXT || o->type == OPTIONS_TEXTS;

    if (*value || !text || o->commands & OPTIONS_EMPTY) return 0;
    return fail_set(f, ERR_USAGE, "%s is empty; give its %s, or leave it out.", where, o->arg);
}

static int set(struct options *c, const struct options_row *o, enum options_place place,
               const char *where, const char *value, struct fail *f)
{
    size_t index = (size_t)(o - OPTIONS_TABLE);
    void *at;
    int err;

    if (c->place[index] > place) return 0;
    at = (char *)c + o->offset;
    err = check_empty(o, where, value, f);
    if (err) return err;
    switch (o->type) {
    case OPTIONS_TEXT: err = set_text(at, value, f); break;
    case OPTIONS_TEXTS: err = set_texts(at, c->place[index] == place, value, f); break;
    case OPTIONS_FLAG: err = set_flag(at, where, value, f); break;
    case OPTIONS_BYTES: err = set_bytes(at, o, where, value, f); break;
    case OPTIONS_REAL: err = set_real(at, o, where, value, f); break;
    case OPTIONS_INT: err = set_int(at, o, where, value, f); break;
    case OPTIONS_INT64: err = set_int64(at, o, where, value, f); break;
    }
    if (!err) c->place[index] = (unsigned char)place;
    return err;
}

static const struct options_row *find(const char *name)
{
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++)
        if (strcmp(o->name, name) == 0) return o;
    return NULL;
}

static int set_defaults(struct options *c, struct fail *f)
{
    int err = 0;

    for (const struct options_row *o = OPTIONS_TABLE; o->name && !err; o++) {
        assert(o - OPTIONS_TABLE < OPTIONS_MAX);
        if (o->fallback) err = set(c, o, OPTIONS_DEFAULT, o->name, o->fallback, f);
    }
    return err;
}

/* --- environment ------------------------------------------------------------------------------ */

static void variable_name(const struct options_row *o, char *out, size_t bytes)
{
    size_t n = (size_t)snprintf(out, bytes, "DARKROOM_");

    for (const char *s = o->name; *s && n + 1 < bytes; s++)
        out[n++] = *s == '-' ? '_' : (char)toupper((unsigned char)*s);
    out[n] = 0;
}

static int read_environment(struct options *c, char **environment, struct fail *f)
{
    int err = 0;

    for (const struct options_row *o = OPTIONS_TABLE; o->name && !err; o++) {
        char name[64];
        size_t n;

        variable_name(o, name, sizeof name);
        n = strlen(name);
        for (char **e = environment; e && *e && !err; e++)
            if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
                err = set(c, o, OPTIONS_ENVIRONMENT, name, *e + n + 1, f);
    }
    return err;
}

/* --- file ------------------------------------------------------------------------------------- */

/* inih cuts long lines silently at its own limit; here they are an error. */
struct file {
    struct options *c;
    struct fail *f;
    FILE *stream;
    const char *path;
    int line, err;
    bool seen[OPTIONS_MAX];
};

static char *read_line(char *out, int bytes, void *arg)
{
    struct file *file = arg;

    if (file->err || !fgets(out, bytes, file->stream)) return NULL;
    file->line++;
    if (!strchr(out, '\n') && !feof(file->stream)) {
        file->err = fail_set(file->f, ERR_USAGE, "%s:%d: the line is longer than %d bytes.",
                             file->path, file->line, bytes - 2);
        return NULL;
    }
    return out;
}

static int read_entry(void *arg, const char *section, const char *name, const char *value)
{
    struct file *file = arg;
    const struct options_row *o = find(name);
    char where[300];

    if (file->err) return 0;
    if (*section)
        file->err = fail_set(file->f, ERR_USAGE, "%s:%d: sections are not used; remove [%s].",
                             file->path, file->line, section);
    else if (!o || strcmp(o->name, "config") == 0)
        file->err = fail_set(file->f, ERR_USAGE, "%s:%d: there is no option '%s'.", file->path,
                             file->line, name);
    else if (file->seen[o - OPTIONS_TABLE])
        file->err = fail_set(file->f, ERR_USAGE, "%s:%d: '%s' is given a second time.", file->path,
                             file->line, name);
    if (file->err) return 0;
    snprintf(where, sizeof where, "%s:%d: %s", file->path, file->line, name);
    file->seen[o - OPTIONS_TABLE] = true;
    file->err = set(file->c, o, OPTIONS_FILE, where, value, file->f);
    return !file->err;
}

static int read_file(struct options *c, struct fail *f)
{
    struct file file;
    int wrong;

    if (!c->config) return 0;
    file = (struct file){.c = c, .f = f, .path = c->config, .stream = fopen(c->config, "re")};
    if (!file.stream) return fail_set(f, ERR_USAGE, "--config %s: %s.", c->config, strerror(errno));
    wrong = ini_parse_stream(read_line, &file, read_entry, &file);
    if (!file.err && ferror(file.stream)) /* a folder can be opened, but not read */
        file.err = fail_set(f, ERR_USAGE, "--config %s: %s.", c->config, strerror(errno));
    fclose(file.stream);
    if (!file.err && wrong)
        return fail_set(f, ERR_USAGE, "%s:%d: expected `name = value`.", c->config, wrong);
    return file.err;
}

/* --- flags ------------------------------------------------------------------------------------ */

enum { KEY_BASE = 1000, KEY_HELP = 999 };

struct flags {
    struct options *c;
    struct fail *f;
    enum options_command command;
    int err, stopped_at;
};

static int verb_once(struct flags *s, const char *arg)
{
    if (!s->c->verb) return set_text(&s->c->verb, arg, s->f);
    if (!s->c->user) return set_text(&s->c->user, arg, s->f);
    return fail_set(s->f, ERR_USAGE, "user %s takes one name, not '%s' too.", s->c->verb, arg);
}

static int prompt_once(struct flags *s, const char *arg)
{
    if (s->command == OPTIONS_USER) return verb_once(s, arg);
    if (s->command == OPTIONS_BACKUP && !s->c->out) return set_text(&s->c->out, arg, s->f);
    if (s->command != OPTIONS_GENERATE && s->command != OPTIONS_CLIENT)
        return fail_set(s->f, ERR_USAGE, "'%s' is not an option of %s.", arg,
                        options_command_name(s->command));
    if (s->c->prompt)
        return fail_set(s->f, ERR_USAGE,
                        "There is a second prompt, '%s'. Put quotes round the whole prompt.", arg);
    return set_text(&s->c->prompt, arg, s->f);
}

static error_t parse_flag(int key, char *arg, struct argp_state *state)
{
    struct flags *s = state->input;

    if (key == KEY_HELP) {
        s->c->help = true;
        return 0;
    }
    if (key == ARGP_KEY_ERROR) {
        s->stopped_at = state->next;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        s->err = prompt_once(s, arg);
        return s->err ? EINVAL : 0;
    }
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++) {
        char where[48];

        if (key != (o->letter ? o->letter : KEY_BASE + (int)(o - OPTIONS_TABLE))) continue;
        snprintf(where, sizeof where, "--%s", o->name);
        s->err = set(s->c, o, OPTIONS_ARGUMENT, where, arg ? arg : "", s->f);
        return s->err ? EINVAL : 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* The rows of one command in argp's form; help texts carry the default. */
struct table {
    struct argp_option row[OPTIONS_MAX + 2];
    char doc[OPTIONS_MAX][200];
};

static void make_table(struct table *t, enum options_command command)
{
    int n = 0;

    memset(t, 0, sizeof *t);
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++) {
        size_t i;
        bool plain;

        if (!(o->commands & (1U << command))) continue;
        i = (size_t)(o - OPTIONS_TABLE);
        plain = !o->fallback || strcmp(o->fallback, "0") == 0 || *o->fallback == '-';
        snprintf(t->doc[i], sizeof t->doc[i], plain ? "%s" : "%s [%s]", o->doc, o->fallback);
        t->row[n].name = o->name;
        t->row[n].key = o->letter ? o->letter : KEY_BASE + (int)i;
        t->row[n].arg = o->arg;
        t->row[n].doc = t->doc[i];
        t->row[n++].group = 1;
    }
    t->row[n].name = "help";
    t->row[n].key = KEY_HELP;
    t->row[n].doc = "This text.";
    t->row[n].group = 2;
}

static int read_flags(struct options *c, enum options_command command, int argc, char **args,
                      struct fail *f)
{
    struct table t;
    struct flags s = {.c = c, .f = f, .command = command};
    struct argp argp;
    error_t err;

    make_table(&t, command);
    argp = (struct argp){t.row, parse_flag, COMMANDS[command].args, NULL, NULL, NULL, NULL};
    /* argp prints nothing: its errors are made here, in the form of all others */
    err = argp_parse(&argp, argc, args, ARGP_NO_HELP | ARGP_SILENT, NULL, &s);
    if (s.err) return s.err;
    if (err)
        return fail_set(f, ERR_USAGE, "%s is not an option of %s, or its value is missing.",
                        s.stopped_at > 0 && s.stopped_at <= argc ? args[s.stopped_at - 1] : "This",
                        options_command_name(command));
    return 0;
}

/* --- everything ------------------------------------------------------------------------------- */

static int check_words(const struct options *c, struct fail *f)
{
    static const char *const types[] = {"auto", "f32", "bf16"};
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    bool type = false, level = false;

    for (size_t i = 0; i < 3; i++)
        type |= strcmp(c->dtype, types[i]) == 0;
    for (size_t i = 0; i < 4; i++)
        level |= strcmp(c->log_level, levels[i]) == 0;
    if (!type) return fail_set(f, ERR_USAGE, "dtype is auto, f32 or bf16, not '%s'.", c->dtype);
    if (strcmp(c->log_format, "text") != 0 && strcmp(c->log_format, "json") != 0)
        return fail_set(f, ERR_USAGE, "log-format is text or json, not '%s'.", c->log_format);
    if (!level)
        return fail_set(f, ERR_USAGE, "log-level is error, warn, info or debug, not '%s'.",
                        c->log_level);
    if (c->listen && strncmp(c->listen, "unix:", 5) != 0)
        return fail_set(f, ERR_USAGE,
                        "--listen takes unix:PATH, not '%.80s'; use --host and --port.", c->listen);
    if (c->hangup_seconds <= c->ping_seconds)
        return fail_set(f, ERR_USAGE, "hangup-seconds (%d) must be more than ping-seconds (%d).",
                        c->hangup_seconds, c->ping_seconds);
    return 0;
}

static int check_verb(const struct options *c, struct fail *f)
{
    static const char *const verbs[] = {"add", "list", "set", "remove", "rotate"};
    size_t i = 0;

    while (i < 5 && (!c->verb || strcmp(c->verb, verbs[i]) != 0))
        i++;
    if (i == 5)
        return fail_set(f, ERR_USAGE, "%s%s%s: use add, list, set, remove or rotate.",
                        c->verb ? "There is no user '" : "user needs a word",
                        c->verb ? c->verb : "", c->verb ? "'" : "");
    if (i != 1 && !c->user)
        return fail_set(f, ERR_USAGE, "Name the user: darkroom user %s NAME.", c->verb);
    if (i == 1 && c->user) return fail_set(f, ERR_USAGE, "user list takes no '%s'.", c->user);
    return 0;
}

static int check_needs(const struct options *c, enum options_command command, struct fail *f)
{
    if (command == OPTIONS_USER) return check_verb(c, f);
    if (command == OPTIONS_BACKUP && (!c->out || !*c->out))
        return fail_set(f, ERR_USAGE, "Name the file to write: darkroom backup FILE.");
    if ((command == OPTIONS_GENERATE || command == OPTIONS_CLIENT) && !c->prompt)
        return fail_set(f, ERR_USAGE, "Say what to draw: darkroom %s \"a red circle\".",
                        options_command_name(command));
    if (command == OPTIONS_TRACE && (!c->like == !c->logits || !c->out))
        return fail_set(f, ERR_USAGE,
                        "trace needs --out FILE and either --like FILE or --logits FILE.");
    return 0;
}

int options_read(struct options *c, enum options_command command, int argc, char **args,
                 char **environment, struct fail *f)
{
    int err;

    memset(c, 0, sizeof *c);
    err = set_defaults(c, f);
    if (!err) err = read_flags(c, command, argc, args, f);
    if (!err && c->help) return 0;
    if (!err) err = read_environment(c, environment, f);
    if (!err) err = read_file(c, f);
    if (!err) err = check_words(c, f);
    if (!err) err = check_needs(c, command, f);
    if (err == ERR_USAGE)
        fail_advise(f, "See `darkroom %s --help`.", options_command_name(command));
    return err;
}

static bool is_text(const struct options_row *o)
{
    return o->type == OPTIONS_TEXT || o->type == OPTIONS_TEXTS;
}

void options_free(struct options *c)
{
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++)
        if (is_text(o)) free(*(char **)((char *)c + o->offset));
    free(c->prompt);
    free(c->verb);
    free(c->user);
    memset(c, 0, sizeof *c);
}

/* --- the file again --------------------------------------------------------------------------- */

static void *value(const struct options *c, const struct options_row *o)
{
    return (char *)(uintptr_t)c + o->offset;
}

static size_t value_bytes(const struct options_row *o)
{
    switch (o->type) {
    case OPTIONS_TEXT:
    case OPTIONS_TEXTS: return sizeof(char *);
    case OPTIONS_FLAG: return sizeof(bool);
    case OPTIONS_INT: return sizeof(int);
    case OPTIONS_REAL: return sizeof(double);
    default: return sizeof(int64_t);
    }
}

static bool same(const struct options *a, const struct options *b, const struct options_row *o)
{
    const char *x, *y;

    if (!is_text(o)) return memcmp(value(a, o), value(b, o), value_bytes(o)) == 0;
    x = *(char **)value(a, o);
    y = *(char **)value(b, o);
    return x && y ? strcmp(x, y) == 0 : x == y;
}

/* What flags and environment gave, which a file does not change. */
static int keep_stronger(const struct options *c, struct options *next, struct fail *f)
{
    int err = 0;

    for (const struct options_row *o = OPTIONS_TABLE; o->name && !err; o++) {
        size_t i = (size_t)(o - OPTIONS_TABLE);

        if (c->place[i] < OPTIONS_ENVIRONMENT) continue;
        next->place[i] = c->place[i];
        if (is_text(o))
            err = set_text(value(next, o), *(char **)value(c, o), f);
        else
            memcpy(value(next, o), value(c, o), value_bytes(o));
    }
    return err;
}

bool options_given(const struct options *c, const char *name)
{
    int i = 0;

    while (OPTIONS_TABLE[i].name && strcmp(OPTIONS_TABLE[i].name, name) != 0)
        i++;
    assert(OPTIONS_TABLE[i].name);
    return c->place[i] > OPTIONS_DEFAULT;
}

/* A pipe has nothing more to read, and opening a named one waits for who writes to it. */
static int check_again(const struct options *c, struct fail *f)
{
    struct stat st;

    if (!c->config || stat(c->config, &st) || !S_ISFIFO(st.st_mode)) return 0;
    return fail_set(f, ERR_USAGE, "--config %.200s is a pipe, which is read once.", c->config);
}

int options_reread(const struct options *c, struct options *next, struct fail *f)
{
    int err;

    memset(next, 0, sizeof *next);
    err = check_again(c, f);
    if (!err) err = set_defaults(next, f);
    if (!err) err = keep_stronger(c, next, f);
    if (!err) err = read_file(next, f);
    return err ? err : check_words(next, f);
}

static void list(char *names, size_t bytes, const char *name)
{
    size_t n = strlen(names);

    snprintf(names + n, bytes - n, "%s%s", n ? ", " : "", name);
}

void options_adopt(struct options *c, struct options *next, struct options_changes *out)
{
    memset(out, 0, sizeof *out);
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++) {
        size_t i = (size_t)(o - OPTIONS_TABLE), n = value_bytes(o);
        char old[sizeof(int64_t)];

        if (same(c, next, o) || !(o->commands & (1U << OPTIONS_SERVE))) continue;
        list(o->commands & OPTIONS_LIVE ? out->live : out->restart, sizeof out->live, o->name);
        if (!(o->commands & OPTIONS_LIVE)) continue;
        memcpy(old, value(c, o), n);
        memcpy(value(c, o), value(next, o), n);
        memcpy(value(next, o), old, n);
        c->place[i] = next->place[i];
    }
}

enum glm_type options_dtype(const struct options *c)
{
    return strcmp(c->dtype, "f32") == 0    ? GLM_F32
           : strcmp(c->dtype, "bf16") == 0 ? GLM_BF16
                                           : GLM_AUTO;
}

void options_help(enum options_command command, FILE *out)
{
    struct table t;
    char name[48];
    struct argp argp;

    make_table(&t, command);
    snprintf(name, sizeof name, "darkroom %s", options_command_name(command));
    argp = (struct argp){t.row, parse_flag, COMMANDS[command].args, COMMANDS[command].doc, NULL,
                         NULL,  NULL};
    argp_help(&argp, out, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_PRE_DOC, name);
    fprintf(out, "\nEvery option can also be given as DARKROOM_NAME in the environment%s.\n",
            command <= OPTIONS_GENERATE ? " or in --config FILE" : "");
}

void options_write_doc(FILE *out)
{
    fputs(
        "# Options\n\n<!-- written by `build/darkroom options`, from options_table.c -->\n\n"
        "A flag wins over the environment, the environment over the file named by `--config` (one\n"
        "`name = value` a line), the file over the default. A server that gets SIGHUP reads the "
        "file\n"
        "again: it takes the new values of options that are marked *live* without closing a\n"
        "connection, and logs which others differ, as those need a restart.\n\n"
        "| option | environment | default | commands | meaning |\n|---|---|---|---|---|\n",
        out);
    for (const struct options_row *o = OPTIONS_TABLE; o->name; o++) {
        char variable[64];

        variable_name(o, variable, sizeof variable);
        fprintf(out, "| `--%s%s%s` | `%s` | %s |", o->name, o->arg ? " " : "", o->arg ? o->arg : "",
                variable, o->fallback ? o->fallback : "");
        for (int i = 0; i < OPTIONS_COMMANDS; i++)
            if (o->commands & (1U << i)) fprintf(out, " %s", COMMANDS[i].name);
        fprintf(out, "%s | %s |\n", o->commands & OPTIONS_LIVE ? " (live)" : "", o->doc);
    }
}
