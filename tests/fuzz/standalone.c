/*
 * SPDX-License-Identifier: MIT
 *
 * Runs a fuzz target over its seeds and over inputs made from them, always
 * the same ones, so that it is an ordinary test:
 *
 *     fuzz-TARGET [-n COUNT] [-o FOLDER] [-t SECONDS] [-m MIB]
 *                 FILE|FOLDER...
 *
 * COUNT (default 0) inputs are made from each seed: the same first ones
 * whatever COUNT is.  An input with which the target crashes, hangs or uses
 * too much memory is written to FOLDER (default: the current one); given as
 * FILE it is run again.
 *
 * 1. Each seed has a process of its own, so that one failure leaves the other
 *    seeds their turn.  It shares a Progress with the runner.
 * 2. Only the child writes the Progress, and it does so before the target
 *    sees the input; the runner reads it any time.
 * 3. What the target prints is shown only if it fails, and only the end.
 * 4. Leaks are looked for when a child ends, in builds with AddressSanitizer.
 */
#include "qemu/osdep.h"
#include "fuzz-util.h"
#include "qemu/timer.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define MAX_SIZE (64 * 1024)
#define MAX_STEPS 6
#define MAX_SHOWN 16384

typedef struct Progress {
    int64_t start;              /* ns, of the input; atomic */
    int number;                 /* 0: the seed itself */
    size_t size;
    uint8_t data[MAX_SIZE];
} Progress;

typedef struct Seed {
    char *path;
    uint8_t *data;
    size_t size;
} Seed;

static GArray *seeds;
static Progress *progress;
static int made_per_seed;
static int max_seconds = 10;    /* for one input */
static int max_mib = 1536;      /* for all of a seed, sanitizers included */
static const char *output = ".";
static int printed;             /* file in memory: stderr of the child */

/* ---- Inputs from seeds ---- */

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Any of 0 ... @n - 1 */
static size_t pick(size_t n)
{
    return (next_random() >> 16) % n;
}

/* A number of @width bytes, at whose ends and powers of two things break. */
static uint64_t pick_number(int width)
{
    uint64_t value = 1ull << pick(width * 8);

    switch (pick(5)) {
    case 0:
        return pick(3);
    case 1:
        return value - 1;
    case 2:
        return -value;
    case 3:
        return next_random();
    default:
        return value;
    }
}

static void put_number(GByteArray *input)
{
    int width = 1 << pick(4), i;
    uint64_t value = pick_number(width);
    size_t at;

    if (input->len < width) {
        return;
    }
    at = pick(input->len - width + 1);
    if (pick(4)) {
        at -= at % width;
    }
    for (i = 0; i < width; i++) {
        input->data[at + i] = value >> (8 * (width - 1 - i));
    }
}

static void insert(GByteArray *input, size_t at, const uint8_t *data,
                   size_t size)
{
    size_t tail = input->len - at;

    if (input->len + size > MAX_SIZE) {
        return;
    }
    g_byte_array_set_size(input, input->len + size);
    memmove(input->data + at + size, input->data + at, tail);
    memcpy(input->data + at, data, size);
}

/* A piece of any seed, over what is there or in between. */
static void put_piece(GByteArray *input)
{
    const Seed *from = &g_array_index(seeds, Seed, pick(seeds->len));
    size_t size, start, at = pick(input->len + 1);

    if (!from->size) {
        return;
    }
    start = pick(from->size);
    size = 1 + pick(MIN(from->size - start, 512));
    if (pick(2)) {
        insert(input, at, from->data + start, size);
    } else {
        memcpy(input->data + at, from->data + start,
               MIN(size, input->len - at));
    }
}

static void change(GByteArray *input)
{
    uint8_t byte = next_random() >> 32;
    size_t at = pick(input->len + 1);

    switch (pick(8)) {
    case 0:
        insert(input, at, &byte, 1);
        break;
    case 1:
        put_piece(input);
        break;
    case 2:
        if (at < input->len) {
            g_byte_array_remove_range(input, at,
                                      1 + pick(MIN(input->len - at, 64)));
        }
        break;
    case 3:
        if (!pick(4)) {
            g_byte_array_set_size(input, at);
        }
        break;
    case 4:
    case 5:
        if (at < input->len) {
            input->data[at] ^= 1 << pick(8);
        }
        break;
    default:
        put_number(input);
        break;
    }
}

/* ---- In the child ---- */

static void run_input(const uint8_t *data, size_t size, int number)
{
    /* sized to the byte, so that an access behind the end is seen */
    g_autofree uint8_t *copy = g_malloc(MAX(size, 1));

    memcpy(copy, data, size);
    progress->number = number;
    progress->size = size;
    memcpy(progress->data, data, size);
    __atomic_store_n(&progress->start, get_clock(), __ATOMIC_SEQ_CST);
    LLVMFuzzerTestOneInput(copy, size);
}

static void run_seed(const Seed *seed)
{
    int i;

    random_state = 0x9e3779b97f4a7c15ull;
    LLVMFuzzerInitialize(NULL, NULL);
    run_input(seed->data, seed->size, 0);
    for (i = 1; i <= made_per_seed; i++) {
        GByteArray *input = g_byte_array_sized_new(seed->size + 512);
        int steps = 1 + pick(MAX_STEPS);

        g_byte_array_append(input, seed->data, seed->size);
        while (steps--) {
            change(input);
        }
        run_input(input->data, input->len, i);
        g_byte_array_unref(input);
    }
}

