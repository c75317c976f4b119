/* source - stb reads what png.h has written. */
#include "server/worker/source.h"

#include "server/base/blob.h"

#include <limits.h>
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include <stb/stb_image.h>

static int gone(struct fail *f)
{
    fail_field(f, ERR_NOT_FOUND, "images", "A picture that the job begins with is gone or damaged");
    return fail_advise(f, "Upload it again, and submit the job again.");
}

static struct blob *file_of(const struct source_files *files, const struct work *k, int i)
{
    char digest[SPEC_DIGEST_TEXT];

    if (k->source[i]) return blob_ref(k->source[i]);
    spec_digest_text(k->spec.image[i].digest, digest);
    return files->read ? files->read(files->arg, digest) : NULL;
}

int source_read(struct source_pixels *s, const struct source_files *files, const struct work *k,
                struct glm_image images[LIMIT_IMAGES], struct fail *f)
{
    *s = (struct source_pixels){.rgb = {NULL}};
    for (int i = 0; i < k->spec.images; i++) {
        struct blob *file = file_of(files, k, i);
        int channels;

        if (file && file->len < INT_MAX)
            s->rgb[i] = stbi_load_from_memory(file->data, (int)file->len, &images[i].width,
                                              &images[i].height, &channels, 3);
        blob_unref(file);
        if (!s->rgb[i]) return gone(f);
        images[i].rgb = s->rgb[i];
    }
    return 0;
}

void source_free(struct source_pixels *s)
{
    for (int i = 0; i < LIMIT_IMAGES; i++)
        stbi_image_free(s->rgb[i]);
}
