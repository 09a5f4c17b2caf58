/*
 * SPDX-License-Identifier: MIT
 *
 * Messages to the user: "PROG: LOCATION: [warning: ]TEXT" on stderr, or in the
 * monitor whose command runs.
 */
#ifndef QEMU_ERROR_REPORT_H
#define QEMU_ERROR_REPORT_H

/* A place in configuration or command line, on a stack. */
typedef struct Location {
    enum { LOC_NONE, LOC_CMDLINE, LOC_FILE } kind;
    int num;                /* arguments, or the line */
    const void *ptr;        /* argv, or the file's name */
    struct Location *prev;
} Location;

Location *loc_push_restore(Location *loc);
Location *loc_push_none(Location *loc);
Location *loc_pop(Location *loc);
Location *loc_save(Location *loc);
void loc_restore(Location *loc);
void loc_set_none(void);
/* @cnt arguments from argv[@idx] on. */
void loc_set_cmdline(char **argv, int idx, int cnt);
void loc_set_file(const char *fname, int lno);

/* Where messages go instead of stderr, if @hook says it took one (returns
 * true). */
void error_set_vprintf_hook(bool (*hook)(const char *fmt, va_list ap));
int error_vprintf(const char *fmt, va_list ap) GCC_FMT_ATTR(1, 0);
int error_printf(const char *fmt, ...) GCC_FMT_ATTR(1, 2);

void error_vreport(const char *fmt, va_list ap) GCC_FMT_ATTR(1, 0);
void error_report(const char *fmt, ...) GCC_FMT_ATTR(1, 2);
void warn_report(const char *fmt, ...) GCC_FMT_ATTR(1, 2);
void info_report(const char *fmt, ...) GCC_FMT_ATTR(1, 2);
/* Only the first time: *@printed is set. */
bool error_report_once_cond(bool *printed, const char *fmt, ...)
    GCC_FMT_ATTR(2, 3);
bool warn_report_once_cond(bool *printed, const char *fmt, ...)
    GCC_FMT_ATTR(2, 3);
#define warn_report_once(fmt, ...) ({                           \
        static bool printed_once_;                              \
        warn_report_once_cond(&printed_once_, fmt, ##__VA_ARGS__); })

/* argv[0]; messages begin with its last component. */
void error_init(const char *argv0);
const char *error_get_progname(void);

#endif
