/*
 * SPDX-License-Identifier: MIT
 *
 * Switching trace events on and off, and printing them.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/trace-control.h"
#include "qemu/cutils.h"
#include "qapi/error.h"

void trace_event_print(const TraceEvent *ev, const char *fmt, ...)
{
    struct timespec ts;
    g_autofree char *msg = NULL;
    va_list ap;

    va_start(ap, fmt);
    msg = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    clock_gettime(CLOCK_REALTIME, &ts);
    fprintf(stderr, "%d@%" PRIu64 ".%06ld:%s %s\n", (int)getpid(),
            (uint64_t)ts.tv_sec, ts.tv_nsec / 1000, ev->name, msg);
}

bool trace_enable_events(const char *pattern)
{
    TraceEvent *const *ev;
    bool enable = *pattern != '-';
    bool found = false;

    pattern += !enable;
    for (ev = trace_events; *ev; ev++) {
        if (g_pattern_match_simple(pattern, (*ev)->name)) {
            (*ev)->enabled = enable;
            found = true;
        }
    }
    return found;
}

void trace_opt_parse(const char *arg)
{
    const char *pattern = arg;

    strstart(arg, "enable=", &pattern);
    if (!trace_enable_events(pattern)) {
        warn_report("trace event '%s' does not exist", pattern);
    }
}

void trace_list_events(FILE *f)
{
    TraceEvent *const *ev;

    for (ev = trace_events; *ev; ev++) {
        fprintf(f, "%s\n", (*ev)->name);
    }
}
