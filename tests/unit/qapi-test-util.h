/*
 * SPDX-License-Identifier: MIT
 *
 * Helpers of the tests of QAPI.
 */
#ifndef QAPI_TEST_UTIL_H
#define QAPI_TEST_UTIL_H

#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/visitor.h"

/* @obj is what @json says; takes over @obj. */
static inline void check_json(QObject *obj, const char *json)
{
    g_autoptr(QObject) want = qobject_from_json(json, &error_abort);

    if (!qobject_is_equal(obj, want)) {
        g_autoptr(GString) got = qobject_to_json(obj);

        g_error("expected %s, got %s", json, got->str);
    }
    qobject_unref(obj);
}

/* There is an error with this message; frees it. */
static inline void check_error(Error *err, const char *msg)
{
    g_assert_nonnull(err);
    g_assert_cmpstr(error_get_pretty(err), ==, msg);
    error_free(err);
}

#endif
