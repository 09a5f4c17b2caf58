/*
 * SPDX-License-Identifier: MIT
 *
 * Errors as objects.
 *
 * A function that can fail takes an Error **errp as its last argument and
 * returns something that tells of the failure.  The caller passes NULL (does
 * not care), the address of a local Error *err = NULL, &error_abort (can't
 * happen), &error_fatal (exit), or its own errp.
 *
 * Messages have no trailing dot or newline; what helps the user further is
 * appended as a hint.
 */
#ifndef QAPI_ERROR_H
#define QAPI_ERROR_H

#include "qemu/osdep.h"

typedef enum ErrorClass {
    ERROR_CLASS_GENERIC_ERROR,
    ERROR_CLASS_COMMAND_NOT_FOUND,
    ERROR_CLASS_DEVICE_NOT_ACTIVE,
    ERROR_CLASS_DEVICE_NOT_FOUND,
    ERROR_CLASS_KVM_MISSING_CAP,
    ERROR_CLASS__MAX
} ErrorClass;

/* "GenericError", ... */
const char *ErrorClass_str(ErrorClass c);

const char *error_get_pretty(const Error *err);
ErrorClass error_get_class(const Error *err);

/* Set *errp, which must be NULL, unless @errp is.  They keep errno. */
#define error_setg(errp, fmt, ...) \
    error_setg_internal((errp), __FILE__, __LINE__, __func__, \
                        (fmt), ## __VA_ARGS__)
/* With ": " and the text of errno value @os_error (unless 0). */
#define error_setg_errno(errp, os_error, fmt, ...) \
    error_setg_errno_internal((errp), __FILE__, __LINE__, __func__, \
                              (os_error), (fmt), ## __VA_ARGS__)
#define error_set(errp, err_class, fmt, ...) \
    error_set_internal((errp), __FILE__, __LINE__, __func__, \
                       (err_class), (fmt), ## __VA_ARGS__)
#define error_setg_file_open(errp, os_errno, filename) \
    error_setg_errno((errp), (os_errno), "Could not open '%s'", (filename))

void error_setg_internal(Error **errp, const char *src, int line,
                         const char *func, const char *fmt, ...)
    GCC_FMT_ATTR(5, 6);
void error_setg_errno_internal(Error **errp, const char *src, int line,
                               const char *func, int os_error,
                               const char *fmt, ...) GCC_FMT_ATTR(6, 7);
void error_set_internal(Error **errp, const char *src, int line,
                        const char *func, ErrorClass err_class,
                        const char *fmt, ...) GCC_FMT_ATTR(6, 7);

/* Move @local_err to *dst_errp; if that has an error already, or is NULL, the
 * new one is freed. */
void error_propagate(Error **dst_errp, Error *local_err);
void error_propagate_prepend(Error **dst_errp, Error *local_err,
                             const char *fmt, ...) GCC_FMT_ATTR(3, 4);
/* Change *errp, if there is one. */
void error_prepend(Error *const *errp, const char *fmt, ...)
    GCC_FMT_ATTR(2, 3);
void error_vprepend(Error *const *errp, const char *fmt, va_list ap)
    GCC_FMT_ATTR(2, 0);
void error_append_hint(Error *const *errp, const char *fmt, ...)
    GCC_FMT_ATTR(2, 3);

Error *error_copy(const Error *err);
void error_free(Error *err);
/* For tests: there must be one; free it. */
void error_free_or_abort(Error **errp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Error, error_free)

/* Report, with the hint, and free. */
void error_report_err(Error *err);
void warn_report_err(Error *err);
void error_reportf_err(Error *err, const char *fmt, ...) GCC_FMT_ATTR(2, 3);
void warn_reportf_err(Error *err, const char *fmt, ...) GCC_FMT_ATTR(2, 3);

/*
 * First statement of a function that looks at *errp or changes it: makes
 * @errp something that can be looked at, and propagates on return.
 */
#define ERRP_GUARD()                                                    \
    g_auto(ErrorPropagator) error_propagator_ = { .errp = errp };       \
    do {                                                                \
        if (!errp || errp == &error_fatal) {                            \
            errp = &error_propagator_.local_err;                        \
        }                                                               \
    } while (0)

typedef struct ErrorPropagator {
    Error *local_err;
    Error **errp;
} ErrorPropagator;

static inline void error_propagator_cleanup(ErrorPropagator *prop)
{
    error_propagate(prop->errp, prop->local_err);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ErrorPropagator, error_propagator_cleanup)

extern Error *error_abort;
extern Error *error_fatal;

#endif
