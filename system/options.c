/*
 * SPDX-License-Identifier: MIT
 *
 * The emulator's options: what each of them does.
 */
#include "qemu/osdep.h"
#include "chardev/char.h"
#include "monitor/monitor.h"
#include "options.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qapi-commands-machine.h"
#include "qapi/qapi-visit-block-core.h"
#include "qapi/qapi-visit-machine.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qerror.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qobject-input-visitor.h"
#include "qemu/cutils.h"
#include "qemu/option.h"
#include "qemu/trace-control.h"
#include "qom/object_interfaces.h"
#include "sysemu/blockdev.h"
#include "sysemu/qtest.h"
#include "sysemu/runstate.h"
#include "sysemu/devices.h"
#include "sysemu/sysemu.h"

Settings settings = { .defaults = true };

bool autostart = true;
const char *qemu_name;
char qemu_uuid_text[37] = "00000000-0000-0000-0000-000000000000";

static bool is_help(const char *arg)
{
    return !strcmp(arg, "help") || !strcmp(arg, "?");
}

/* ---- Lists ---- */

static QemuOptsList name_opts = {
    .name = "name",
    .implied_opt_name = "guest",
    .merge_lists = true,
    .head = QTAILQ_HEAD_INITIALIZER(name_opts.head),
    .desc = {
        { .name = "guest", .type = QEMU_OPT_STRING,
          .help = "name of the machine" },
        { .name = "process", .type = QEMU_OPT_STRING,
          .help = "name of the process" },
        { .name = "debug-threads", .type = QEMU_OPT_BOOL,
          .help = "give names to threads; they have them anyway" },
        { /* end */ },
    },
};

static QemuOptsList memory_opts = {
    .name = "memory",
    .implied_opt_name = "size",
    .merge_lists = true,
    .head = QTAILQ_HEAD_INITIALIZER(memory_opts.head),
    .desc = {
        { .name = "size", .type = QEMU_OPT_STRING,
          .help = "size of the memory, in MiB without suffix" },
        { .name = "slots", .type = QEMU_OPT_NUMBER },
        { .name = "maxmem", .type = QEMU_OPT_SIZE },
        { /* end */ },
    },
};

static QemuOptsList machine_opts = {
    .name = "machine",
    .implied_opt_name = "type",
    .merge_lists = true,
    .head = QTAILQ_HEAD_INITIALIZER(machine_opts.head),
    .desc = {
        { .name = "type", .type = QEMU_OPT_STRING,
          .help = "kind of machine" },
        { .name = "accel", .type = QEMU_OPT_STRING,
          .help = "accelerator" },
        { /* end */ },
    },
};

void options_register_lists(void)
{
    qemu_add_opts(&qemu_chardev_opts);
    qemu_add_opts(&qemu_drive_opts);
    qemu_add_opts(&qemu_mon_opts);
    qemu_add_opts(&machine_opts);
    qemu_add_opts(&memory_opts);
    qemu_add_opts(&name_opts);
}

/* ---- The process ---- */

static bool opt_help(const char *arg, Error **errp)
{
    print_help();
    exit(EXIT_SUCCESS);
}

static bool opt_version(const char *arg, Error **errp)
{
    printf("QEMU emulator version %s\n", QEMU_VERSION);
    exit(EXIT_SUCCESS);
}

static bool opt_daemonize(const char *arg, Error **errp)
{
    settings.daemonize = true;
    return true;
}

static bool opt_pidfile(const char *arg, Error **errp)
{
    settings.pid_file = arg;
    return true;
}

