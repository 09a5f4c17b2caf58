/*
 * SPDX-License-Identifier: MIT
 *
 * The kind ringbuf: the latest bytes, for ringbuf-read.
 *
 * 1. @prod and @cons count bytes ever written and read or overwritten; what
 *    is in the buffer are those between, at most @size.
 */
#include "qemu/osdep.h"
#include "chardev-internal.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-char.h"

enum { DEFAULT_SIZE = 65536 };

typedef struct RingBufChardev {
    Chardev parent;
    size_t size;                /* a power of two */
    /* Under write_lock. */
    size_t prod, cons;
    uint8_t *data;
} RingBufChardev;

static int ringbuf_write(Chardev *chr, const uint8_t *buf, int len)
{
    RingBufChardev *d = (RingBufChardev *)chr;

    for (int i = 0; i < len; i++) {
        d->data[d->prod++ & (d->size - 1)] = buf[i];
    }
    if (d->prod - d->cons > d->size) {
        d->cons = d->prod - d->size;
    }
    return len;
}

static size_t ringbuf_take(RingBufChardev *d, uint8_t *buf, size_t len)
{
    size_t n;

    qemu_mutex_lock(&d->parent.write_lock);
    n = MIN(len, d->prod - d->cons);
    for (size_t i = 0; i < n; i++) {
        buf[i] = d->data[d->cons++ & (d->size - 1)];
    }
    qemu_mutex_unlock(&d->parent.write_lock);
    return n;
}

static bool ringbuf_parse(QemuOpts *opts, ChardevBackend *backend,
                          Error **errp)
{
    ChardevRingbuf *ringbuf = g_new0(ChardevRingbuf, 1);
    uint64_t size = qemu_opt_get_size(opts, "size", 0);

    backend->u.ringbuf.data = ringbuf;
    qemu_chr_parse_common(opts, qapi_ChardevRingbuf_base(ringbuf));
    ringbuf->has_size = size != 0;
    ringbuf->size = size;
    return true;
}

static bool ringbuf_open(Chardev *chr, ChardevBackend *backend,
                         bool *be_opened, Error **errp)
{
    RingBufChardev *d = (RingBufChardev *)chr;
    ChardevRingbuf *opts = backend->u.ringbuf.data;
    int64_t size = opts->has_size ? opts->size : DEFAULT_SIZE;

    if (size <= 0 || !is_power_of_2(size)) {
        error_setg(errp, "size of ringbuf chardev must be power of two");
        return false;
    }
    d->size = size;
    d->data = g_try_malloc0(size);
    if (!d->data) {
        error_setg(errp, "Cannot allocate %" PRId64 " bytes for chardev '%s'",
                   size, chr->label);
        return false;
    }
    return true;
}

static void ringbuf_finalize(Chardev *chr)
{
    g_free(((RingBufChardev *)chr)->data);
}

const ChardevClass char_ringbuf_class = {
    .name = "ringbuf",
    .size = sizeof(RingBufChardev),
    .parse = ringbuf_parse,
    .open = ringbuf_open,
    .write = ringbuf_write,
    .finalize = ringbuf_finalize,
};

/* ---- QMP ---- */

static RingBufChardev *find_ringbuf(const char *device, Error **errp)
{
    Chardev *chr = qemu_chr_find(device);

    if (!chr) {
        error_setg(errp, "Device '%s' not found", device);
        return NULL;
    }
    if (chr->klass != &char_ringbuf_class) {
        error_setg(errp, "%s is not a ringbuf device", device);
        return NULL;
    }
    return (RingBufChardev *)chr;
}

void qmp_ringbuf_write(const char *device, const char *data, bool has_format,
                       DataFormat format, Error **errp)
{
    RingBufChardev *d = find_ringbuf(device, errp);
    g_autofree uint8_t *decoded = NULL;
    const uint8_t *bytes = (const uint8_t *)data;
    gsize len = strlen(data);

    if (!d) {
        return;
    }
    if (has_format && format == DATA_FORMAT_BASE64) {
        bytes = decoded = g_base64_decode(data, &len);
    }
    qemu_mutex_lock(&d->parent.write_lock);
    ringbuf_write(&d->parent, bytes, len);
    qemu_mutex_unlock(&d->parent.write_lock);
}

char *qmp_ringbuf_read(const char *device, int64_t size, bool has_format,
                       DataFormat format, Error **errp)
{
    RingBufChardev *d = find_ringbuf(device, errp);
    g_autofree uint8_t *bytes = NULL;
    size_t n;

    if (!d) {
        return NULL;
    }
    if (size <= 0) {
        error_setg(errp, "size must be greater than zero");
        return NULL;
    }
    size = MIN(size, d->size);
    bytes = g_malloc(size + 1);
    n = ringbuf_take(d, bytes, size);
    if (has_format && format == DATA_FORMAT_BASE64) {
        return g_base64_encode(bytes, n);
    }
    bytes[n] = 0;
    return g_utf8_make_valid((char *)bytes, strnlen((char *)bytes, n));
}
