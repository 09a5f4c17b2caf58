/*
 * SPDX-License-Identifier: MIT
 *
 * The block layer and its jobs without an emulator, under QMP.
 *
 * 1. Options take effect in the order in which they are given, after those
 *    that concern the process as a whole: --daemonize, --help, --version.
 * 2. At the end unfinished jobs are cancelled before anything is closed, and
 *    monitors are closed last, so that they tell about all of it.
 */
#include "qemu/osdep.h"
#include "block/block.h"
#include "block/blockjob.h"
#include "chardev/char.h"
#include "monitor/monitor.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qobject-input-visitor.h"
#include "qemu/daemonize.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/option.h"
#include "qemu/trace-control.h"
#include "qom/object_interfaces.h"
#include "sysemu/blockdev.h"
#include "qsd-qapi-init-commands.h"
#include "qsd-qapi-introspect.h"
#include <getopt.h>

static bool exit_requested;
static const char *pid_file;

void qmp_quit(Error **errp)
{
    exit_requested = true;
}

static void signal_to_end(void *opaque)
{
    exit_requested = true;
}

static void help(void)
{
    printf(
"Usage: %s [options]\n"
"QEMU storage daemon\n"
"\n"
"  -h, --help             display this help and exit\n"
"  -T, --trace [enable=]PATTERN\n"
"                         print the trace events that match; 'help' lists them\n"
"  -V, --version          print the version and exit\n"
"\n"
"  --blockdev [driver=]DRIVER,node-name=NAME[,OPTION=VALUE...]\n"
"                         open a node; also as a JSON object\n"
"\n"
"  --chardev BACKEND,id=ID[,OPTION=VALUE...]\n"
"                         make a character device; 'help' lists the kinds\n"
"\n"
"  --daemonize            go into the background when all is set up\n"
"\n"
"  --monitor [chardev=]ID[,mode=control][,pretty[=on|off]]\n"
"                         make a QMP monitor on a character device\n"
"\n"
"  --object TYPE,id=ID[,OPTION=VALUE...]\n"
"                         make an object; 'help' lists the types, and\n"
"                         'TYPE,help' the properties of one\n"
"\n"
"  --pidfile FILE         write the process ID to FILE when all is set up\n"
"\n"
"Options take effect in the order in which they are given.\n",
    error_get_progname());
}

enum {
    OPTION_BLOCKDEV = 256,
    OPTION_CHARDEV,
    OPTION_DAEMONIZE,
    OPTION_MONITOR,
    OPTION_OBJECT,
    OPTION_PIDFILE,
};

static const struct option long_options[] = {
    { "blockdev", required_argument, NULL, OPTION_BLOCKDEV },
    { "chardev", required_argument, NULL, OPTION_CHARDEV },
    { "daemonize", no_argument, NULL, OPTION_DAEMONIZE },
    { "help", no_argument, NULL, 'h' },
    { "monitor", required_argument, NULL, OPTION_MONITOR },
    { "object", required_argument, NULL, OPTION_OBJECT },
    { "pidfile", required_argument, NULL, OPTION_PIDFILE },
    { "trace", required_argument, NULL, 'T' },
    { "version", no_argument, NULL, 'V' },
    { 0 },
};

static bool add_blockdev(const char *arg, Error **errp)
{
    ERRP_GUARD();
    g_autoptr(BlockdevOptions) options = NULL;
    Visitor *v = qobject_input_visitor_new_str(arg, "driver", errp);

    if (!v) {
        return false;
    }
    visit_type_BlockdevOptions(v, NULL, &options, errp);
    visit_free(v);
    if (options) {
        qmp_blockdev_add(options, errp);
    }
    return !*errp;
}

static bool add_monitor(const char *arg, Error **errp)
{
    QemuOpts *opts;
    bool ok;

    if (has_help_option(arg)) {
        error_setg(errp, "Help is not available for this option");
        return false;
    }
    opts = qemu_opts_parse(&qemu_mon_opts, arg, true, errp);
    if (!opts) {
        return false;
    }
    ok = monitor_init_opts(opts, errp);
    qemu_opts_del(opts);
    return ok;
}

