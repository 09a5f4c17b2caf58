/*
 * SPDX-License-Identifier: MIT
 *
 * The emulator's start and end.
 *
 * 1. The command line is read once.  What it asks for is made phase by phase
 *    (see options.h), so that it may refer to what comes later in it.
 * 2. The end goes backwards: the machine, jobs, nodes, objects, monitors.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "block/blockjob.h"
#include "chardev/char.h"
#include "monitor/monitor.h"
#include "options.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qapi-init-commands.h"
#include "qapi/qapi-introspect.h"
#include "qemu/daemonize.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qom/object_interfaces.h"
#include "sysemu/block-backend.h"
#include "sysemu/blockdev.h"
#include "sysemu/qtest.h"
#include "sysemu/runstate.h"
#include "sysemu/devices.h"
#include "sysemu/fds.h"
#include "sysemu/sysemu.h"

/* An option whose phase is still to come. */
typedef struct PendingOption {
    Location loc;
    const OptionDef *def;
    const char *arg;
} PendingOption;

static GPtrArray *pending[PHASE__MAX];

/* ---- Reading the command line ---- */

static void G_NORETURN die(Error *err)
{
    error_report_err(err);
    exit(EXIT_FAILURE);
}

static const OptionDef image_option = {
    .name = "", .params = "FILE", .phase = PHASE_DRIVE, .fn = option_image,
};

/* "-NAME" or "--NAME". */
static const OptionDef *find_option(const char *word)
{
    const OptionDef *def;
    const char *name = word + 1;

    if (*name == '-') {
        name++;
    }
    for (def = option_table; def->name; def++) {
        if (!strcmp(def->name, name)) {
            return def;
        }
    }
    return NULL;
}

static void note_kind(const OptionDef *def)
{
    settings.has_monitor |= !strcmp(def->name, "monitor") ||
                            !strcmp(def->name, "mon");
    settings.has_serial |= !strcmp(def->name, "serial");
}

static void handle_option(const OptionDef *def, const char *arg)
{
    Error *err = NULL;

    note_kind(def);
    if (def->phase == PHASE_NOW) {
        if (!def->fn(arg, &err)) {
            die(err);
        }
        return;
    }
    PendingOption *p = g_new0(PendingOption, 1);

    p->def = def;
    p->arg = arg;
    loc_save(&p->loc);
    if (!pending[def->phase]) {
        pending[def->phase] = g_ptr_array_new_with_free_func(g_free);
    }
    g_ptr_array_add(pending[def->phase], p);
}

static void read_command_line(int argc, char **argv)
{
    Location loc;
    int i = 1;

    loc_push_none(&loc);
    while (i < argc) {
        const OptionDef *def = &image_option;
        const char *arg = argv[i];
        int count = 1;

        if (argv[i][0] == '-' && argv[i][1]) {
            def = find_option(argv[i]);
            loc_set_cmdline(argv, i, 1);
            if (!def) {
                error_report("invalid option");
                exit(EXIT_FAILURE);
            }
            arg = NULL;
            if (def->params) {
                if (i + 1 >= argc) {
                    error_report("requires an argument");
                    exit(EXIT_FAILURE);
                }
                arg = argv[i + 1];
                count = 2;
            }
        }
        loc_set_cmdline(argv, i, count);
        handle_option(def, arg);
        i += count;
    }
    loc_pop(&loc);
}

static void run_phase(OptionPhase phase)
{
    for (guint i = 0; pending[phase] && i < pending[phase]->len; i++) {
        PendingOption *p = g_ptr_array_index(pending[phase], i);
        Error *err = NULL;

        loc_push_restore(&p->loc);
        if (!p->def->fn(p->arg, &err)) {
            die(err);
        }
        loc_pop(&p->loc);
    }
    g_clear_pointer(&pending[phase], g_ptr_array_unref);
}

/* ---- The process ---- */

