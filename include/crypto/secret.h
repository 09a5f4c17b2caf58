/*
 * SPDX-License-Identifier: MIT
 *
 * Secrets: pass phrases and keys that other options name by ID.
 */
#ifndef QCRYPTO_SECRET_H
#define QCRYPTO_SECRET_H

#include "qom/object.h"

#define TYPE_QCRYPTO_SECRET "secret"

extern const TypeInfo qcrypto_secret_info;

/*
 * The bytes of the secret @secretid, in *@data (followed by a zero byte that
 * does not count) and *@datalen.  The caller frees them.  0, or -1 with @errp.
 */
int qcrypto_secret_lookup(const char *secretid, uint8_t **data,
                          size_t *datalen, Error **errp);

/* The same as a string; NULL with @errp if it is not valid UTF-8. */
char *qcrypto_secret_lookup_as_utf8(const char *secretid, Error **errp);

/* The same, in base64. */
char *qcrypto_secret_lookup_as_base64(const char *secretid, Error **errp);

#endif /* QCRYPTO_SECRET_H */
