/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-img: offline work on images.  The subcommands are in tools/.
 */
#include "qemu/osdep.h"
#include "tools/qemu-img.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/trace-control.h"
#include "qom/object_interfaces.h"

typedef struct ImgCommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *syntax;
} ImgCommand;

static const ImgCommand commands[] = {
    { "amend", img_amend,
      "[--object objectdef] [--image-opts] [-p] [-q] [-f fmt] [-t cache] "
      "[--force] -o options filename" },
    { "bench", img_bench,
      "[-c count] [-d depth] [-f fmt] [--flush-interval=flush_interval] "
      "[-i aio] [-n] [--no-drain] [-o offset] [--pattern=pattern] [-q] "
      "[-s buffer_size] [-S step_size] [-t cache] [-w] [-U] filename" },
    { "bitmap", img_bitmap,
      "(--merge SOURCE | --add | --remove | --clear | --enable | --disable)... "
      "[-b source_file [-F source_fmt]] [-g granularity] [--object objectdef] "
      "[--image-opts | -f fmt] filename bitmap" },
    { "check", img_check,
      "[--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt] "
      "[-r [leaks | all]] [-T src_cache] [-U] filename" },
    { "commit", img_commit,
      "[--object objectdef] [--image-opts] [-q] [-f fmt] [-t cache] [-b base] "
      "[-r rate_limit] [-d] [-p] filename" },
    { "compare", img_compare,
      "[--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] "
      "[-p] [-q] [-s] [-U] filename1 filename2" },
    { "convert", img_convert,
      "[--object objectdef] [--image-opts] [--target-image-opts] "
      "[--target-is-zero] [--bitmaps "
      "[--skip-broken-bitmaps]] [-U] [-C] [-c] [-p] [-q] [-n] [-f fmt] [-t cache] "
      "[-T src_cache] [-O output_fmt] [-B backing_file [-F backing_fmt]] "
      "[-o options] [-l snapshot_param] [-S sparse_size] [-r rate_limit] "
      "[-m num_coroutines] [-W] [--salvage] filename [filename2 [...]] "
      "output_filename" },
    { "create", img_create,
      "[--object objectdef] [-q] [-f fmt] [-b backing_file [-F backing_fmt]] "
      "[-u] [-o options] filename [size]" },
    { "dd", img_dd,
      "[--image-opts] [-U] [-f fmt] [-O output_fmt] [bs=block_size] "
      "[count=blocks] [skip=blocks] if=input of=output" },
    { "info", img_info,
      "[--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] "
      "[--backing-chain] [-U] filename" },
    { "map", img_map,
      "[--object objectdef] [--image-opts] [-f fmt] [--start-offset=offset] "
      "[--max-length=len] [--output=ofmt] [-U] filename" },
    { "measure", img_measure,
      "[--output=ofmt] [-O output_fmt] [-o options] [--size N | [--object "
      "objectdef] [--image-opts] [-f fmt] [-l snapshot_param] filename]" },
    { "rebase", img_rebase,
      "[--object objectdef] [--image-opts] [-U] [-q] [-f fmt] [-t cache] "
      "[-T src_cache] [-p] [-u] -b backing_file [-F backing_fmt] filename" },
    { "resize", img_resize,
      "[--object objectdef] [--image-opts] [-f fmt] "
      "[--preallocation=prealloc] [-q] [--shrink] filename [+ | -]size" },
    { "snapshot", img_snapshot,
      "[--object objectdef] [--image-opts] [-U] [-q] [-l | -a snapshot | -c "
      "snapshot | -d snapshot] filename" },
};

/* ---- Help ---- */

static void print_format(void *opaque, const char *name)
{
    printf(" %s", name);
}

static void print_version(void)
{
    printf("qemu-img version %s\n", QEMU_VERSION);
}

static void G_GNUC_NORETURN help(void)
{
    size_t i;

    print_version();
    printf("usage: qemu-img [standard options] command [command options]\n"
           "Create, look at, copy, check and change disk images\n\n"
           "    '-h', '--help'       print this text\n"
           "    '-V', '--version'    print the version\n"
           "    '-T', '--trace'      [[enable=]<pattern>][,events=<file>]"
           "[,file=<file>]\n"
           "                         switch trace events on\n\n"
           "Command syntax:\n");
    for (i = 0; i < ARRAY_SIZE(commands); i++) {
        printf("  %s %s\n", commands[i].name, commands[i].syntax);
    }
    printf("\nSizes take the suffixes k or K, M, G, T, P and E (powers of "
           "1024).\n"
           "Cache modes: none, writeback, writethrough, directsync, unsafe; "
           "the default is\n"
           "writeback, for the target of convert it is unsafe.\n"
           "'-o help' lists the options of a format.  The manual page "
           "qemu-img(1) says more.\n\n"
           "Supported formats:");
    bdrv_iterate_format(print_format, NULL, false);
    printf("\n");
    exit(0);
}

/* ---- Main ---- */

static const struct option main_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { "trace", required_argument, NULL, 'T' },
    { NULL }
};

static void parse_standard_options(int argc, char **argv)
{
    int c;

    while ((c = getopt_long(argc, argv, "+:hVT:", main_options, NULL)) != -1) {
        switch (c) {
        case 'h':
            help();
        case 'V':
            print_version();
            exit(0);
        case 'T':
            trace_opt_parse(optarg);
            break;
        case ':':
            img_usage_error("missing argument for option '%s'",
                            argv[optind - 1]);
        default:
            img_usage_error("unrecognized option '%s'", argv[optind - 1]);
        }
    }
}

int main(int argc, char **argv)
{
    const char *name;
    size_t i;

    signal(SIGPIPE, SIG_IGN);
    error_init(argv[0]);
    module_call_init(MODULE_INIT_TRACE);
    module_call_init(MODULE_INIT_QOM);
    user_creatable_init();
    qemu_init_main_loop(&error_fatal);
    bdrv_init();
    if (argc < 2) {
        img_usage_error("Not enough arguments");
    }
    parse_standard_options(argc, argv);
    if (optind >= argc) {
        img_usage_error("Not enough arguments");
    }
    name = argv[optind];
    argc -= optind;
    argv += optind;
    optind = 0;
    for (i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(name, commands[i].name)) {
            if (argc == 2 && (!strcmp(argv[1], "-h") ||
                              !strcmp(argv[1], "--help"))) {
                help();
            }
            return commands[i].run(argc, argv);
        }
    }
    img_usage_error("Command not found: %s", name);
}
