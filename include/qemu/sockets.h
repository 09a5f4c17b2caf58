/*
 * SPDX-License-Identifier: MIT
 *
 * Stream sockets by QAPI address.  All descriptors are close-on-exec.
 */
#ifndef QEMU_SOCKETS_H
#define QEMU_SOCKETS_H

#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/un.h>
#include "qapi/qapi-types-sockets.h"

/* qemu_socket() is in osdep.h. */
int qemu_accept(int s, struct sockaddr *addr, socklen_t *addrlen);

/* Turns off the delay of small packets; 0 or -1 with errno. */
int socket_set_nodelay(int fd);

void qemu_socket_set_nonblock(int fd);
void qemu_socket_set_block(int fd);

/*
 * A connected socket, or -1 with @errp.  Waits for the connection and, for
 * host names, for the answer of the resolver; any thread.
 */
int socket_connect(SocketAddress *addr, Error **errp);

/*
 * The same for what can be told at once: a local socket that is not being
 * served just now is an error.
 */
int socket_connect_nowait(SocketAddress *addr, Error **errp);

/*
 * A listening socket with room for @num waiting connections, or -1 with
 * @errp.  An old socket file is replaced.
 */
int socket_listen(SocketAddress *addr, int num, Error **errp);

/* Removes the file of a local listening socket. */
void socket_listen_cleanup(SocketAddress *addr);

/* Addresses of both ends; NULL with @errp.  The caller frees them. */
SocketAddress *socket_local_address(int fd, Error **errp);
SocketAddress *socket_remote_address(int fd, Error **errp);

/* The same address in the new form; the caller frees it. */
SocketAddress *socket_address_flatten(SocketAddressLegacy *addr);

/*
 * "HOST:PORT[,to=N][,ipv4=on|off][,ipv6=on|off]" with the host empty or in
 * brackets if it contains colons; NULL with @errp.
 */
InetSocketAddress *inet_parse(const char *str, Error **errp);

/*
 * Descriptors that go by names and not by numbers: @take gives one away, or
 * returns -1, with @errp if @name ought to be one and is not.
 */
void socket_set_named_fd_hook(int (*take)(const char *name, Error **errp));

#endif /* QEMU_SOCKETS_H */
