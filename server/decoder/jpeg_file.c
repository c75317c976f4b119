/* jpeg_file - libjpeg's own interface: TurboJPEG's knows no EXIF, and takes a file that ends early
 * for a whole one.
 *
 * The library reports what it cannot go on from by a long jump, so what must survive one is in
 * struct jpeg. */
#include "server/decoder/jpeg_file.h"

#include "server/decoder/canvas.h"
#include "server/decoder/exif.h"

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs it */
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

/* A progressive file has a dozen scans. Each of hundreds would go through all of a picture's
 * coefficients: a small file that takes minutes. */
enum { SCANS_MAX = 100 };

enum { MARK_EOI = 0xd9, MARK_SOS, MARK_APP1 = 0xe1, MARK_APP2 };

struct jpeg {
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf refused;
    const char *why;
    uint8_t *row;
    bool ended;   /* the file did, where the library wanted more */
    bool damaged; /* and it went on */
};

bool jpeg_file_is(struct file_bytes b)
{
    return begins_with(b, "\xff\xd8\xff", 3);
}

/* --- what the library calls ------------------------------------------------------------------- */

static struct jpeg *jpeg_of(j_common_ptr c)
{
    return c->client_data;
}

static _Noreturn void refuse(struct jpeg *j, const char *why)
{
    j->why = why;
    longjmp(j->refused, 1);
}

static void on_error(j_common_ptr c)
{
    struct jpeg *j = jpeg_of(c);

    switch (c->err->msg_code) {
    case JERR_OUT_OF_MEMORY: refuse(j, NULL);
    case JERR_BAD_PRECISION: refuse(j, "is a JPEG of more than 8 bits");
    case JERR_CONVERSION_NOTIMPL: refuse(j, "is a JPEG of unknown colours");
    case JERR_SOF_UNSUPPORTED: refuse(j, "is a JPEG of a kind that is not read here");
    default: refuse(j, "is a damaged JPEG");
    }
}

static void on_message(j_common_ptr c, int level)
{
    struct jpeg *j = jpeg_of(c);

    if (level >= 0) return;
    switch (c->err->msg_code) {
    case JWRN_HIT_MARKER:
        if (j->ended) refuse(j, "is a JPEG that ends early");
        j->damaged = true;
        break;
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION: j->damaged = true; break;
    default: break; /* bytes that do not matter */
    }
}

static void on_progress(j_common_ptr c)
{
    if (((j_decompress_ptr)c)->input_scan_number > SCANS_MAX)
        refuse(jpeg_of(c), "is a JPEG of too many scans");
}

/* Some cameras leave out the last marker, and what came before may still be whole. */
static boolean on_end(j_decompress_ptr c)
{
    static const JOCTET end[] = {0xff, MARK_EOI};

    jpeg_of((j_common_ptr)c)->ended = true;
    c->src->next_input_byte = end;
    c->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

/* --- head ------------------------------------------------------------------------------------- */

/* A segment between the start and the pixels. */
static void look_at_segment(int mark, struct file_bytes s, struct image_facts *facts)
{
    static const char profile[] = "ICC_PROFILE", exif[] = "Exif\0";

    if (mark == MARK_APP2 && begins_with(s, profile, sizeof profile))
        facts->changes |= 1U << IMAGE_PROFILE_IGNORED;
    if (mark == MARK_APP1 && begins_with(s, exif, sizeof exif) && facts->orientation == 1)
        facts->orientation = exif_orientation(s.at, s.len);
}

static void look_at_segments(struct file_bytes b, struct image_facts *facts)
{
    size_t at = 2;

    while (b.len - at >= 4 && b.at[at] == 0xff) {
        const int mark = b.at[at + 1];
        const size_t n = (size_t)b.at[at + 2] << 8 | b.at[at + 3];

        if (mark == MARK_SOS || mark == MARK_EOI) return;
        if (mark == 0xff) { /* may be repeated before a marker */
            at++;
            continue;
        }
        if (n < 2 || n > b.len - at - 2) return;
        look_at_segment(mark, (struct file_bytes){b.at + at + 4, n - 2}, facts);
        at += 2 + n;
    }
}

static void open_jpeg(struct jpeg *j, struct file_bytes b)
{
    j->c.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = on_error;
    j->errors.emit_message = on_message;
    j->c.client_data = j;
    jpeg_create_decompress(&j->c);
    j->progress.progress_monitor = on_progress;
    j->c.progress = &j->progress;
    jpeg_mem_src(&j->c, b.at, b.len);
    j->c.src->fill_input_buffer = on_end;
    jpeg_read_header(&j->c, TRUE);
}

static int close_jpeg(struct jpeg *j, int refused, struct fail *f)
{
    const char *why = j->why;

    if (j->c.mem) jpeg_destroy_decompress(&j->c);
    free(j->row);
    free(j);
    if (!refused) return 0;
    return why ? reader_refuse(f, why) : reader_no_memory(f);
}

int jpeg_file_look(struct file_bytes b, struct image_facts *facts, struct fail *f)
{
    struct jpeg *j = calloc(1, sizeof *j);

    if (!j) return reader_no_memory(f);
    if (setjmp(j->refused)) return close_jpeg(j, 1, f);
    open_jpeg(j, b);
    facts->file_width = (int)j->c.image_width; /* 16 bits each */
    facts->file_height = (int)j->c.image_height;
    if (j->c.num_components == 4) facts->changes |= 1U << IMAGE_FROM_CMYK;
    look_at_segments(b, facts);
    return close_jpeg(j, 0, f);
}

/* --- pixels ----------------------------------------------------------------------------------- */

static void decode(struct jpeg *j, struct canvas *c)
{
    const bool inks = j->c.num_components == 4;
    const int w = (int)j->c.image_width;

    j->c.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&j->c);
    if (jpeg_has_multiple_scans(&j->c) && j->ended) refuse(j, "is a JPEG that ends early");
    j->row = malloc(4 * (size_t)w);
    if (!j->row) refuse(j, NULL);
    while (j->c.output_scanline < j->c.output_height) {
        const int y = (int)j->c.output_scanline;

        jpeg_read_scanlines(&j->c, &j->row, 1);
        if (inks)
            canvas_cmyk(c, 0, y, j->row, w);
        else
            canvas_rgb(c, 0, y, j->row, w);
    }
}

int jpeg_file_decode(struct file_bytes b, struct image_facts *facts, uint8_t *rgb, struct fail *f)
{
    struct jpeg *j = calloc(1, sizeof *j);
    struct canvas c;

    if (!j) return reader_no_memory(f);
    canvas_init(&c, rgb, facts);
    if (setjmp(j->refused)) return close_jpeg(j, 1, f);
    open_jpeg(j, b);
    decode(j, &c);
    if (j->damaged) facts->changes |= 1U << IMAGE_DAMAGED;
    return close_jpeg(j, 0, f);
}
