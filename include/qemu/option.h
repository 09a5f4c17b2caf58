/*
 * SPDX-License-Identifier: MIT
 *
 * Options of the form "key=value,key=value", with a schema.
 *
 * In values a comma is written twice.  A key alone is a boolean that is on;
 * "nokey" one that is off.  Main thread.
 */
#ifndef QEMU_OPTION_H
#define QEMU_OPTION_H

#include "qemu/queue.h"

enum QemuOptType {
    QEMU_OPT_STRING = 0,
    QEMU_OPT_BOOL,          /* on/off, also yes/no, true/false, y/n */
    QEMU_OPT_NUMBER,        /* whole, not negative */
    QEMU_OPT_SIZE,          /* bytes, with the suffixes of qemu_strtosz() */
};

typedef struct QemuOptDesc {
    const char *name;
    enum QemuOptType type;
    const char *help;
    const char *def_value_str;
} QemuOptDesc;

struct QemuOptsList {
    const char *name;
    const char *implied_opt_name;   /* key of a first value without one */
    bool merge_lists;               /* the same id: one object */
    QTAILQ_HEAD(, QemuOpts) head;
    QemuOptDesc desc[];             /* ends with a NULL name; empty: any */
};

/* A key and its value; the last of several with the same key counts. */
struct QemuOpt {
    char *name;
    char *str;
    const QemuOptDesc *desc;        /* NULL: any */
    union {
        bool boolean;
        uint64_t uint;
    } value;
    QemuOpts *opts;
    QTAILQ_ENTRY(QemuOpt) next;
};

struct QemuOpts {
    char *id;
    QemuOptsList *list;
    QTAILQ_HEAD(, QemuOpt) head;
    QTAILQ_ENTRY(QemuOpts) next;
};

/* ---- Parsing values ---- */
const char *get_opt_value(const char *p, char **value);
bool parse_option_size(const char *name, const char *value, uint64_t *ret,
                       Error **errp);
bool parse_option_number(const char *name, const char *value, uint64_t *ret,
                         Error **errp);
bool parse_option_bool(const char *name, const char *value, bool *ret,
                       Error **errp);
/* Is "help" or "?" among the comma-separated words? */
bool has_help_option(const char *param);
bool is_valid_option_list(const char *param);

/* ---- Lists of options ---- */
void qemu_add_opts(QemuOptsList *list);
QemuOptsList *qemu_find_opts(const char *group);
QemuOptsList *qemu_find_opts_err(const char *group, Error **errp);
/* Call @fn for each list that was added, in this order. */
void qemu_opts_lists_foreach(void (*fn)(QemuOptsList *list, void *opaque),
                             void *opaque);
/* A list with the descriptions of both; g_free() at the end. @dst is
 * consumed. */
QemuOptsList *qemu_opts_append(QemuOptsList *dst, QemuOptsList *list);
void qemu_opts_print_help(QemuOptsList *list, bool print_caption);

/* ---- Objects ---- */
QemuOpts *qemu_opts_create(QemuOptsList *list, const char *id,
                           int fail_if_exists, Error **errp);
QemuOpts *qemu_opts_find(QemuOptsList *list, const char *id);
void qemu_opts_del(QemuOpts *opts);
void qemu_opts_reset(QemuOptsList *list);
/* Parse @params ("id=" gives the ID). */
QemuOpts *qemu_opts_parse(QemuOptsList *list, const char *params,
                          bool permit_abbrev, Error **errp);
QemuOpts *qemu_opts_parse_noisily(QemuOptsList *list, const char *params,
                                  bool permit_abbrev);
bool qemu_opts_do_parse(QemuOpts *opts, const char *params,
                        const char *firstname, Error **errp);
bool qemu_opts_validate(QemuOpts *opts, const QemuOptDesc *desc, Error **errp);
const char *qemu_opts_id(QemuOpts *opts);
void qemu_opts_set_id(QemuOpts *opts, char *id);
/* "key=value<sep>..." on stdout, defaults included. */
void qemu_opts_print(QemuOpts *opts, const char *separator);
typedef int (*qemu_opts_loopfunc)(void *opaque, QemuOpts *opts, Error **errp);
int qemu_opts_foreach(QemuOptsList *list, qemu_opts_loopfunc func,
                      void *opaque, Error **errp);
typedef int (*qemu_opt_loopfunc)(void *opaque, const char *name,
                                 const char *value, Error **errp);
int qemu_opt_foreach(QemuOpts *opts, qemu_opt_loopfunc func, void *opaque,
                     Error **errp);

/* ---- Values; _del takes the option out ---- */
const char *qemu_opt_get(QemuOpts *opts, const char *name);
char *qemu_opt_get_del(QemuOpts *opts, const char *name);
bool qemu_opt_get_bool(QemuOpts *opts, const char *name, bool defval);
bool qemu_opt_get_bool_del(QemuOpts *opts, const char *name, bool defval);
uint64_t qemu_opt_get_number(QemuOpts *opts, const char *name,
                             uint64_t defval);
uint64_t qemu_opt_get_size(QemuOpts *opts, const char *name, uint64_t defval);
uint64_t qemu_opt_get_size_del(QemuOpts *opts, const char *name,
                               uint64_t defval);
uint64_t qemu_opt_get_number_del(QemuOpts *opts, const char *name,
                                 uint64_t defval);
QemuOpt *qemu_opt_find(QemuOpts *opts, const char *name);
bool qemu_opt_has_help_opt(QemuOpts *opts);
bool qemu_opt_set(QemuOpts *opts, const char *name, const char *value,
                  Error **errp);
bool qemu_opt_set_bool(QemuOpts *opts, const char *name, bool val,
                       Error **errp);
bool qemu_opt_set_number(QemuOpts *opts, const char *name, int64_t val,
                         Error **errp);
int qemu_opt_unset(QemuOpts *opts, const char *name);

/* ---- QDicts (qemu-option-qdict.c) ---- */
QemuOpts *qemu_opts_from_qdict(QemuOptsList *list, const QDict *qdict,
                               Error **errp);
/* Move what @opts' list knows from @qdict to @opts. */
bool qemu_opts_absorb_qdict(QemuOpts *opts, QDict *qdict, Error **errp);
QDict *qemu_opts_to_qdict(QemuOpts *opts, QDict *qdict);
/* Only what @list knows; @del: take it out of @opts. */
QDict *qemu_opts_to_qdict_filtered(QemuOpts *opts, QDict *qdict,
                                   QemuOptsList *list, bool del);

/* ---- Command lines of QAPI types (keyval.c) ---- */
/* "a.b=x,c.0=y" as a tree of QDicts and QLists with string leaves. */
QDict *keyval_parse(const char *params, const char *implied_key, bool *p_help,
                    Error **errp);
QDict *keyval_parse_into(QDict *qdict, const char *params,
                         const char *implied_key, bool *p_help, Error **errp);
void keyval_merge(QDict *old, const QDict *new, Error **errp);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuOpts, qemu_opts_del)

#endif
