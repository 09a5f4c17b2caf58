/*
 * SPDX-License-Identifier: MIT
 *
 * What the subcommands of qemu-img share.  A subcommand gets its own name as
 * argv[0] and returns the exit status of the program.
 */
#ifndef TOOLS_QEMU_IMG_H
#define TOOLS_QEMU_IMG_H

#include <getopt.h>
#include "block/block_int.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/option.h"
#include "sysemu/block-backend.h"

/* Values of long options that have no short form. */
enum {
    IMG_OPT_OUTPUT = 256,
    IMG_OPT_BACKING_CHAIN,
    IMG_OPT_OBJECT,
    IMG_OPT_IMAGE_OPTS,
    IMG_OPT_TARGET_IMAGE_OPTS,
    IMG_OPT_SIZE,
    IMG_OPT_PREALLOCATION,
    IMG_OPT_SHRINK,
    IMG_OPT_SALVAGE,
    IMG_OPT_TARGET_IS_ZERO,
    IMG_OPT_BITMAPS,
    IMG_OPT_SKIP_BROKEN,
    IMG_OPT_START_OFFSET,
    IMG_OPT_MAX_LENGTH,
};

/* Options that many subcommands have. */
typedef struct ImgOptions {
    const char *fmt;
    const char *cache;          /* of the image that is written */
    bool image_opts;
    bool force_share;
    bool quiet;
    bool json;
    bool progress;
} ImgOptions;

/* How to open an image. */
typedef struct ImgOpen {
    const char *fmt;            /* NULL: guess */
    bool image_opts;            /* the name is an option string */
    bool force_share;
    bool quiet;
    bool writethrough;
    int flags;                  /* BDRV_O_* */
    QDict *more;                /* further options, moved away from there; may
                                 * be NULL */
} ImgOpen;

/* "qemu-img: MESSAGE" and a hint to --help; the program ends. */
void img_usage_error(const char *fmt, ...) G_GNUC_PRINTF(1, 2)
    G_GNUC_NORETURN;
/*
 * The next option of a subcommand: its value, or -1 at the end.  Those of
 * ImgOptions (-f -q -U -p --output --object --image-opts) are taken care of if
 * @short_opts and @long_opts have them.  @short_opts must begin with ":".
 */
int img_getopt(int argc, char **argv, const char *short_opts,
               const struct option *long_opts, ImgOptions *o);
/* NULL after a message. */
BlockBackend *img_open(const ImgOpen *how, const char *name);
/* The one operand that is left, or a usage error. */
const char *img_one_name(int argc, char **argv);
/* Parse a cache mode into *flags; false after a message that names @what. */
bool img_parse_cache(const char *cache, const char *what, int *flags,
                     bool *writethrough);
/* A number of bytes with suffix; -EINVAL or -ERANGE. */
int64_t img_parse_size(const char *text);
/* The same with messages that begin with @what; negative on error. */
int64_t img_parse_size_noisily(const char *what, const char *text, int64_t min,
                               int64_t max);
/* Join lists of -o; false after a message. */
bool img_accumulate_options(char **options, const char *more);
bool img_is_help_option(const char *options);
int img_print_format_options(const char *filename, const char *fmt);
/* Print @obj, which is given up, as JSON. */
void img_print_json(QObject *obj);

/* Progress on standard output with -p: of @total, @done are done. */
void img_progress(const ImgOptions *o, uint64_t done, uint64_t total);
void img_progress_end(const ImgOptions *o);

/*
 * convert --bitmaps: can those of @from be copied (a message if not), and copy
 * them; broken ones are left out, or else an error.
 */
bool img_can_copy_bitmaps(BlockDriverState *from, bool skip_broken);
bool img_copy_bitmaps(BlockDriverState *from, BlockDriverState *to,
                      bool skip_broken);

/*
 * -l of convert and measure: show the snapshot that @param (a name, an ID, or
 * snapshot.id=ID,snapshot.name=NAME) means; false after a message.
 */
bool img_load_snapshot(BlockDriverState *bs, const char *param);

int img_amend(int argc, char **argv);
int img_bench(int argc, char **argv);
int img_bitmap(int argc, char **argv);
int img_check(int argc, char **argv);
int img_commit(int argc, char **argv);
int img_compare(int argc, char **argv);
int img_convert(int argc, char **argv);
int img_create(int argc, char **argv);
int img_dd(int argc, char **argv);
int img_info(int argc, char **argv);
int img_map(int argc, char **argv);
int img_measure(int argc, char **argv);
int img_rebase(int argc, char **argv);
int img_resize(int argc, char **argv);
int img_snapshot(int argc, char **argv);

#endif
