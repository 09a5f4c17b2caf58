/*
 * SPDX-License-Identifier: MIT
 *
 * Options of the emulator's command line, as a table.
 */
#ifndef SYSTEM_OPTIONS_H
#define SYSTEM_OPTIONS_H

/*
 * When an option takes effect.  Within a phase, options do so in the order in
 * which they are given.
 */
typedef enum OptionPhase {
    PHASE_NOW,          /* while the command line is read */
    PHASE_OBJECT,
    PHASE_CHARDEV,
    PHASE_BLOCKDEV,
    PHASE_DRIVE,
    PHASE_MONITOR,
    PHASE_DEVICE,
    PHASE__MAX,
} OptionPhase;

/* @fn returns false with @errp; @arg is NULL for options without one. */
typedef struct OptionDef {
    const char *name;
    const char *params;     /* as help shows the argument; NULL: none */
    const char *help;       /* NULL: another name of the one before */
    OptionPhase phase;
    bool (*fn)(const char *arg, Error **errp);
} OptionDef;

/* Ends with one without name. */
extern const OptionDef option_table[];

/* What the options that take effect at once leave behind. */
typedef struct Settings {
    bool daemonize;
    bool nographic;
    bool defaults;          /* devices that nobody asked for */
    bool inmigrate;
    bool has_monitor;       /* -monitor or -mon was given */
    bool has_serial;
    const char *pid_file;
    const char *qtest;
    const char *qtest_log;
} Settings;

extern Settings settings;

/* What a disk is that is given by its name alone. */
bool option_image(const char *arg, Error **errp);

/* The lists of options that query-command-line-options shows. */
void options_register_lists(void);

/* "-monitor stdio" for -nographic; after the command line was read. */
bool options_add_default_monitor(Error **errp);

/* Makes the monitors of -monitor, -qmp and the default one. */
bool options_make_compat_monitors(Error **errp);

#endif /* SYSTEM_OPTIONS_H */
