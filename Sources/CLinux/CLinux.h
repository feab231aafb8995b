// The Linux calls and constants that Swift's Glibc module leaves out. No logic.
#pragma once
// Without _GNU_SOURCE: with it, types such as fd_set would differ from those in Swift's own Glibc module.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

// Function-like macros and flags that the importer cannot read.
static const uint32_t pgs_epollin = EPOLLIN;
static const uint32_t pgs_epollout = EPOLLOUT;
static const uint32_t pgs_epollerr = EPOLLERR;
static const uint32_t pgs_epollhup = EPOLLHUP;
static const uint32_t pgs_epollpri = EPOLLPRI;
static const uint32_t pgs_epollrdhup = EPOLLRDHUP;

// epoll_event is packed on x86-64; setting its union from Swift is clumsy, so these two do.
static inline struct epoll_event pgs_epoll_event(uint32_t events, uint64_t data) {
    struct epoll_event event;
    event.events = events;
    event.data.u64 = data;
    return event;
}
static inline uint64_t pgs_epoll_data(const struct epoll_event *event) { return event->data.u64; }

// A GNU extension, declared here by its manual page.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
static inline int pgs_accept(int listener) {
    return accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// recv(2) and send(2) as the kernel has them. The C library's functions of these names also make the thread cancellable for as
// long as they last, by two atomic operations; nothing here is ever cancelled (pthread_setcanceltype(3)). Return -1 with errno set.
static inline ssize_t pgs_recv(int socket, void *bytes, size_t count) {
    return syscall(SYS_recvfrom, socket, bytes, count, MSG_DONTWAIT, 0L, 0L);
}
static inline ssize_t pgs_send(int socket, const void *bytes, size_t count) {
    return syscall(SYS_sendto, socket, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, 0L, 0L);
}

// Clients of a Unix socket can pass descriptors along with their bytes, and a systemd unit can have the sender's credentials come
// with them; recv(2) ends at these, whatever is behind. The first refuses them to all who connect to `listener` from now on, as far
// as the kernel can; the second tells whether a client's socket never took any. SO_PASSPIDFD came with Linux 6.5 and
// SO_PASSRIGHTS with 6.16; their numbers are not in older headers.
enum { pgs_passpidfd = 76, pgs_passrights = 83 };
static inline void pgs_take_bytes_alone(int listener) {
    const int no = 0;
    setsockopt(listener, SOL_SOCKET, pgs_passrights, &no, sizeof no);
    setsockopt(listener, SOL_SOCKET, pgs_passpidfd, &no, sizeof no);
    setsockopt(listener, SOL_SOCKET, SO_PASSCRED, &no, sizeof no);
}
// -1 where there is no such option.
static inline int pgs_socket_option(int socket, int option) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(socket, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}
static inline _Bool pgs_takes_bytes_alone(int socket) {
    return pgs_socket_option(socket, pgs_passrights) == 0 && pgs_socket_option(socket, pgs_passpidfd) == 0
        && pgs_socket_option(socket, SO_PASSCRED) == 0;
}

// memmem(3), an extension too: where `needle` begins first, or null. Linear time.
extern void *memmem(const void *, unsigned long, const void *, unsigned long);
static inline const void *pgs_find(
    const void *haystack, unsigned long length, const void *needle, unsigned long count) {
    return memmem(haystack, length, needle, count);
}

// struct ucred by its manual page unix(7), also an extension. Returns 0, or -1 with errno set.
static inline int pgs_peer_credentials(int socket, uint32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct { int32_t pid; uint32_t uid; uint32_t gid; } credentials;
    socklen_t length = sizeof(credentials);
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    *pid = (uint32_t)credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

// What malloc has handed out, of all arenas, and what it has mapped for large blocks.
#include <malloc.h>
static inline uint64_t pgs_allocated_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (uint64_t)info.uordblks + (uint64_t)info.hblkhd;
}

// Processors that this process may run on, by sched_getaffinity(2), whose wrapper is another extension; 1 when the kernel
// does not say.
static inline int pgs_processor_count(void) {
    unsigned long mask[64] = {0};
    int count = 0;
    if (syscall(SYS_sched_getaffinity, 0, sizeof mask, mask) <= 0) return 1;
    for (size_t word = 0; word < sizeof mask / sizeof *mask; word++) count += __builtin_popcountl(mask[word]);
    return count;
}

// Closes every descriptor from `first` on in the child; an extension of posix_spawn(3) in glibc 2.34.
// (Without <spawn.h>, whose types Swift has from its own module.)
extern int posix_spawn_file_actions_addclosefrom_np(void *, int);
static inline int pgs_close_from(void *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

// environ(7), a variable that Swift takes for unsafe among threads; nothing here changes it.
extern char **environ;
static inline char **pgs_environment(void) { return environ; }

