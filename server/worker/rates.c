/* rates - lines of numbers, closed by their checksum. */
#include "server/worker/rates.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char HEAD[] = "darkroom rates 4\n";

void rates_key(const struct glm_info *info, char key[RATES_KEY])
{
    snprintf(key, RATES_KEY, "%s %s", info->digest, info->device);
}

/* FNV-1a, from HASH on. */
static const uint64_t HASH = 14695981039346656037ULL;

static uint64_t hash(uint64_t h, const char *text)
{
    for (const char *c = text; *c; c++)
        h = (h ^ (uint8_t)*c) * 1099511628211ULL;
    return h;
}

/* The file itself holds the whole key. */
static void name_of(const char *key, const char *end, char name[64])
{
    snprintf(name, 64, "rates-%016" PRIx64 "%s", hash(HASH, key), end);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_rates(FILE *file, const struct eta_known *k)
{
    for (int s = 0; s < ETA_STAGES; s++)
        for (int size = 0; size < ETA_SIZES; size++)
            for (int b = 0; b < LIMIT_BATCH; b++) {
                const struct eta_rate *r = &k->rate[s][size][b];

                if (r->seconds > 0)
                    fprintf(file, "rate %d %d %d %.9g %.9g\n", s, size, b, r->work, r->seconds);
            }
}

/* The whole text; NULL: no memory. The caller frees it. */
static char *text_of(const char *key, const struct eta_known *k)
{
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);

    if (!file) return NULL;
    fprintf(file, "%s%s\ntail %.9g\n", HEAD, key, k->tail_s);
    for (int kind = 0; kind < ETA_KINDS; kind++)
        for (int i = 0; i < k->judged[kind] && i < ETA_JUDGED; i++)
            fprintf(file, "off %d %.9g\n", kind, k->off[kind][i]);
    for (int i = 0; i < k->n_came && i < ETA_JUDGED; i++)
        fprintf(file, "came %.9g\n", k->came[i]);
    write_rates(file, k);
    if (fflush(file) == 0) fprintf(file, "end %016" PRIx64 "\n", hash(HASH, text));
    if (fclose(file) == 0) return text;
    free(text);
    return NULL;
}

static int write_file(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    bool bad;

    if (fd < 0) return -1;
    bad = write(fd, text, len) != (ssize_t)len;
    return close(fd) || bad ? -1 : 0;
}

int rates_save(const char *folder, const char *key, const struct eta_known *k, struct fail *f)
{
    char part[64], name[64], *text = text_of(key, k);
    int at, err = 0;

    if (!text) return fail_set(f, ERR_OUT_OF_MEMORY, "no memory");
    name_of(key, "", name);
    name_of(key, ".part", part);
    at = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (at < 0 || write_file(at, part, text) || renameat(at, part, at, name))
        err = fail_set(f, ERR_IO, "%s/%s: %s", folder, name, strerror(errno));
    if (at >= 0) close(at);
    free(text);
    return err;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool in(long value, long most)
{
    return value >= 0 && value < most;
}

/* "rate STAGE SIZE BATCH WORK SECONDS" after its first word. */
static bool read_rate(char *at, struct eta_known *k)
{
    long s = strtol(at, &at, 10), size = strtol(at, &at, 10), b = strtol(at, &at, 10);
    double work = strtod(at, &at), seconds = strtod(at, &at);

    if (*at != '\n' || !in(s, ETA_STAGES) || !in(size, ETA_SIZES) || !in(b, LIMIT_BATCH))
        return false;
    if (!isfinite(work) || !isfinite(seconds) || work <= 0 || seconds <= 0) return false;
    k->rate[s][size][b] = (struct eta_rate){work, seconds};
    return true;
}

/* "off KIND VALUE" after its first word. */
static bool read_off(char *at, struct eta_known *k)
{
    long kind = strtol(at, &at, 10);
    double value = strtod(at, &at);

    if (*at != '\n' || !isfinite(value) || !in(kind, ETA_KINDS)) return false;
    if (k->judged[kind] >= ETA_JUDGED) return false;
    k->off[kind][k->judged[kind]++] = value;
    return true;
}

/* "came WORK" after its first word. */
static bool read_came(char *at, struct eta_known *k)
{
    double value = strtod(at, &at);

    if (*at != '\n' || !isfinite(value) || value <= 0 || k->n_came >= ETA_JUDGED) return false;
    k->came[k->n_came++] = value;
    return true;
}

/* A line of numbers. False: it is none. */
static bool read_line(char *line, struct eta_known *k)
{
    char *at = strchr(line, ' ');
    double value;

    if (!at) return false;
    if (!strncmp(line, "rate ", 5)) return read_rate(at, k);
    if (!strncmp(line, "off ", 4)) return read_off(at, k);
    if (!strncmp(line, "came ", 5)) return read_came(at, k);
    value = strtod(at, &at);
    if (*at != '\n' || !isfinite(value) || strncmp(line, "tail ", 5) != 0) return false;
    k->tail_s = value;
    return value >= 0;
}

/* Why the file cannot be used, or NULL. */
static const char *read_all(FILE *file, const char *key, struct eta_known *k)
{
    char line[RATES_KEY + 2];
    uint64_t h;

    if (!fgets(line, sizeof line, file) || strcmp(line, HEAD) != 0) return "another version";
    h = hash(HASH, line);
    if (!fgets(line, sizeof line, file)) return "it is cut short";
    h = hash(h, line);
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, key) != 0) return "another model or device";
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, "end ", 4))
            return strtoull(line + 4, NULL, 16) == h ? NULL : "its checksum is wrong";
        if (!read_line(line, k)) return "a line is damaged";
        h = hash(h, line);
    }
    return "it is cut short";
}

int rates_load(const char *folder, const char *key, struct eta_known *out, struct fail *f)
{
    char name[64];
    const char *why;
    int at = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC), fd = -1;
    FILE *file;

    memset(out, 0, sizeof *out);
    name_of(key, "", name);
    if (at >= 0) fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (at >= 0) close(at);
    if (fd < 0 && errno == ENOENT) return fail_set(f, ERR_NOT_FOUND, "none were kept");
    file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!file) {
        if (fd >= 0) close(fd);
        return fail_set(f, ERR_IO, "%s/%s: %s", folder, name, strerror(errno));
    }
    why = read_all(file, key, out);
    fclose(file);
    if (!why) return 0;
    memset(out, 0, sizeof *out);
    return fail_set(f, ERR_IO, "%s/%s is ignored: %s", folder, name, why);
}
