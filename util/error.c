/*
 * SPDX-License-Identifier: MIT
 *
 * Errors as objects.
 *
 * Invariant: error_abort and error_fatal stay NULL; they are only addresses.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

struct Error {
    char *msg;
    GString *hint;          /* NULL: none */
    ErrorClass err_class;
    const char *src;        /* where it was made */
    const char *func;
    int line;
};

Error *error_abort;
Error *error_fatal;

static const char *const class_names[ERROR_CLASS__MAX] = {
    [ERROR_CLASS_GENERIC_ERROR]     = "GenericError",
    [ERROR_CLASS_COMMAND_NOT_FOUND] = "CommandNotFound",
    [ERROR_CLASS_DEVICE_NOT_ACTIVE] = "DeviceNotActive",
    [ERROR_CLASS_DEVICE_NOT_FOUND]  = "DeviceNotFound",
    [ERROR_CLASS_KVM_MISSING_CAP]   = "KVMMissingCap",
};

const char *ErrorClass_str(ErrorClass c)
{
    return class_names[c];
}

const char *error_get_pretty(const Error *err)
{
    return err->msg;
}

ErrorClass error_get_class(const Error *err)
{
    return err->err_class;
}

/* @err arrives at @errp, where it may be deadly. */
static void error_arrive(Error **errp, Error *err)
{
    if (errp == &error_abort) {
        fprintf(stderr, "Unexpected error in %s() at %s:%d:\n", err->func,
                err->src, err->line);
        error_report("%s", err->msg);
        if (err->hint) {
            error_printf("%s", err->hint->str);
        }
        abort();
    }
    if (errp == &error_fatal) {
        error_report_err(err);
        exit(1);
    }
    if (errp && !*errp) {
        *errp = err;
    } else {
        error_free(err);
    }
}

static void GCC_FMT_ATTR(2, 0)
error_make(Error **errp, const char *fmt, va_list ap, const char *suffix,
           Error *err)
{
    int saved_errno = errno;

    if (errp) {
        g_autofree char *msg = g_strdup_vprintf(fmt, ap);

        assert(*errp == NULL);
        err = g_memdup2(err, sizeof(*err));
        err->msg = suffix ? g_strdup_printf("%s: %s", msg, suffix)
                          : g_steal_pointer(&msg);
        error_arrive(errp, err);
    }
    errno = saved_errno;
}

void error_setg_internal(Error **errp, const char *src, int line,
                         const char *func, const char *fmt, ...)
{
    Error err = { .src = src, .line = line, .func = func };
    va_list ap;

    va_start(ap, fmt);
    error_make(errp, fmt, ap, NULL, &err);
    va_end(ap);
}

void error_setg_errno_internal(Error **errp, const char *src, int line,
                               const char *func, int os_error,
                               const char *fmt, ...)
{
    Error err = { .src = src, .line = line, .func = func };
    va_list ap;

    va_start(ap, fmt);
    error_make(errp, fmt, ap, os_error ? strerror(os_error) : NULL, &err);
    va_end(ap);
}

void error_set_internal(Error **errp, const char *src, int line,
                        const char *func, ErrorClass err_class,
                        const char *fmt, ...)
{
    Error err = { .src = src, .line = line, .func = func,
                  .err_class = err_class };
    va_list ap;

    va_start(ap, fmt);
    error_make(errp, fmt, ap, NULL, &err);
    va_end(ap);
}

void error_propagate(Error **dst_errp, Error *local_err)
{
    if (local_err) {
        error_arrive(dst_errp, local_err);
    }
}

void error_vprepend(Error *const *errp, const char *fmt, va_list ap)
{
    if (errp && *errp) {
        g_autofree char *prefix = g_strdup_vprintf(fmt, ap);
        char *msg = g_strconcat(prefix, (*errp)->msg, NULL);

        g_free((*errp)->msg);
        (*errp)->msg = msg;
    }
}

void error_prepend(Error *const *errp, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vprepend(errp, fmt, ap);
    va_end(ap);
}

void error_propagate_prepend(Error **dst_errp, Error *local_err,
                             const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vprepend(&local_err, fmt, ap);
    va_end(ap);
    error_propagate(dst_errp, local_err);
}

void error_append_hint(Error *const *errp, const char *fmt, ...)
{
    va_list ap;

    if (errp && *errp) {
        if (!(*errp)->hint) {
            (*errp)->hint = g_string_new(NULL);
        }
        va_start(ap, fmt);
        g_string_append_vprintf((*errp)->hint, fmt, ap);
        va_end(ap);
    }
}

Error *error_copy(const Error *err)
{
    Error *copy = g_memdup2(err, sizeof(*err));

    copy->msg = g_strdup(err->msg);
    copy->hint = err->hint ? g_string_new(err->hint->str) : NULL;
    return copy;
}

void error_free(Error *err)
{
    if (err) {
        int saved_errno = errno;

        if (err->hint) {
            g_string_free(err->hint, TRUE);
        }
        g_free(err->msg);
        g_free(err);
        errno = saved_errno;
    }
}

void error_free_or_abort(Error **errp)
{
    assert(errp && *errp);
    error_free(*errp);
    *errp = NULL;
}

/* ---- Reporting ---- */

static void report(Error *err, bool is_warning)
{
    if (is_warning) {
        warn_report("%s", err->msg);
    } else {
        error_report("%s", err->msg);
    }
    if (err->hint) {
        error_printf("%s", err->hint->str);
    }
    error_free(err);
}

void error_report_err(Error *err)
{
    report(err, false);
}

void warn_report_err(Error *err)
{
    report(err, true);
}

void error_reportf_err(Error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vprepend(&err, fmt, ap);
    va_end(ap);
    report(err, false);
}

void warn_reportf_err(Error *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vprepend(&err, fmt, ap);
    va_end(ap);
    report(err, true);
}
