/* The floor: one thread, one epoll, no parsing.
 *
 * Usage: echo SOCKET REQUEST_BYTES VALUE_BYTES
 *
 * Every request is known to be REQUEST_BYTES long, so that the bytes received, divided by that length, are the requests
 * received. Each is answered by the same bulk string of VALUE_BYTES bytes. What a server costs beyond this loop is its
 * own work; what this loop costs is the kernel's price of the sockets.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS = 256, INPUT_BYTES = 16384, MAX_DESCRIPTORS = 65536 };

static size_t request_bytes;
static char *replies; /* as many equal replies as one read can bring requests */
static size_t reply_bytes;
static size_t begun[MAX_DESCRIPTORS]; /* bytes of a request that is not yet whole, by file descriptor */

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "socket path too long: %s\n", path);
        exit(1);
    }
    strcpy(address.sun_path, path);
    unlink(path); /* of one that ran before */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket");
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(listener, 4096) < 0) die("listen");
    return listener;
}

static void prepare_replies(size_t value_bytes) {
    char head[32];
    size_t head_bytes = (size_t)snprintf(head, sizeof head, "$%zu\r\n", value_bytes);
    size_t most = INPUT_BYTES / request_bytes + 1;
    reply_bytes = head_bytes + value_bytes + 2;
    replies = malloc(most * reply_bytes);
    if (!replies) die("malloc");
    for (size_t i = 0; i < most; i++) {
        char *reply = replies + i * reply_bytes;
        memcpy(reply, head, head_bytes);
        memset(reply + head_bytes, 'x', value_bytes);
        memcpy(reply + head_bytes + value_bytes, "\r\n", 2);
    }
}

/* False when the client is gone. A client that does not read holds up all others: this is a floor, not a server. */
static int send_replies(int client, size_t count) {
    size_t sent = 0, all = count * reply_bytes;
    while (sent < all) {
        ssize_t n = send(client, replies + sent, all - sent, MSG_NOSIGNAL);
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = client, .events = POLLOUT};
            poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return 0;
        }
    }
    return 1;
}

static void accept_all(int epoll, int listener) {
    int client;
    while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (client >= MAX_DESCRIPTORS) {
            close(client);
            continue;
        }
        begun[client] = 0;
        /* Told once of what comes: all of it is read then. The cheapest way there is. */
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = client};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event) < 0) die("epoll_ctl");
    }
}

static void answer(int client, int has_ended) {
    static char input[INPUT_BYTES];
    ssize_t n;
    do {
        n = read(client, input, sizeof input);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            close(client);
            return;
        }
        size_t bytes = begun[client] + (size_t)n;
        begun[client] = bytes % request_bytes;
        if (bytes >= request_bytes && !send_replies(client, bytes / request_bytes)) {
            close(client);
            return;
        }
    } while (n == sizeof input || has_ended);
}

int main(int argc, char **argv) {
    if (argc != 4 || (request_bytes = strtoul(argv[2], NULL, 10)) == 0) {
        fprintf(stderr, "usage: %s SOCKET REQUEST_BYTES VALUE_BYTES\n", argv[0]);
        return 2;
    }
    prepare_replies(strtoul(argv[3], NULL, 10));
    int listener = listen_at(argv[1]);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("epoll_create1");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) die("epoll_ctl");
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer(events[i].data.fd, events[i].events & EPOLLHUP);
        }
    }
}
