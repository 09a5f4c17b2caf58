/*
 * SPDX-License-Identifier: MIT
 *
 * The object "secret".  Its bytes are read when it is completed, so a wrong
 * file name shows at once, and are wiped before their memory is freed.
 */
#include "qemu/osdep.h"
#include "crypto/secret.h"
#include "qapi/error.h"
#include "qapi/qapi-types-crypto.h"
#include "qapi/qapi-visit-crypto.h"

typedef struct QCryptoSecret {
    Object parent_obj;
    /* What the user set. */
    char *data;
    char *file;
    QCryptoSecretFormat format;
    /* The secret; NULL before completion. */
    uint8_t *bytes;
    size_t len;
} QCryptoSecret;

static void wipe(void *p, size_t len)
{
    if (p) {
        explicit_bzero(p, len);
        g_free(p);
    }
}

static bool is_base64(const char *s, size_t len)
{
    size_t n = 0;
    size_t pad = 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\n' || s[i] == '\r') {
            continue;
        }
        n++;
        if (s[i] == '=') {
            pad++;
        } else if (pad || !(g_ascii_isalnum(s[i]) || s[i] == '+' ||
                            s[i] == '/')) {
            return false;
        }
    }
    return n % 4 == 0 && pad <= 2;
}

/* Decodes @text (@len bytes) as the format says into s->bytes. */
static bool decode(QCryptoSecret *s, const char *text, size_t len,
                   Error **errp)
{
    if (s->format == QCRYPTO_SECRET_FORMAT_RAW) {
        s->bytes = g_malloc(len + 1);
        memcpy(s->bytes, text, len);
        s->bytes[len] = 0;
        s->len = len;
        return true;
    }
    if (memchr(text, 0, len)) {
        error_setg(errp, "Base64 data contains embedded NULs");
        return false;
    }
    if (!is_base64(text, len)) {
        error_setg(errp, "Base64 data contains invalid characters");
        return false;
    }
    s->bytes = g_base64_decode(text, &s->len);
    s->bytes = g_realloc(s->bytes, s->len + 1);
    s->bytes[s->len] = 0;
    return true;
}

static bool secret_complete(Object *obj, Error **errp)
{
    QCryptoSecret *s = (QCryptoSecret *)obj;
    g_autoptr(GError) gerr = NULL;
    char *text = NULL;
    gsize len;
    bool ok;

    if (s->data && s->file) {
        error_setg(errp, "'file' and 'data' are mutually exclusive");
        return false;
    }
    if (s->data) {
        return decode(s, s->data, strlen(s->data), errp);
    }
    if (!s->file) {
        error_setg(errp, "Either 'file' or 'data' must be provided");
        return false;
    }
    if (!g_file_get_contents(s->file, &text, &len, &gerr)) {
        error_setg(errp, "Unable to read %s: %s", s->file, gerr->message);
        return false;
    }
    ok = decode(s, text, len, errp);
    wipe(text, len);
    return ok;
}

static void secret_finalize(Object *obj)
{
    QCryptoSecret *s = (QCryptoSecret *)obj;

    wipe(s->bytes, s->len);
    wipe(s->data, s->data ? strlen(s->data) : 0);
    g_free(s->file);
}

static bool get_string(Object *obj, const ObjectProperty *prop, Visitor *v,
                       Error **errp)
{
    char *value = *(char **)((char *)obj + prop->offset);

    if (!value) {
        value = (char *)"";
    }
    return visit_type_str(v, prop->name, &value, errp);
}

static bool set_string(Object *obj, const ObjectProperty *prop, Visitor *v,
                       Error **errp)
{
    char **field = (char **)((char *)obj + prop->offset);
    char *value;

    if (!visit_type_str(v, prop->name, &value, errp)) {
        return false;
    }
    wipe(*field, *field ? strlen(*field) : 0);
    *field = value;
    return true;
}

static bool access_format(Object *obj, const ObjectProperty *prop, Visitor *v,
                          Error **errp)
{
    return visit_type_QCryptoSecretFormat(v, prop->name,
                                          &((QCryptoSecret *)obj)->format,
                                          errp);
}

static const ObjectProperty secret_properties[] = {
    { .name = "format", .type = "QCryptoSecretFormat",
      .get = access_format, .set = access_format },
    { .name = "data", .type = "string", .get = get_string, .set = set_string,
      .offset = offsetof(QCryptoSecret, data) },
    { .name = "file", .type = "string", .get = get_string, .set = set_string,
      .offset = offsetof(QCryptoSecret, file) },
    { 0 },
};

const TypeInfo qcrypto_secret_info = {
    .name = TYPE_QCRYPTO_SECRET,
    .instance_size = sizeof(QCryptoSecret),
    .user_creatable = true,
    .properties = secret_properties,
    .instance_finalize = secret_finalize,
    .complete = secret_complete,
};

/* ---- Look-up ---- */

static QCryptoSecret *find_secret(const char *id, Error **errp)
{
    Object *obj = object_get_child(object_get_objects_root(), id);

    if (!obj) {
        error_setg(errp, "No secret with id '%s'", id);
        return NULL;
    }
    if (!object_dynamic_cast(obj, TYPE_QCRYPTO_SECRET)) {
        error_setg(errp, "Object with id '%s' is not a secret", id);
        return NULL;
    }
    return (QCryptoSecret *)obj;
}

int qcrypto_secret_lookup(const char *secretid, uint8_t **data,
                          size_t *datalen, Error **errp)
{
    QCryptoSecret *s = find_secret(secretid, errp);

    if (!s) {
        return -1;
    }
    *data = g_malloc(s->len + 1);
    memcpy(*data, s->bytes, s->len + 1);
    *datalen = s->len;
    return 0;
}

char *qcrypto_secret_lookup_as_utf8(const char *secretid, Error **errp)
{
    QCryptoSecret *s = find_secret(secretid, errp);

    if (!s) {
        return NULL;
    }
    if (!g_utf8_validate((char *)s->bytes, s->len, NULL)) {
        error_setg(errp, "Data from secret %s is not valid UTF-8", secretid);
        return NULL;
    }
    return g_strndup((char *)s->bytes, s->len);
}

char *qcrypto_secret_lookup_as_base64(const char *secretid, Error **errp)
{
    QCryptoSecret *s = find_secret(secretid, errp);

    return s ? g_base64_encode(s->bytes, s->len) : NULL;
}
