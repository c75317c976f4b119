/* events - frees what messages of the loop's mailbox hold. */
#include "server/events.h"

#include <stdlib.h>

void events_free(struct msg *m)
{
    struct loop_device_event *device = (struct loop_device_event *)m;
    struct loop_preview *preview = (struct loop_preview *)m;

    switch (m->kind) {
    case LOOP_DEVICE_EVENT:
        blob_unref(device->event.checkpoint);
        blob_unref(device->event.tokens);
        break;
    case LOOP_PREVIEW:
        for (int i = 0; i < preview->n; i++)
            blob_unref(preview->blob[i]);
        break;
    case LOOP_CONVERTED: blob_unref(((struct conversion *)m)->file); break;
    case LOOP_FOUND: blob_unref(((struct loop_found *)m)->answer); break;
    case LOOP_DECODED:
        blob_unref(((struct decoding *)m)->file);
        blob_unref(((struct decoding *)m)->rgb);
        break;
    case LOOP_PRESSED:
    case LOOP_KEPT:
        blob_unref(((struct intake *)m)->rgb);
        blob_unref(((struct intake *)m)->png);
        break;
    case LOOP_ENCODED: blob_unref(((struct loop_encoded *)m)->file); break;
    default: break;
    }
    free(m);
}