static void signal_to_end(void *opaque)
{
    int signum = GPOINTER_TO_INT(opaque);
    pid_t pid = qemu_signal_sender(signum);
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid);
    g_autofree char *name = NULL;

    if (!pid) {
        error_report("terminating on signal %d", signum);
    } else {
        if (g_file_get_contents(path, &name, NULL, NULL)) {
            g_strchomp(name);
        }
        error_report("terminating on signal %d from pid %d (%s)", signum, pid,
                     name ?: "<unknown process>");
    }
    qemu_system_shutdown_request(SHUTDOWN_CAUSE_HOST_SIGNAL);
}

static void remove_pid_file(void)
{
    unlink(settings.pid_file);
}

static void write_pid_file(void)
{
    Error *err = NULL;

    if (settings.pid_file) {
        settings.pid_file = g_canonicalize_filename(settings.pid_file, NULL);
        if (!qemu_write_pidfile(settings.pid_file, &err)) {
            error_reportf_err(err, "cannot create PID file: ");
            exit(EXIT_FAILURE);
        }
        atexit(remove_pid_file);
    }
}

static void init_process(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

    /* Text of commands shall not wait for the end of the program. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (settings.daemonize) {
        qemu_chr_forbid_stdio();
        os_daemonize();
    }
    qemu_init_main_loop(&error_fatal);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        qemu_set_signal_handler(signals[i], signal_to_end,
                                GINT_TO_POINTER(signals[i]));
    }
}

/* ---- Start and end ---- */

static const MonitorProgram monitor_program = {
    .register_commands = qmp_init_marshal,
    .schema_json = qmp_schema_json,
    .allow_hmp = true,
};

bool configure_accelerator(const char *name, Error **errp)
{
    /* The one that is asked for first, out of a list with colons. */
    g_auto(GStrv) names = g_strsplit(name, ":", -1);

    for (char **p = names; *p; p++) {
        if (!strcmp(*p, "qtest")) {
            qtest_enable();
            return true;
        }
    }
    error_setg(errp, "invalid accelerator %s", name);
    return false;
}

/* A backend's error policy wants the machine to stop. */
static void stop_for_io_error(void)
{
    qemu_system_vmstop_request(RUN_STATE_IO_ERROR);
}

void qemu_init(int argc, char **argv)
{
    Error *err = NULL;

    error_init(argv[0]);
    options_register_lists();
    read_command_line(argc, argv);
    init_process();
    bdrv_init();
    user_creatable_init();
    monitor_init_globals(&monitor_program);
    hmp_system_init();
    devices_init();
    fds_init();
    blk_set_stop_handler(stop_for_io_error);
    if (settings.inmigrate) {
        runstate_set(RUN_STATE_INMIGRATE);
    }

    run_phase(PHASE_OBJECT);
    run_phase(PHASE_CHARDEV);
    if (!options_add_default_monitor(&err)) {
        die(err);
    }
    run_phase(PHASE_BLOCKDEV);
    run_phase(PHASE_DRIVE);
    if (settings.qtest &&
        !qtest_server_init(settings.qtest, settings.qtest_log, &err)) {
        die(err);
    }
    run_phase(PHASE_MONITOR);
    if (!options_make_compat_monitors(&err)) {
        die(err);
    }
    if (!devices_create_for_drives(&err)) {
        die(err);
    }
    run_phase(PHASE_DEVICE);

    write_pid_file();
    if (autostart && !settings.inmigrate) {
        if (!machine_prepare_start(&err)) {
            die(err);
        }
        vm_start();
    }
    os_setup_post();
}

bool machine_prepare_start(Error **errp)
{
    ERRP_GUARD();

    bdrv_invalidate_cache_all(errp);
    return !*errp;
}

void qemu_cleanup(void)
{
    /* Before anything else makes them pause: clients see that once. */
    block_job_cancel_sync_all();
    vm_shutdown();
    devices_cleanup();
    blockdev_close_all_bdrv_states();
    bdrv_close_all();
    drive_free_all();
    user_creatable_cleanup();
    qtest_server_cleanup();
    monitor_cleanup();
    qemu_chr_cleanup();
}

void qmp_quit(Error **errp)
{
    qemu_system_shutdown_request(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
}
