/*
 * SPDX-License-Identifier: MIT
 *
 * What the kinds of character devices consist of.
 */
#ifndef CHARDEV_INTERNAL_H
#define CHARDEV_INTERNAL_H

#include "chardev/char.h"
#include "chardev/char-fe.h"
#include "qemu/option.h"

/* Most bytes that are read in one go. */
enum { CHR_READ_BUF_LEN = 4096 };

/*
 * All but @name and @size are optional.  Main thread, except for
 * @write and what @update_read_handler installs.
 */
struct ChardevClass {
    const char *name;
    size_t size;
    /* Options to a backend, whose type is set. */
    bool (*parse)(QemuOpts *opts, ChardevBackend *backend, Error **errp);
    /* Sets up @chr; on success *be_opened tells whether a peer is there. */
    bool (*open)(Chardev *chr, ChardevBackend *backend, bool *be_opened,
                 Error **errp);
    /* Any thread, write_lock held: bytes written, or -1 with errno. */
    int (*write)(Chardev *chr, const uint8_t *buf, int len);
    /* The descriptor to wait for when @write gave EAGAIN; -1: none. */
    int (*write_fd)(Chardev *chr);
    /* The user, its handlers or gcontext changed, or it accepts input. */
    void (*update_read_handler)(Chardev *chr);
    void (*disconnect)(Chardev *chr);
    /* See qemu_chr_fe_get_msgfd(). */
    int (*get_msgfd)(Chardev *chr);
    void (*set_echo)(Chardev *chr, bool echo);
    void (*finalize)(Chardev *chr);
};

extern const ChardevClass char_file_class;
extern const ChardevClass char_null_class;
extern const ChardevClass char_pipe_class;
extern const ChardevClass char_pty_class;
extern const ChardevClass char_ringbuf_class;
extern const ChardevClass char_socket_class;
extern const ChardevClass char_stdio_class;

/* Whether the user reads at all, and how much it takes now. */
bool qemu_chr_be_has_reader(Chardev *chr);
int qemu_chr_be_can_write(Chardev *chr);
/* Input for the user. */
void qemu_chr_be_write(Chardev *chr, const uint8_t *buf, int len);
/* Tells the user; main thread. */
void qemu_chr_be_event(Chardev *chr, QEMUChrEvent event);

void qemu_chr_parse_common(QemuOpts *opts, ChardevCommon *backend);

/*
 * Input from a descriptor.  The source is there while the user wants input;
 * its thread removes it when the user does not, or at the end of input, which
 * it reports to the main thread.
 */
typedef struct ChardevInput {
    Chardev *chr;
    int fd;                     /* -1: none */
    bool is_socket;
    /* Main thread: no more input comes.  @eof runs there. */
    void (*eof)(Chardev *chr);
    QemuMutex lock;             /* for what follows */
    GSource *source;
    bool at_eof;
    unsigned generation;        /* counts starts and stops */
    GSource *eof_source;        /* the latest report */
    int msgfd;                  /* came with the input, -1: none */
} ChardevInput;

void chardev_input_init(ChardevInput *in, Chardev *chr,
                        void (*eof)(Chardev *chr));
/* Reads from @fd from now on, if the user wants that. */
void chardev_input_start(ChardevInput *in, int fd, bool is_socket);
/* The user or its wishes changed. */
void chardev_input_update(ChardevInput *in);
/* The descriptor that came last, which is the caller's then; -1: none. */
int chardev_input_take_msgfd(ChardevInput *in);
/* Main thread; afterwards nobody touches the descriptor. */
void chardev_input_stop(ChardevInput *in);
void chardev_input_destroy(ChardevInput *in);

/* Output: writes what goes at once into whatever kind of file @fd is. */
int chardev_fd_write(int fd, const uint8_t *buf, int len);

/* A device that consists of two descriptors. */
typedef struct FDChardev {
    Chardev parent;
    ChardevInput input;
    int fd_in, fd_out;          /* -1: none */
} FDChardev;

/* Takes over the descriptors, which may be the same. */
void qemu_chr_open_fd(Chardev *chr, int fd_in, int fd_out);
int fd_chr_write(Chardev *chr, const uint8_t *buf, int len);
int fd_chr_write_fd(Chardev *chr);
void fd_chr_update_read_handler(Chardev *chr);
void fd_chr_finalize(Chardev *chr);

#endif /* CHARDEV_INTERNAL_H */
