/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-io: exercise an image with single requests.
 */
#include "qemu/osdep.h"
#include "qemu-io.h"
#include "qapi/error.h"
#include "qapi/qmp/qdict.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/option.h"
#include "qemu/trace-control.h"
#include "qom/object_interfaces.h"

static BlockBackend *qemuio_blk;
static bool quit_requested;
static bool force_share;
static bool image_opts;

/* How images are opened, by options of the program or of "open". */
typedef struct OpenMode {
    int flags;
    bool writethrough;
    bool force_share;
} OpenMode;

/* Each write is on stable storage when it is done, unless it is told
 * otherwise. */
static OpenMode default_mode = {
    .flags = BDRV_O_UNMAP,
    .writethrough = true,
};

/* Takes over @opts. */
static int open_file(const char *name, const OpenMode *mode, QDict *opts)
{
    Error *err = NULL;

    if (qemuio_blk) {
        error_report("file open already, try 'help close'");
        qobject_unref(opts);
        return 1;
    }
    if (mode->force_share) {
        if (!opts) {
            opts = qdict_new();
        }
        if (qdict_haskey(opts, BDRV_OPT_FORCE_SHARE) &&
            strcmp(qdict_get_str(opts, BDRV_OPT_FORCE_SHARE), "on")) {
            error_report("-U conflicts with image options");
            qobject_unref(opts);
            return 1;
        }
        qdict_put_str(opts, BDRV_OPT_FORCE_SHARE, "on");
    }
    qemuio_blk = blk_new_open(name, NULL, opts, mode->flags, &err);
    if (!qemuio_blk) {
        error_reportf_err(err, "can't open%s%s: ", name ? " device " : "",
                          name ? name : "");
        return 1;
    }
    blk_set_enable_write_cache(qemuio_blk, !mode->writethrough);
    return 0;
}

/* ---- Commands of the program ---- */

static int close_f(BlockBackend *blk, int argc, char **argv)
{
    blk_unref(qemuio_blk);
    qemuio_blk = NULL;
    return 0;
}

static int quit_f(BlockBackend *blk, int argc, char **argv)
{
    quit_requested = true;
    return 0;
}

static int parse_cache(OpenMode *mode, const char *arg)
{
    if (bdrv_parse_cache_mode(arg, &mode->flags, &mode->writethrough) < 0) {
        error_report("Invalid cache option: %s", arg);
        return -EINVAL;
    }
    return 0;
}

static int open_f(BlockBackend *blk, int argc, char **argv)
{
    OpenMode mode = { .flags = BDRV_O_UNMAP, .writethrough = true };
    bool readonly = false;
    QDict *opts = NULL;
    Error *err = NULL;
    int c;

    while ((c = getopt(argc, argv, "snCro:ki:t:d:U")) != -1) {
        switch (c) {
        case 's': mode.flags |= BDRV_O_SNAPSHOT; break;
        case 'n':
            mode.flags |= BDRV_O_NOCACHE;
            mode.writethrough = false;
            break;
        case 'C': mode.flags |= BDRV_O_COPY_ON_READ; break;
        case 'r': readonly = true; break;
        case 'k': mode.flags |= BDRV_O_NATIVE_AIO; break;
        case 'U': mode.force_share = true; break;
        case 't':
            if (parse_cache(&mode, optarg) < 0) {
                goto fail;
            }
            break;
        case 'd':
            if (bdrv_parse_discard_flags(optarg, &mode.flags) < 0) {
                error_report("Invalid discard option: %s", optarg);
                goto fail;
            }
            break;
        case 'i':
            if (bdrv_parse_aio(optarg, &mode.flags) < 0) {
                error_report("Invalid aio option: %s", optarg);
                goto fail;
            }
            break;
        case 'o': {
            QDict *more = keyval_parse(optarg, NULL, NULL, &err);

            if (!more) {
                error_report_err(err);
                goto fail;
            }
            qdict_flatten(more);
            qobject_unref(opts);
            opts = more;
            break;
        }
        default:
            qobject_unref(opts);
            return qemuio_usage("open");
        }
    }
    if (!readonly) {
        mode.flags |= BDRV_O_RDWR;
    }
    if (optind < argc - 1 || (optind == argc && !opts)) {
        qobject_unref(opts);
        return qemuio_usage("open");
    }
    return open_file(optind < argc ? argv[optind] : NULL, &mode, opts)
           ? -EINVAL : 0;
fail:
    qobject_unref(opts);
    return -EINVAL;
}

