/*
 * SPDX-License-Identifier: MIT
 *
 * Switching trace events on and off. Main thread, before others run.
 */
#ifndef QEMU_TRACE_CONTROL_H
#define QEMU_TRACE_CONTROL_H

typedef struct TraceEvent {
    const char *name;
    bool enabled;
} TraceEvent;

/* All events, ended by NULL. */
extern TraceEvent *const trace_events[];

static inline bool trace_event_enabled(const TraceEvent *ev)
{
    return __builtin_expect(ev->enabled, 0);
}

void trace_event_print(const TraceEvent *ev, const char *fmt, ...)
    GCC_FMT_ATTR(2, 3);
/* Enable (with "-" before it: disable) what matches @pattern, which may have
 * "*"s. False if nothing does. */
bool trace_enable_events(const char *pattern);
/* The argument of -T/--trace: "[enable=]PATTERN". A warning if nothing
 * matches. */
void trace_opt_parse(const char *arg);
/* "help": names on stdout. */
void trace_list_events(FILE *f);

#endif