/* ---- The runner ---- */

static void report(const Seed *seed, const char *what)
{
    g_autofree char *base = g_path_get_basename(seed->path);
    g_autofree char *name = g_strdup_printf("failed-%s-%d", base,
                                            progress->number);
    g_autofree char *path = g_build_filename(output, name, NULL);
    g_autofree char *shown = g_malloc(MAX_SHOWN);
    off_t size = lseek(printed, 0, SEEK_END);
    ssize_t n = pread(printed, shown, MAX_SHOWN, MAX(0, size - MAX_SHOWN));

    fwrite(shown, 1, MAX(0, n), stderr);
    fprintf(stderr, "%s, input %d: %s\n", seed->path, progress->number, what);
    if (g_file_set_contents(path, (char *)progress->data, progress->size,
                            NULL)) {
        fprintf(stderr, "written to %s\n", path);
    }
}

/* Wait for the end of @pid, which is killed if it hangs. */
static int wait_child(pid_t pid, struct rusage *usage, bool *hangs)
{
    const struct timespec second = { .tv_sec = 1 };
    sigset_t set;
    int status;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    while (wait4(pid, &status, WNOHANG, usage) == 0) {
        int64_t start = __atomic_load_n(&progress->start, __ATOMIC_SEQ_CST);

        if (get_clock() - start > max_seconds * NANOSECONDS_PER_SECOND) {
            *hangs = true;
            kill(pid, SIGKILL);
            wait4(pid, &status, 0, usage);
            break;
        }
        sigtimedwait(&set, NULL, &second);
    }
    return status;
}

static bool run_child(const Seed *seed)
{
    struct rusage usage = { 0 };
    bool hangs = false;
    int status;
    pid_t pid;

    progress->start = get_clock();
    progress->number = 0;
    progress->size = 0;
    g_assert_cmpint(ftruncate(printed, 0), ==, 0);
    g_assert_cmpint(lseek(printed, 0, SEEK_SET), ==, 0);
    pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (!pid) {
        dup2(printed, STDERR_FILENO);
        run_seed(seed);
        exit(0);
    }
    status = wait_child(pid, &usage, &hangs);
    if (hangs) {
        report(seed, "takes too long");
    } else if (WIFSIGNALED(status)) {
        report(seed, strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status)) {
        report(seed, "a sanitizer's report, see above; a leak is in this "
               "input or an earlier one");
    } else if (usage.ru_maxrss / 1024 > max_mib) {
        report(seed, "too much memory in this input or an earlier one");
    } else {
        return true;
    }
    return false;
}

static int by_path(gconstpointer a, gconstpointer b)
{
    return strcmp(((const Seed *)a)->path, ((const Seed *)b)->path);
}

static void add_seeds(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    Seed seed = { 0 };
    GError *err = NULL;
    const char *name;

    if (dir) {
        while ((name = g_dir_read_name(dir))) {
            g_autofree char *file = g_build_filename(path, name, NULL);

            add_seeds(file);
        }
        g_dir_close(dir);
        return;
    }
    if (!g_file_get_contents(path, (char **)&seed.data, &seed.size, &err)) {
        fprintf(stderr, "%s\n", err->message);
        exit(2);
    }
    if (seed.size > MAX_SIZE) {
        fprintf(stderr, "%s: more than %d bytes\n", path, MAX_SIZE);
        exit(2);
    }
    seed.path = g_strdup(path);
    g_array_append_val(seeds, seed);
}

static void clear_seed(gpointer p)
{
    Seed *seed = p;

    g_free(seed->path);
    g_free(seed->data);
}

static bool parse_options(int argc, char **argv)
{
    int opt;

    while ((opt = getopt(argc, argv, "m:n:o:t:")) != -1) {
        switch (opt) {
        case 'm':
            max_mib = atoi(optarg);
            break;
        case 'n':
            made_per_seed = atoi(optarg);
            break;
        case 'o':
            output = optarg;
            break;
        case 't':
            max_seconds = atoi(optarg);
            break;
        default:
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    int i, failed = 0;
    sigset_t set;

    seeds = g_array_new(false, false, sizeof(Seed));
    g_array_set_clear_func(seeds, clear_seed);
    if (!parse_options(argc, argv)) {
        return 2;
    }
    for (i = optind; i < argc; i++) {
        add_seeds(argv[i]);
    }
    if (!seeds->len) {
        fprintf(stderr, "no seeds\n");
        return 2;
    }
    g_array_sort(seeds, by_path);
    progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(progress != MAP_FAILED);
    printed = memfd_create("printed", MFD_CLOEXEC);
    g_assert_cmpint(printed, >=, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);

    printf("1..%u\n", seeds->len);
    for (i = 0; i < seeds->len; i++) {
        const Seed *seed = &g_array_index(seeds, Seed, i);
        bool good;

        fflush(stdout);
        good = run_child(seed);
        printf("%sok %d %s\n", good ? "" : "not ", i + 1, seed->path);
        failed += !good;
    }
    g_array_unref(seeds);
    return failed != 0;
}
