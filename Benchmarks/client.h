/* What the load generators share: ending with a reason, a seeded random sequence, a number's digits, a connection. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { MAX_PREFIX = 200, MAX_DIGITS = 20 };

static inline void die(const char *what) {
    perror(what);
    exit(2);
}

static inline void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(2);
}

static inline void fail_with_line(const char *what, const char *line, size_t bytes) {
    int shown = (int)(bytes > 200 ? 200 : bytes);
    fprintf(stderr, "%s: %s: %.*s\n", program_invocation_short_name, what, shown, line);
    exit(2);
}

/* splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static inline uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Writes the number's digits, padded with zeros to `width`, and returns where they end. */
static inline char *put_number(char *at, uint64_t number, size_t width) {
    char digits[MAX_DIGITS];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count < width && count < MAX_DIGITS) digits[count++] = '0';
    while (count > 0) *at++ = digits[--count];
    return at;
}

static inline int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) fail("socket path too long");
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) die("socket");
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) die("connect");
    return descriptor;
}