static const QemuIOCommand program_commands[] = {
    { "close", "c", close_f, 0, 0, NULL, "close the current open file" },
    { "open", "o", open_f, 1, -1,
      "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]",
      "open the file specified by path",
      .help = "Opens an image for the other commands.\n"
      "  -C  copy on read\n"
      "  -d  discard mode: unmap or ignore\n"
      "  -i  engine: threads, native or io_uring\n"
      "  -k  engine native\n"
      "  -n  cache mode none\n"
      "  -o  options of the block driver\n"
      "  -r  read-only\n"
      "  -s  changes go to a temporary file\n"
      "  -t  cache mode\n"
      "  -U  share the image with other programs\n"
      "Example: open -r -o driver=raw disk.img",
      .nofile = true },
    { "quit", "q", quit_f, 0, 0, NULL, "exit the program", .nofile = true },
    { NULL }
};

/* ---- Program ---- */

static void usage(const char *name)
{
    printf(
"Usage: %s [OPTIONS]... [-c STRING]... [file]\n"
"QEMU Disk exerciser\n"
"\n"
"  --object OBJECTDEF   define an object such as 'secret' for\n"
"                       passwords and/or encryption keys\n"
"  --image-opts         treat file as option string\n"
"  -c, --cmd STRING     execute command with its arguments\n"
"                       from the given string\n"
"  -f, --format FMT     specifies the block driver to use\n"
"  -r, --read-only      export read-only\n"
"  -s, --snapshot       use snapshot file\n"
"  -n, --nocache        disable host cache, short for -t none\n"
"  -C, --copy-on-read   enable copy-on-read\n"
"  -m, --misalign       misalign allocations for O_DIRECT\n"
"  -k, --native-aio     use kernel AIO implementation\n"
"  -i, --aio=MODE       use AIO mode (threads, native or io_uring)\n"
"  -t, --cache=MODE     use the given cache mode for the image\n"
"  -d, --discard=MODE   use the given discard mode for the image\n"
"  -T, --trace [[enable=]<pattern>]\n"
"                       enable trace events\n"
"  -U, --force-share    force shared permissions\n"
"  -h, --help           display this help and exit\n"
"  -V, --version        output version information and exit\n"
"\n"
"See '%s -c help' for information on available commands.\n", name, name);
}

enum { OPT_OBJECT = 256, OPT_IMAGE_OPTS };

static const struct option long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { "cmd", required_argument, NULL, 'c' },
    { "format", required_argument, NULL, 'f' },
    { "read-only", no_argument, NULL, 'r' },
    { "snapshot", no_argument, NULL, 's' },
    { "nocache", no_argument, NULL, 'n' },
    { "copy-on-read", no_argument, NULL, 'C' },
    { "misalign", no_argument, NULL, 'm' },
    { "native-aio", no_argument, NULL, 'k' },
    { "aio", required_argument, NULL, 'i' },
    { "discard", required_argument, NULL, 'd' },
    { "cache", required_argument, NULL, 't' },
    { "trace", required_argument, NULL, 'T' },
    { "force-share", no_argument, NULL, 'U' },
    { "object", required_argument, NULL, OPT_OBJECT },
    { "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
    { NULL }
};

typedef struct CommandLine {
    const char *format;
    bool readonly;
    GSList *commands;
} CommandLine;

static void check(bool ok, const char *fmt, const char *arg)
{
    if (!ok) {
        error_report(fmt, arg);
        exit(1);
    }
}