static bool process_trace(const char *arg, Error **errp)
{
    if (has_help_option(arg)) {
        trace_list_events(stdout);
        exit(EXIT_SUCCESS);
    }
    trace_opt_parse(arg);
    return true;
}

/* One option of the second pass. */
static bool process_option(int c, const char *arg, Error **errp)
{
    switch (c) {
    case 'T':
        return process_trace(arg, errp);
    case OPTION_BLOCKDEV:
        return add_blockdev(arg, errp);
    case OPTION_CHARDEV:
        return qemu_chardev_cmdline(arg, errp) != NULL;
    case OPTION_MONITOR:
        return add_monitor(arg, errp);
    case OPTION_OBJECT:
        user_creatable_process_cmdline(arg);
        return true;
    default:
        return true;
    }
}

/* The first pass: what concerns the whole process. */
static void process_early_option(int c, char *arg, bool *daemonize)
{
    switch (c) {
    case '?':
        exit(EXIT_FAILURE);
    case 'h':
        help();
        exit(EXIT_SUCCESS);
    case 'V':
        printf("qemu-storage-daemon version %s\n", QEMU_VERSION);
        exit(EXIT_SUCCESS);
    case OPTION_DAEMONIZE:
        *daemonize = true;
        break;
    case OPTION_PIDFILE:
        pid_file = arg;
        break;
    }
}

/* Steps through the options; @early chooses the pass. */
static void process_options(int argc, char *argv[], bool early,
                            bool *daemonize)
{
    Error *err = NULL;
    int c, first;

    optind = 0;
    opterr = early;
    /* "-": arguments that are no options come as option 1. */
    while (first = optind ?: 1,
           (c = getopt_long(argc, argv, "-hT:V", long_options, NULL)) != -1) {
        Location loc;

        if (c == 1) {
            error_report("%s: Unexpected argument", optarg);
            exit(EXIT_FAILURE);
        }
        if (early) {
            process_early_option(c, optarg, daemonize);
            continue;
        }
        loc_push_none(&loc);
        loc_set_cmdline(argv, first, optind - first);
        if (!process_option(c, optarg, &err)) {
            error_report_err(err);
            exit(EXIT_FAILURE);
        }
        loc_pop(&loc);
    }
    if (optind != argc) {
        error_report("%s: Unexpected argument", argv[optind]);
        exit(EXIT_FAILURE);
    }
}

static void remove_pid_file(void)
{
    unlink(pid_file);
}

static void write_pid_file(void)
{
    Error *err = NULL;

    if (pid_file) {
        pid_file = g_canonicalize_filename(pid_file, NULL);
        if (!qemu_write_pidfile(pid_file, &err)) {
            error_reportf_err(err, "cannot create PID file: ");
            exit(EXIT_FAILURE);
        }
        atexit(remove_pid_file);
    }
}

static const MonitorProgram monitor_program = {
    .register_commands = qsd_qmp_init_marshal,
    .schema_json = qsd_qmp_schema_json,
};

int main(int argc, char *argv[])
{
    bool daemonize = false;

    error_init(argv[0]);
    process_options(argc, argv, true, &daemonize);
    if (daemonize) {
        qemu_chr_forbid_stdio();
        os_daemonize();
    }

    qemu_init_main_loop(&error_fatal);
    qemu_set_signal_handler(SIGINT, signal_to_end, NULL);
    qemu_set_signal_handler(SIGTERM, signal_to_end, NULL);
    qemu_set_signal_handler(SIGHUP, signal_to_end, NULL);
    bdrv_init();
    user_creatable_init();
    monitor_init_globals(&monitor_program);
    process_options(argc, argv, false, NULL);
    write_pid_file();
    os_setup_post();

    while (!exit_requested) {
        main_loop_wait(false);
    }

    block_job_cancel_sync_all();
    blockdev_close_all_bdrv_states();
    bdrv_close_all();
    user_creatable_cleanup();
    monitor_cleanup();
    qemu_chr_cleanup();
    return EXIT_SUCCESS;
}
