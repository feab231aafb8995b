/* An observer inside any client: stands between the program and the C library (LD_PRELOAD), and notes for each request when the
 * program gave it to the kernel, and when the kernel had given the first bytes of its reply to the program.
 *
 * Environment: OBSERVE_SOCKET, the Unix socket whose connections are observed, and OBSERVE_SAMPLES, the file to write.
 *
 * It is for clients that ask one by one: a connection's next request comes after its reply.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "samples.h"

enum { MAX_DESCRIPTORS = 65536 };

static int (*real_connect)(int, const struct sockaddr *, socklen_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_read)(int, void *, size_t);

static const char *observed;
static struct samples *samples;
static _Atomic int64_t connections;
/* By descriptor. One thread at a time uses a connection, so plain fields do. */
static int64_t connection_of[MAX_DESCRIPTORS]; /* 0: not observed */
static int64_t asked_at[MAX_DESCRIPTORS];      /* 0: no request on its way */

/* Others' constructors may write before this one ran, so each call looks for itself. */
static void find_all(void) {
    *(void **)&real_connect = dlsym(RTLD_NEXT, "connect");
    *(void **)&real_send = dlsym(RTLD_NEXT, "send");
    *(void **)&real_recv = dlsym(RTLD_NEXT, "recv");
    *(void **)&real_read = dlsym(RTLD_NEXT, "read");
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
}

__attribute__((constructor)) static void begin(void) {
    if (!real_write) find_all();
    const char *path = getenv("OBSERVE_SAMPLES");
    observed = getenv("OBSERVE_SOCKET");
    if (observed && path) samples = samples_at(path);
}

static int is_observed(int descriptor) {
    return descriptor >= 0 && descriptor < MAX_DESCRIPTORS && connection_of[descriptor] != 0;
}

int connect(int descriptor, const struct sockaddr *address, socklen_t length) {
    if (!real_write) find_all();
    int result = real_connect(descriptor, address, length);
    int failure = errno;
    if (descriptor >= 0 && descriptor < MAX_DESCRIPTORS) {
        const struct sockaddr_un *local = (const struct sockaddr_un *)address;
        int ours = samples && address->sa_family == AF_UNIX && strcmp(local->sun_path, observed) == 0;
        connection_of[descriptor] = ours ? atomic_fetch_add(&connections, 1) + 1 : 0;
        asked_at[descriptor] = 0;
    }
    errno = failure;
    return result;
}

static void will_send(int descriptor) {
    if (is_observed(descriptor) && asked_at[descriptor] == 0) asked_at[descriptor] = nanoseconds_now();
}

static void did_receive(int descriptor, ssize_t count) {
    if (count <= 0 || !is_observed(descriptor) || asked_at[descriptor] == 0) return;
    samples_add(samples, asked_at[descriptor], nanoseconds_now(), connection_of[descriptor]);
    asked_at[descriptor] = 0;
}

ssize_t send(int descriptor, const void *bytes, size_t count, int flags) {
    if (!real_write) find_all();
    will_send(descriptor);
    return real_send(descriptor, bytes, count, flags);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    if (!real_write) find_all();
    will_send(descriptor);
    return real_write(descriptor, bytes, count);
}

ssize_t recv(int descriptor, void *bytes, size_t count, int flags) {
    if (!real_write) find_all();
    ssize_t received = real_recv(descriptor, bytes, count, flags);
    did_receive(descriptor, received);
    return received;
}

ssize_t read(int descriptor, void *bytes, size_t count) {
    if (!real_write) find_all();
    ssize_t received = real_read(descriptor, bytes, count);
    did_receive(descriptor, received);
    return received;
}