static void parse_one(CommandLine *cl, int c, const char *progname)
{
    OpenMode *m = &default_mode;

    switch (c) {
    case 's': m->flags |= BDRV_O_SNAPSHOT; break;
    case 'n': m->flags |= BDRV_O_NOCACHE; m->writethrough = false; break;
    case 'C': m->flags |= BDRV_O_COPY_ON_READ; break;
    case 'k': m->flags |= BDRV_O_NATIVE_AIO; break;
    case 'm': qemuio_misalign = true; break;
    case 'r': cl->readonly = true; break;
    case 'U': force_share = true; break;
    case 'f': cl->format = optarg; break;
    case 'c': cl->commands = g_slist_append(cl->commands, optarg); break;
    case 'd':
        check(bdrv_parse_discard_flags(optarg, &m->flags) == 0,
              "Invalid discard option: %s", optarg);
        break;
    case 't':
        check(bdrv_parse_cache_mode(optarg, &m->flags,
                                    &m->writethrough) == 0,
              "Invalid cache option: %s", optarg);
        break;
    case 'i':
        check(bdrv_parse_aio(optarg, &m->flags) == 0,
              "Invalid aio option: %s", optarg);
        break;
    case 'T':
        trace_opt_parse(optarg);
        break;
    case OPT_OBJECT:
        user_creatable_process_cmdline(optarg);
        break;
    case OPT_IMAGE_OPTS:
        image_opts = true;
        break;
    case 'V':
        printf("%s version %s\n", progname, QEMU_VERSION);
        exit(0);
    case 'h':
        usage(progname);
        exit(0);
    default:
        usage(progname);
        exit(1);
    }
}

static void open_from_command_line(const CommandLine *cl, const char *file)
{
    QDict *opts = NULL;

    if (!cl->readonly) {
        default_mode.flags |= BDRV_O_RDWR;
    }
    default_mode.force_share = force_share;
    if (image_opts) {
        opts = keyval_parse(file, NULL, NULL, &error_fatal);
        qdict_flatten(opts);
        if (cl->format) {
            error_report("--image-opts and -f are mutually exclusive");
            exit(1);
        }
        file = NULL;
    } else if (cl->format) {
        opts = qdict_new();
        qdict_put_str(opts, "driver", cl->format);
    }
    if (open_file(file, &default_mode, opts)) {
        exit(1);
    }
}

/* Lines of standard input until its end or "quit". */
static int interactive_loop(void)
{
    g_autofree char *line = NULL;
    size_t size = 0;
    int ret = 0;

    while (!quit_requested) {
        printf("qemu-io> ");
        fflush(stdout);
        if (getline(&line, &size, stdin) < 0) {
            break;
        }
        if (qemuio_command(qemuio_blk, line) < 0) {
            ret = 1;
        }
    }
    return ret;
}

int main(int argc, char **argv)
{
    CommandLine cl = { NULL };
    GSList *l;
    int c, ret = 0;

    signal(SIGPIPE, SIG_IGN);
    error_init(argv[0]);
    module_call_init(MODULE_INIT_TRACE);
    module_call_init(MODULE_INIT_QOM);
    user_creatable_init();
    qemu_init_main_loop(&error_fatal);
    bdrv_init();
    while ((c = getopt_long(argc, argv, "hVc:d:f:rsnCmki:t:T:U", long_options,
                            NULL)) != -1) {
        parse_one(&cl, c, error_get_progname());
    }
    if (argc - optind > 1) {
        usage(error_get_progname());
        exit(1);
    }
    qemuio_add_commands(program_commands);
    if (optind < argc) {
        open_from_command_line(&cl, argv[optind]);
    }
    for (l = cl.commands; l && !quit_requested; l = l->next) {
        if (qemuio_command(qemuio_blk, l->data) < 0) {
            ret = 1;
        }
    }
    if (!cl.commands) {
        ret = interactive_loop();
    }
    bdrv_drain_all();
    blk_unref(qemuio_blk);
    g_slist_free(cl.commands);
    return ret;
}
