/*
 * SPDX-License-Identifier: MIT
 *
 * Encrypted images: from the options of a command line to those of the schema.
 */
#include "qemu/osdep.h"
#include "block/crypto.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-crypto.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qobject-input-visitor.h"

/* Options that belong to encryption, whatever format of image has it. */
static const char *const create_names[] = {
    "key-secret", "cipher-alg", "cipher-mode", "ivgen-alg", "ivgen-hash-alg",
    "hash-alg", "iter-time",
};
static const char *const amend_names[] = {
    "state", "keyslot", "old-secret", "new-secret", "iter-time",
};

/* @count of @names, and "format" if it is not NULL. */
static QDict *pick_options(const char *format, QemuOpts *opts,
                           const char *prefix, const char *const *names,
                           size_t count)
{
    QDict *dict = qdict_new();

    if (format) {
        qdict_put_str(dict, "format", format);
    }
    for (size_t i = 0; i < count; i++) {
        g_autofree char *full = g_strconcat(prefix, names[i], NULL);
        const char *value = qemu_opt_get(opts, full);

        if (value) {
            qdict_put_str(dict, names[i], value);
        }
    }
    return dict;
}

QCryptoBlockCreateOptions *
block_crypto_parse_create(const char *format, QemuOpts *opts,
                          const char *prefix, Error **errp)
{
    QDict *dict = pick_options(format, opts, prefix, create_names,
                               ARRAY_SIZE(create_names));
    g_autofree char *member = g_strndup(prefix, strcspn(prefix, "."));
    QCryptoBlockCreateOptions *o = NULL;
    QDict *outer = dict;
    Visitor *v;

    /* So that messages have the prefix. */
    if (*member) {
        outer = qdict_new();
        qdict_put(outer, member, dict);
    }
    v = qobject_input_visitor_new_keyval(QOBJECT(outer));
    if (!*member) {
        visit_type_QCryptoBlockCreateOptions(v, NULL, &o, errp);
    } else if (visit_start_struct(v, NULL, NULL, 0, errp)) {
        visit_type_QCryptoBlockCreateOptions(v, member, &o, errp);
        visit_end_struct(v, NULL);
    }
    visit_free(v);
    qobject_unref(outer);
    return o;
}

QCryptoBlockAmendOptions *
block_crypto_parse_amend(const char *format, QemuOpts *opts,
                         const char *prefix, Error **errp)
{
    QDict *dict = pick_options(format, opts, prefix, amend_names,
                               ARRAY_SIZE(amend_names));
    Visitor *v = qobject_input_visitor_new_keyval(QOBJECT(dict));
    QCryptoBlockAmendOptions *o = NULL;

    visit_type_QCryptoBlockAmendOptions(v, NULL, &o, errp);
    visit_free(v);
    qobject_unref(dict);
    return o;
}
