/* A server whose answers take a known time: passes requests on to another, and each reply back when its time has come.
 *
 * Usage: delay SOCKET UPSTREAM SAMPLES LEAST MOST
 *
 * A reply leaves no sooner than its delay after its request came. Delays are between LEAST and MOST microseconds, evenly on a
 * logarithmic scale, by the golden ratio's sequence: any some hundreds of them in a row have nearly the same percentiles. SAMPLES
 * gets when each request came and when its reply was sent, which is later where the upstream or the processor was.
 *
 * It is for clients that ask one by one. Of those that pipeline, all that came while the first was held goes back with it.
 */
#define _GNU_SOURCE
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "client.h"
#include "samples.h"

enum { MAX_CONNECTIONS = 256, HELD_BYTES = 1 << 16 };

struct connection {
    int client, upstream;
    int64_t number;
    int64_t came; /* when the request came that has no reply yet; 0: none */
    int64_t due;  /* when what is held may go */
    size_t held;
    char reply[HELD_BYTES];
};

static struct connection connections[MAX_CONNECTIONS];
static struct pollfd watched[1 + 2 * MAX_CONNECTIONS];
static size_t count;
static struct samples *samples;
static double least, most;

static int64_t next_delay(void) {
    static double at;
    at = fmod(at + 0.6180339887498949, 1);
    return (int64_t)(1000 * least * pow(most / least, at));
}

/* Requests and replies are small and asked for one by one, so a socket always has room for one. */
static int pass_on(int descriptor, const char *bytes, size_t size) {
    return send(descriptor, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void take_on(int listener, const char *upstream) {
    static int64_t number;
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) die("accept4");
    if (count == MAX_CONNECTIONS) fail("too many connections");
    struct connection *made = &connections[count++];
    made->client = client;
    made->upstream = connect_to(upstream);
    made->number = ++number;
    made->came = made->due = 0;
    made->held = 0;
}

/* False at the connection's end. */
static int take_request(struct connection *one) {
    char bytes[HELD_BYTES];
    ssize_t size = recv(one->client, bytes, sizeof bytes, 0);
    if (size <= 0) return 0;
    if (one->came == 0) {
        one->came = nanoseconds_now();
        one->due = one->came + next_delay();
    }
    return pass_on(one->upstream, bytes, (size_t)size);
}

static int take_reply(struct connection *one) {
    if (one->held == HELD_BYTES) fail("a reply is too long to be held");
    ssize_t size = recv(one->upstream, one->reply + one->held, HELD_BYTES - one->held, 0);
    if (size <= 0) return 0;
    one->held += (size_t)size;
    return 1;
}

static int send_what_is_due(struct connection *one, int64_t now) {
    if (one->held == 0 || one->due > now) return 1;
    size_t size = one->held;
    if (one->came) samples_add(samples, one->came, nanoseconds_now(), one->number);
    one->came = 0;
    one->held = 0;
    return pass_on(one->client, one->reply, size);
}

static int64_t next_due(void) {
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < count; i++)
        if (connections[i].held && connections[i].due < next) next = connections[i].due;
    return next;
}

static void wait_for_any(int listener) {
    watched[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (size_t i = 0; i < count; i++) {
        watched[1 + 2 * i] = (struct pollfd){.fd = connections[i].client, .events = POLLIN};
        watched[2 + 2 * i] = (struct pollfd){.fd = connections[i].upstream, .events = POLLIN};
    }
    int64_t due = next_due(), now = nanoseconds_now(), wait = due > now ? due - now : 0;
    struct timespec patience = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
    if (ppoll(watched, 1 + 2 * count, due == INT64_MAX ? NULL : &patience, NULL) < 0 && errno != EINTR) die("ppoll");
}

int main(int argc, char **argv) {
    if (argc != 6 || (least = atof(argv[4])) <= 0 || (most = atof(argv[5])) < least) {
        fprintf(stderr, "usage: %s SOCKET UPSTREAM SAMPLES LEAST MOST\n", argv[0]);
        return 2;
    }
    if (!(samples = samples_at(argv[3]))) die(argv[3]);
    prctl(PR_SET_TIMERSLACK, 1UL);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(argv[1]) >= sizeof address.sun_path) fail("socket path too long");
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket");
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
    if (listen(listener, 512) < 0) die("listen");
    for (;;) {
        wait_for_any(listener);
        int64_t now = nanoseconds_now();
        /* From the last on, so that the last can take the place of one that ended. */
        for (size_t i = count; i-- > 0;) {
            struct connection *one = &connections[i];
            int goes_on = 1;
            if (watched[1 + 2 * i].revents) goes_on = take_request(one);
            if (goes_on && watched[2 + 2 * i].revents) goes_on = take_reply(one);
            if (goes_on) goes_on = send_what_is_due(one, now);
            if (!goes_on) {
                close(one->client);
                close(one->upstream);
                *one = connections[--count];
            }
        }
        if (watched[0].revents) take_on(listener, argv[2]);
    }
}
