/* queue_words - a table for each language. In English the server's sentence for why no more are
 * drawn at a time is there; in others it is put together from its parts. */
#include "server/http/queue_words.h"

#include "server/http/negotiate.h"

#include <string.h>

enum { ENGLISH, CHINESE, LANGUAGES };

static const char *const SUBTAG[LANGUAGES] = {"en", "zh"};

static const struct queue_words WORDS[LANGUAGES] = {
    {.tag = "en",
     .title = "The queue",
     .brand = "darkroom",
     .open = "Open the page",
     .counts = "{} run, {} wait. ",
     .cap = "At most {} at a time: ",
     .next = "One more picture would be there in ",
     .totals = ". Since the first start: {} done, {} failed, {} cancelled.",
     .state = "State",
     .size = "Size",
     .done_in = "Done in",
     .user = "User",
     .job = "Job",
     .runs = ", {} %",
     .waits = "waits, place {}",
     .seconds = "{}.{} s",
     .minutes = "{} min",
     .unknown = "?",
     .more = "And {} more.",
     .stop = "."},
    {.tag = "zh-Hans",
     .title = "队列",
     .brand = "暗房",
     .open = "打开页面",
     .counts = "正在绘制 {} 张，等待 {} 张。",
     .cap = "同时最多 {} 张：",
     .next = "再要一张，完成还需：",
     .totals = "。自首次启动以来：完成 {} 张，失败 {} 张，取消 {} 张。",
     .state = "状态",
     .size = "尺寸",
     .done_in = "还需",
     .user = "用户",
     .job = "任务",
     .runs = "，{}%",
     .waits = "等待，第 {} 位",
     .seconds = "{}.{} 秒",
     .minutes = "{} 分钟",
     .unknown = "未知",
     .more = "还有 {} 张。",
     .stop = "。"},
};

static const struct {
    const char *name, *words;
} PHASE_WORDS[] = {{"glyph", "阅读文字"}, {"vision", "看图"},  {"encode", "读图"},
                   {"prior", "构图"},     {"denoise", "显影"}, {"decode", "冲印"}},
  REASON_WORDS[] = {{"starting", "模型正在加载"},
                    {"failed", "设备出错，正在重新打开"},
                    {"lost", "设备没有恢复，已尝试 {} 次"},
                    {"memory", ""},
                    {"lowered", "更多时设备内存不足，所以只同时画 {} 张"},
                    {"option", "限制为 {} 张（<code>--concurrency</code>）"},
                    {"useful", "超过 {} 张只会互相拖慢"},
                    {"batch", "最多 {} 张可以一起画"}};

const struct queue_words *queue_words(const char *accept)
{
    return &WORDS[negotiate_language(accept, SUBTAG, LANGUAGES)];
}

void queue_say(struct text *t, const char *words, const long long *numbers)
{
    const char *hole;

    for (; (hole = strstr(words, "{}")) != NULL; words = hole + 2) {
        text_bytes(t, words, (size_t)(hole - words));
        text_printf(t, "%lld", *numbers++);
    }
    text_raw(t, words);
}

void queue_put(struct text *t, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': text_raw(t, "&lt;"); break;
        case '&': text_raw(t, "&amp;"); break;
        default: text_bytes(t, text, 1);
        }
    }
}

const char *queue_phase(const struct queue_words *w, const char *phase)
{
    for (size_t i = 0; w != WORDS && i < sizeof PHASE_WORDS / sizeof *PHASE_WORDS; i++)
        if (strcmp(PHASE_WORDS[i].name, phase) == 0) return PHASE_WORDS[i].words;
    return phase;
}

static const char *reason_of(const json_t *device)
{
    const char *why = json_string_value(json_object_get(device, "why"));

    for (size_t i = 0; why && i < sizeof REASON_WORDS / sizeof *REASON_WORDS; i++)
        if (strcmp(REASON_WORDS[i].name, why) == 0) return REASON_WORDS[i].words;
    return "";
}

static long long number_of(const json_t *device, const char *name)
{
    return (long long)(json_number_value(json_object_get(device, name)));
}

/* "2.5 MB", "48 MB", "18 GB": as the page writes them. */
static void say_bytes(const json_t *device, const char *name, struct text *t)
{
    const double bytes = json_number_value(json_object_get(device, name));
    const double n = bytes / (bytes < 1e9 ? 1e6 : 1e9);

    text_printf(t, n < 9.95 ? "%.1f %s" : "%.0f %s", n, bytes < 1e9 ? "MB" : "GB");
}

static void say_device(const json_t *device, struct text *t)
{
    const char *why = reason_of(device);
    const json_t *tries = json_object_get(device, "tries");

    queue_say(t, why, (const long long[]){number_of(device, tries ? "tries" : "cap")});
    if (!json_object_get(device, "fits")) return;
    queue_say(t, *why ? "；内存可放下 {} 张 {}×{} 的图片" : "内存可放下 {} 张 {}×{} 的图片",
              (const long long[]){number_of(device, "fits"), number_of(device, "width"),
                                  number_of(device, "height")});
    text_raw(t, "：每张 ");
    say_bytes(device, "picture_bytes", t);
    text_raw(t, "，共 ");
    say_bytes(device, "bytes", t);
}

void queue_why(const struct queue_words *w, const json_t *stats, struct text *t)
{
    const json_t *devices = json_object_get(stats, "devices"), *device;
    const char *why = json_string_value(json_object_get(stats, "why_cap"));
    size_t i;

    if (w == WORDS) {
        queue_put(t, why ? why : "");
        return;
    }
    if (json_object_get(stats, "disk")) text_raw(t, "磁盘无法保存图片。");
    json_array_foreach(devices, i, device)
    {
        if (i) text_raw(t, w->stop);
        if (json_array_size(devices) > 1)
            queue_say(t, "设备 {}：", (const long long[]){(long long)i});
        say_device(device, t);
    }
}