/* Nothing is ever logged, but the file is there. */
static bool opt_logfile(const char *arg, Error **errp)
{
    int fd = qemu_open_old(arg, O_WRONLY | O_CREAT | O_APPEND, 0666);

    if (fd < 0) {
        error_setg(errp, "Error opening logfile %s: %s", arg,
                   strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

static bool opt_trace(const char *arg, Error **errp)
{
    if (is_help(arg)) {
        trace_list_events(stdout);
        exit(EXIT_SUCCESS);
    }
    trace_opt_parse(arg);
    return true;
}

/* ---- The machine ---- */

static bool opt_machine(const char *arg, Error **errp)
{
    QemuOpts *opts;
    const char *type, *accel;

    if (is_help(arg) || !strcmp(arg, "type=help")) {
        print_machines();
        exit(EXIT_SUCCESS);
    }
    opts = qemu_opts_parse(&machine_opts, arg, true, errp);
    if (!opts) {
        return false;
    }
    type = qemu_opt_get(opts, "type");
    if (type && !machine_exists(type)) {
        error_setg(errp, "unsupported machine type");
        error_append_hint(errp, "Use -machine help to list supported "
                          "machines\n");
        return false;
    }
    if (type) {
        devices_set_machine(type);
    }
    accel = qemu_opt_get(opts, "accel");
    return !accel || configure_accelerator(accel, errp);
}

static bool opt_accel(const char *arg, Error **errp)
{
    const char *name = arg;

    if (is_help(arg)) {
        printf("Accelerators supported in QEMU binary:\nqtest\n");
        exit(EXIT_SUCCESS);
    }
    strstart(arg, "accel=", &name);
    return configure_accelerator(name, errp);
}

static bool opt_memory(const char *arg, Error **errp)
{
    QemuOpts *opts = qemu_opts_parse(&memory_opts, arg, true, errp);
    const char *size;
    uint64_t bytes;

    if (!opts) {
        return false;
    }
    size = qemu_opt_get(opts, "size");
    if (size && qemu_strtosz_MiB(size, NULL, &bytes) < 0) {
        error_setg(errp, "Parameter 'size' expects a non-negative number "
                   "below 2^64");
        error_append_hint(errp, "Optional suffix k, M, G, T, P or E means "
                          "kilo-, mega-, giga-, tera-, peta-\n"
                          "and exabytes, respectively.\n");
        return false;
    }
    return true;
}

static bool opt_name(const char *arg, Error **errp)
{
    QemuOpts *opts = qemu_opts_parse(&name_opts, arg, true, errp);

    if (!opts) {
        return false;
    }
    qemu_name = qemu_opt_get(opts, "guest");
    return true;
}

static bool opt_uuid(const char *arg, Error **errp)
{
    if (!g_uuid_string_is_valid(arg)) {
        error_setg(errp, "failed to parse UUID string: wrong format");
        return false;
    }
    pstrcpy(qemu_uuid_text, sizeof(qemu_uuid_text), arg);
    return true;
}

static bool opt_stopped(const char *arg, Error **errp)
{
    autostart = false;
    return true;
}

/* What to do about events of the guest; those of which there are none here are
 * checked only. */
static bool opt_action(const char *arg, Error **errp)
{
    ERRP_GUARD();
    QDict *dict = keyval_parse(arg, NULL, NULL, errp);
    q_obj_set_action_arg action = { 0 };
    Visitor *v;

    if (!dict) {
        return false;
    }
    v = qobject_input_visitor_new_keyval(QOBJECT(dict));
    if (visit_start_struct(v, NULL, NULL, 0, errp)) {
        if (visit_type_q_obj_set_action_arg_members(v, &action, errp) &&
            visit_check_struct(v, errp)) {
            qmp_set_action(action.has_reboot, action.reboot,
                           action.has_shutdown, action.shutdown,
                           action.has_panic, action.panic,
                           action.has_watchdog, action.watchdog, errp);
        }
        visit_end_struct(v, NULL);
    }
    visit_free(v);
    qobject_unref(dict);
    return !*errp;
}

static bool opt_no_reboot(const char *arg, Error **errp)
{
    qemu_set_no_reboot();
    return true;
}

static bool opt_no_shutdown(const char *arg, Error **errp)
{
    qemu_set_no_shutdown();
    return true;
}

static bool opt_incoming(const char *arg, Error **errp)
{
    static const char *const protocols[] = {
        "tcp:", "unix:", "exec:", "fd:", "rdma:",
    };

    if (!strcmp(arg, "defer")) {
        settings.inmigrate = true;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (g_str_has_prefix(arg, protocols[i])) {
            error_setg(errp, "incoming migration from '%s' is not supported",
                       arg);
            return false;
        }
    }
    error_setg(errp, "unknown migration protocol: %s", arg);
    return false;
}

/* ---- What the machine does not have ---- */

static bool opt_nothing(const char *arg, Error **errp)
{
    return true;
}

static bool opt_nodefaults(const char *arg, Error **errp)
{
    settings.defaults = false;
    return true;
}

static bool opt_nographic(const char *arg, Error **errp)
{
    settings.nographic = true;
    return true;
}

static bool opt_vga(const char *arg, Error **errp)
{
    if (is_help(arg)) {
        printf("none                 no graphic card\n");
        exit(EXIT_SUCCESS);
    }
    if (strcmp(arg, "none")) {
        error_setg(errp, "unknown vga type: %s", arg);
        return false;
    }
    return true;
}

static bool opt_display(const char *arg, Error **errp)
{
    if (is_help(arg)) {
        printf("Available display backend types:\nnone\n");
        exit(EXIT_SUCCESS);
    }
    if (strcmp(arg, "none")) {
        error_setg(errp, "Parameter 'type' does not accept value '%s'", arg);
        return false;
    }
    return true;
}

static bool opt_network(const char *arg, Error **errp)
{
    if (strcmp(arg, "none")) {
        error_setg(errp, "there are no network devices; only 'none' is "
                   "possible, not '%s'", arg);
        return false;
    }
    return true;
}

/* The line that a device would be connected to. */
static bool make_line(const char *kind, unsigned *count, const char *arg,
                      Error **errp)
{
    g_autofree char *label = NULL;

    if (!strcmp(arg, "none")) {
        return true;
    }
    label = g_strdup_printf("%s%u", kind, (*count)++);
    return qemu_chr_new(label, arg, errp) != NULL;
}

static bool opt_serial(const char *arg, Error **errp)
{
    static unsigned count;

    return make_line("serial", &count, arg, errp);
}

static bool opt_parallel(const char *arg, Error **errp)
{
    static unsigned count;

    return make_line("parallel", &count, arg, errp);
}

/* ---- Objects and character devices ---- */

static bool opt_object(const char *arg, Error **errp)
{
    user_creatable_process_cmdline(arg);
    return true;
}

static void announce_pty(Chardev *chr)
{
    if (qemu_chr_get_pty(chr)) {
        printf("char device redirected to %s (label %s)\n",
               qemu_chr_get_pty(chr), chr->label);
        fflush(stdout);
    }
}

static bool opt_chardev(const char *arg, Error **errp)
{
    Chardev *chr = qemu_chardev_cmdline(arg, errp);

    if (!chr) {
        return false;
    }
    announce_pty(chr);
    return true;
}

static bool opt_qtest(const char *arg, Error **errp)
{
    settings.qtest = arg;
    return true;
}

static bool opt_qtest_log(const char *arg, Error **errp)
{
    settings.qtest_log = arg;
    return true;
}

/* ---- Monitors ---- */

/* A monitor whose character device is made from a short form. */
typedef struct CompatMonitor {
    char *chardev;
    MonitorMode mode;
    bool pretty;
} CompatMonitor;

static GArray *compat_monitors;

static bool add_compat_monitor(const char *arg, MonitorMode mode, bool pretty,
                               Error **errp)
{
    CompatMonitor cm = { .mode = mode, .pretty = pretty };
    Chardev *chr;
    const char *p;

    if (!strcmp(arg, "none")) {
        return true;
    }
    if (!compat_monitors) {
        compat_monitors = g_array_new(false, false, sizeof(CompatMonitor));
    }
    if (strstart(arg, "chardev:", &p)) {
        cm.chardev = g_strdup(p);
    } else {
        cm.chardev = g_strdup_printf("compat_monitor%u",
                                     compat_monitors->len);
        chr = qemu_chr_new(cm.chardev, arg, errp);
        if (!chr) {
            g_free(cm.chardev);
            return false;
        }
        announce_pty(chr);
    }
    g_array_append_val(compat_monitors, cm);
    return true;
}

bool options_make_compat_monitors(Error **errp)
{
    bool ok = true;

    for (guint i = 0; compat_monitors && i < compat_monitors->len; i++) {
        CompatMonitor *cm = &g_array_index(compat_monitors, CompatMonitor, i);
        MonitorOptions options = {
            .chardev = cm->chardev,
            .has_mode = true,
            .mode = cm->mode,
            .has_pretty = true,
            .pretty = cm->pretty,
        };

        ok = ok && monitor_init(&options, errp);
        g_free(cm->chardev);
    }
    if (compat_monitors) {
        g_array_free(compat_monitors, true);
    }
    return ok;
}

bool options_add_default_monitor(Error **errp)
{
    if (settings.nographic && settings.defaults && !settings.has_monitor &&
        !settings.has_serial) {
        return add_compat_monitor("stdio", MONITOR_MODE_READLINE, false,
                                  errp);
    }
    return true;
}

static bool opt_monitor(const char *arg, Error **errp)
{
    return add_compat_monitor(arg, MONITOR_MODE_READLINE, false, errp);
}

static bool opt_qmp(const char *arg, Error **errp)
{
    return add_compat_monitor(arg, MONITOR_MODE_CONTROL, false, errp);
}

static bool opt_qmp_pretty(const char *arg, Error **errp)
{
    return add_compat_monitor(arg, MONITOR_MODE_CONTROL, true, errp);
}

static bool opt_mon(const char *arg, Error **errp)
{
    QemuOpts *opts = qemu_opts_parse(&qemu_mon_opts, arg, true, errp);

    return opts && monitor_init_opts(opts, errp);
}

/* ---- Disks ---- */

static bool opt_blockdev(const char *arg, Error **errp)
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

static bool make_drive(QemuOpts *opts, Error **errp)
{
    const char *format = qemu_opt_get(opts, "format");

    if (format && is_help(format)) {
        print_drive_formats();
        exit(EXIT_SUCCESS);
    }
    return drive_new(opts, IF_NONE, errp) != NULL;
}

static bool opt_drive(const char *arg, Error **errp)
{
    QemuOpts *opts = qemu_opts_parse(&qemu_drive_opts, arg, false, errp);

    return opts && make_drive(opts, errp);
}

/* A drive of which only the file and the place are given. */
static bool add_drive(const char *file, int index, const char *media,
                      Error **errp)
{
    QemuOpts *opts = qemu_opts_create(&qemu_drive_opts, NULL, 0, errp);

    if (!opts) {
        return false;
    }
    return qemu_opt_set(opts, "file", file, errp) &&
           qemu_opt_set(opts, "media", media, errp) &&
           (index < 0 || qemu_opt_set_number(opts, "index", index, errp)) &&
           make_drive(opts, errp);
}

bool option_image(const char *arg, Error **errp)
{
    return add_drive(arg, 0, "disk", errp);
}

static bool opt_hdb(const char *arg, Error **errp)
{
    return add_drive(arg, 1, "disk", errp);
}

static bool opt_hdc(const char *arg, Error **errp)
{
    return add_drive(arg, 2, "disk", errp);
}

static bool opt_hdd(const char *arg, Error **errp)
{
    return add_drive(arg, 3, "disk", errp);
}

static bool opt_cdrom(const char *arg, Error **errp)
{
    return add_drive(arg, 2, "cdrom", errp);
}

static bool opt_device(const char *arg, Error **errp)
{
    QDict *props = arg[0] == '{'
        ? qobject_to(QDict, qobject_from_json(arg, errp))
        : keyval_parse(arg, "driver", NULL, errp);
    bool ok = props && device_create(props, false, errp);

    qobject_unref(props);
    return ok;
}

static bool opt_device_help(const char *arg, Error **errp)
{
    if (is_help(arg)) {
        devices_print_types();
        exit(EXIT_SUCCESS);
    }
    return opt_device(arg, errp);
}

const OptionDef option_table[] = {
    { "h", NULL, "print this help and exit", PHASE_NOW, opt_help },
    { "help", NULL, NULL, PHASE_NOW, opt_help },
    { "version", NULL, "print the version and exit", PHASE_NOW, opt_version },
    { "machine", "[type=]NAME[,accel=NAME]",
      "kind of machine; 'help' lists them", PHASE_NOW, opt_machine },
    { "M", "NAME", NULL, PHASE_NOW, opt_machine },
    { "accel", "NAME", "accelerator; 'help' lists them", PHASE_NOW,
      opt_accel },
    { "m", "[size=]MIB", "size of the memory, which nothing uses", PHASE_NOW,
      opt_memory },
    { "name", "NAME", "name of the machine", PHASE_NOW, opt_name },
    { "uuid", "UUID", "identifier of the machine", PHASE_NOW, opt_uuid },
    { "S", NULL, "do not run before 'cont'", PHASE_NOW, opt_stopped },
    { "action", "EVENT=ACTION[,...]",
      "what to do on reboot, shutdown, panic or watchdog", PHASE_NOW,
      opt_action },
    { "no-reboot", NULL, "end instead of resetting", PHASE_NOW,
      opt_no_reboot },
    { "no-shutdown", NULL, "stop instead of ending when the guest shuts down",
      PHASE_NOW, opt_no_shutdown },
    { "incoming", "defer", "wait for an incoming migration", PHASE_NOW,
      opt_incoming },
    { "blockdev", "[driver=]DRIVER,node-name=NAME[,OPTION=VALUE...]",
      "open a node; also as a JSON object", PHASE_BLOCKDEV, opt_blockdev },
    { "drive", "[file=FILE][,if=TYPE][,id=NAME][,format=FORMAT]"
      "[,OPTION=VALUE...]",
      "a disk; 'format=help' lists the formats", PHASE_DRIVE, opt_drive },
    { "hda", "FILE", "disk 0, 1, 2, or 3", PHASE_DRIVE, option_image },
    { "hdb", "FILE", NULL, PHASE_DRIVE, opt_hdb },
    { "hdc", "FILE", NULL, PHASE_DRIVE, opt_hdc },
    { "hdd", "FILE", NULL, PHASE_DRIVE, opt_hdd },
    { "cdrom", "FILE", "CD-ROM, disk 2", PHASE_DRIVE, opt_cdrom },
    { "device", "DRIVER[,PROPERTY=VALUE...]",
      "a device; 'help' lists them", PHASE_DEVICE, opt_device_help },
    { "object", "TYPE,id=ID[,PROPERTY=VALUE...]",
      "an object; 'help' lists the types, 'TYPE,help' the properties",
      PHASE_OBJECT, opt_object },
    { "chardev", "BACKEND,id=ID[,OPTION=VALUE...]",
      "a character device; 'help' lists the kinds", PHASE_CHARDEV,
      opt_chardev },
    { "mon", "[chardev=]ID[,mode=readline|control][,pretty[=on|off]]",
      "a monitor on a character device", PHASE_MONITOR, opt_mon },
    { "monitor", "DEV", "a monitor for people on a new character device",
      PHASE_CHARDEV, opt_monitor },
    { "qmp", "DEV", "a QMP monitor on a new character device", PHASE_CHARDEV,
      opt_qmp },
    { "qmp-pretty", "DEV", "the same with indented output", PHASE_CHARDEV,
      opt_qmp_pretty },
    { "serial", "DEV", "a serial line", PHASE_CHARDEV, opt_serial },
    { "parallel", "DEV", "a parallel port", PHASE_CHARDEV, opt_parallel },
    { "vga", "none", "graphics card", PHASE_NOW, opt_vga },
    { "display", "none", "display", PHASE_NOW, opt_display },
    { "nographic", NULL, "no display; a monitor on the terminal unless "
      "-nodefaults is given", PHASE_NOW, opt_nographic },
    { "net", "none", "network", PHASE_NOW, opt_network },
    { "nic", "none", NULL, PHASE_NOW, opt_network },
    { "nodefaults", NULL, "no devices that nobody asked for", PHASE_NOW,
      opt_nodefaults },
    { "no-user-config", NULL, "read no configuration files, as always",
      PHASE_NOW, opt_nothing },
    { "qtest", "DEV", "let a test control virtual time", PHASE_NOW,
      opt_qtest },
    { "qtest-log", "FILE", "transcript of that", PHASE_NOW, opt_qtest_log },
    { "daemonize", NULL, "go into the background when all is set up",
      PHASE_NOW, opt_daemonize },
    { "pidfile", "FILE", "write the process ID to FILE", PHASE_NOW,
      opt_pidfile },
    { "D", "FILE", "log file", PHASE_NOW, opt_logfile },
    { "trace", "[enable=]PATTERN",
      "print the trace events that match; 'help' lists them", PHASE_NOW,
      opt_trace },
    { 0 },
};
