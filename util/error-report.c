/*
 * SPDX-License-Identifier: MIT
 *
 * Messages to the user.
 *
 * Invariant: the stack of locations is the main thread's alone; its bottom is
 * std_loc.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"

static Location std_loc = { .kind = LOC_NONE };
static Location *cur_loc = &std_loc;
static char *progname;
static bool (*vprintf_hook)(const char *fmt, va_list ap);

/* ---- Locations ---- */

Location *loc_push_restore(Location *loc)
{
    assert(!loc->prev);
    loc->prev = cur_loc;
    return cur_loc = loc;
}

Location *loc_push_none(Location *loc)
{
    *loc = (Location) { .kind = LOC_NONE };
    return loc_push_restore(loc);
}

Location *loc_pop(Location *loc)
{
    assert(cur_loc == loc && loc->prev);
    cur_loc = loc->prev;
    loc->prev = NULL;
    return loc;
}

Location *loc_save(Location *loc)
{
    *loc = *cur_loc;
    loc->prev = NULL;
    return loc;
}

void loc_restore(Location *loc)
{
    Location *prev = cur_loc->prev;

    assert(!loc->prev);
    *cur_loc = *loc;
    cur_loc->prev = prev;
}

static void loc_set(int kind, int num, const void *ptr)
{
    cur_loc->kind = kind;
    cur_loc->num = num;
    cur_loc->ptr = ptr;
}

void loc_set_none(void)
{
    loc_set(LOC_NONE, 0, NULL);
}

void loc_set_cmdline(char **argv, int idx, int cnt)
{
    loc_set(LOC_CMDLINE, cnt, argv + idx);
}

void loc_set_file(const char *fname, int lno)
{
    loc_set(LOC_FILE, lno, fname ? fname : cur_loc->ptr);
}

/* ---- Output ---- */

void error_set_vprintf_hook(bool (*hook)(const char *fmt, va_list ap))
{
    vprintf_hook = hook;
}

int error_vprintf(const char *fmt, va_list ap)
{
    if (vprintf_hook) {
        va_list copy;
        bool taken;

        va_copy(copy, ap);
        taken = vprintf_hook(fmt, copy);
        va_end(copy);
        if (taken) {
            return 0;
        }
    }
    return vfprintf(stderr, fmt, ap);
}

int error_printf(const char *fmt, ...)
{
    va_list ap;
    int ret;

    va_start(ap, fmt);
    ret = error_vprintf(fmt, ap);
    va_end(ap);
    return ret;
}

void error_init(const char *argv0)
{
    g_free(progname);
    progname = g_path_get_basename(argv0);
}

const char *error_get_progname(void)
{
    return progname;
}

static void append_location(GString *s)
{
    const char *const *argv;
    int i;

    switch (cur_loc->kind) {
    case LOC_CMDLINE:
        argv = cur_loc->ptr;
        for (i = 0; i < cur_loc->num; i++) {
            g_string_append_printf(s, "%s%s", i ? " " : "", argv[i]);
        }
        g_string_append(s, ": ");
        break;
    case LOC_FILE:
        g_string_append_printf(s, "%s:", (const char *)cur_loc->ptr);
        if (cur_loc->num) {
            g_string_append_printf(s, "%d:", cur_loc->num);
        }
        g_string_append_c(s, ' ');
        break;
    case LOC_NONE:
        break;
    }
}

static bool GCC_FMT_ATTR(1, 2) hook_takes(const char *fmt, ...)
{
    va_list ap;
    bool taken;

    va_start(ap, fmt);
    taken = vprintf_hook && vprintf_hook(fmt, ap);
    va_end(ap);
    return taken;
}

/* Who reads it in a monitor knows which program it is. */
static void GCC_FMT_ATTR(2, 0)
report(const char *kind, const char *fmt, va_list ap)
{
    g_autoptr(GString) s = g_string_new(NULL);

    append_location(s);
    g_string_append(s, kind);
    g_string_append_vprintf(s, fmt, ap);
    if (!hook_takes("%s\n", s->str)) {
        fprintf(stderr, "%s%s%s\n", progname ?: "", progname ? ": " : "",
                s->str);
    }
}

void error_vreport(const char *fmt, va_list ap)
{
    report("", fmt, ap);
}

#define REPORT_FUNCTION(name, kind)             \
    void name(const char *fmt, ...)             \
    {                                           \
        va_list ap;                             \
                                                \
        va_start(ap, fmt);                      \
        report(kind, fmt, ap);                  \
        va_end(ap);                             \
    }
REPORT_FUNCTION(error_report, "")
REPORT_FUNCTION(warn_report, "warning: ")
REPORT_FUNCTION(info_report, "info: ")

#define REPORT_ONCE_FUNCTION(name, kind)                        \
    bool name(bool *printed, const char *fmt, ...)              \
    {                                                           \
        va_list ap;                                             \
                                                                \
        if (*printed) {                                         \
            return false;                                       \
        }                                                       \
        *printed = true;                                        \
        va_start(ap, fmt);                                      \
        report(kind, fmt, ap);                                  \
        va_end(ap);                                             \
        return true;                                            \
    }
REPORT_ONCE_FUNCTION(error_report_once_cond, "")
REPORT_ONCE_FUNCTION(warn_report_once_cond, "warning: ")
