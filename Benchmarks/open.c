/* An open load: GETs that come by a schedule, whether or not the last was answered.
 *
 * The arrivals are a Poisson process drawn before the run: each has its time, its connection and its key. A request
 * leaves at its time, also while others of its connection are still unanswered, and its latency runs from the time that
 * the schedule named, so that what waits because something before it was slow is counted as waiting. One thread spins
 * over the clock and epoll on a core of its own, so that no waking of the client is in what it measures; it allocates
 * nothing while it does. How late the requests left is its own part in the latencies and is told beside them.
 *
 * Prints one line of JSON, times in microseconds. Exits 2 when it could not run. With -i it prints `ready` and waits for
 * a line before the schedule begins, and for another before its connections close: in between nothing but the schedule
 * is on the server's account.
 */
#define _GNU_SOURCE
#include <math.h>
#include <sched.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { EVENTS = 64, INPUT_BYTES = 16384, REQUEST_BYTES = MAX_PREFIX + MAX_DIGITS + 64, MAX_CONNECTIONS = 10000 };

/* How long a part of the schedule is that has a p99 of its own, in seconds, and how many arrivals that are at least. */
static const double WINDOW = 0.05;
enum { WINDOW_LEAST = 100 };

static const char *usage =
    "usage: open -s SOCKET -p PREFIX -r RATE -n ARRIVALS -k KEYS [options]\n"
    "  -s PATH      Unix socket to ask\n"
    "  -p PREFIX    what a key begins with; its number follows\n"
    "  -r RATE      arrivals a second\n"
    "  -n ARRIVALS  how many there are\n"
    "  -k KEYS      keys are drawn from the numbers FIRST to FIRST+KEYS-1\n"
    "  -o FIRST     the first number (0)\n"
    "  -w DIGITS    pad the number with zeros to this width (0: no padding)\n"
    "  -u           ask the numbers in their order, each once, and draw none\n"
    "  -c N         connections (50)\n"
    "  -C CORE      the core to run on (-1: any)\n"
    "  -t SECONDS   how long to wait for replies after the last arrival (10)\n"
    "  -i           wait for a line of input before the schedule begins, and after it ended\n"
    "  -S SEED      of the schedule (1)\n";

static struct {
    const char *socket_path, *prefix;
    double rate;
    uint64_t arrivals, keys, first, seed, patience;
    size_t width, connections;
    int core, in_order, waits;
} options = {.seed = 1, .connections = 50, .patience = 10, .core = -1};

/* One request of the schedule. Times are nanoseconds since the schedule began. */
struct arrival {
    uint64_t due, sent, answered;
    uint32_t key, connection;
};

struct connection {
    int descriptor;
    uint32_t *mine;                /* its arrivals, in their order, which is that of the replies */
    size_t due, sent, answered;    /* how many of them are past their time, sent, and answered */
    char request[REQUEST_BYTES];   /* the one that is being sent; only its key's digits differ from the last */
    size_t request_sent;           /* bytes of it that were sent, when the socket did not take them all */
    size_t input_end;              /* bytes at the front of `input` that are not yet parsed */
    size_t skip;                   /* bytes of the current value, its line end included, still to come */
    int held_up;                   /* it stands in the list of those with something due and not sent */
    char input[INPUT_BYTES];
};

static struct arrival *schedule;
static struct connection *all;
static uint32_t *held_up;          /* connections whose socket took no more */
static size_t held_up_count;
static uint64_t answered, nils, errors;
static char first_error[256];
static size_t digits_at, request_bytes;
static struct timespec began;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)(now.tv_sec - began.tv_sec) * 1000000000u + (uint64_t)now.tv_nsec - (uint64_t)began.tv_nsec;
}

/* MARK: before the run */

/* A number above 0 and at most 1. */
static double random_fraction(uint64_t *state) { return (double)((random_next(state) >> 11) + 1) * 0x1p-53; }

static void draw_schedule(void) {
    schedule = calloc(options.arrivals, sizeof *schedule);
    uint32_t *order = malloc(options.arrivals * sizeof *order);
    if (!schedule || !order) die("malloc");
    uint64_t state = options.seed;
    double at = 0;
    for (uint64_t i = 0; i < options.arrivals; i++) {
        at += -log(random_fraction(&state)) / options.rate * 1e9;
        struct arrival *a = &schedule[i];
        a->due = (uint64_t)at;
        a->connection = (uint32_t)(random_next(&state) % options.connections);
        a->key = (uint32_t)(options.in_order ? i % options.keys : random_next(&state) % options.keys);
        all[a->connection].due++;
    }
    for (size_t c = 0, start = 0; c < options.connections; c++) {
        all[c].mine = order + start;
        start += all[c].due;
        all[c].due = 0;
    }
    for (uint64_t i = 0; i < options.arrivals; i++) {
        struct connection *c = &all[schedule[i].connection];
        c->mine[c->due++] = (uint32_t)i;
    }
    for (size_t c = 0; c < options.connections; c++) all[c].due = 0;
}

/* The digits have one width, or the head of the request would differ from key to key. */
static size_t digits_of_keys(void) {
    char digits[MAX_DIGITS];
    return (size_t)(put_number(digits, options.first + options.keys - 1, options.width) - digits);
}

static void prepare_request(char *request) {
    size_t digits = digits_of_keys(), prefix = strlen(options.prefix);
    digits_at = (size_t)sprintf(request, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s", prefix + digits, options.prefix);
    put_number(request + digits_at, options.first, digits);
    strcpy(request + digits_at + digits, "\r\n");
    request_bytes = digits_at + digits + 2;
}

static void open_all(int epoll) {
    all = calloc(options.connections, sizeof *all);
    held_up = calloc(options.connections, sizeof *held_up);
    if (!all || !held_up) die("malloc");
    for (size_t i = 0; i < options.connections; i++) {
        struct connection *c = &all[i];
        c->descriptor = connect_to(options.socket_path);
        memset(c->input, 0, sizeof c->input); /* every page is there before the run */
        prepare_request(c->request);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->descriptor, &event) < 0) die("epoll_ctl");
    }
}

/* Each connection is accepted and answered once before the schedule begins: the floor knows requests of one length only,
 * and keys that are asked once are not asked before. */
static void greet_all(void) {
    const char *greeting = options.in_order ? "PING\r\n" : all[0].request;
    for (size_t i = 0; i < options.connections; i++) {
        char reply[128];
        if (send(all[i].descriptor, greeting, strlen(greeting), MSG_NOSIGNAL) < 0) die("send");
        ssize_t n = recv(all[i].descriptor, reply, sizeof reply, 0);
        if (n <= 0) fail("the server closed a connection");
        if (reply[0] == '-') fail_with_line("the server answered", reply, (size_t)n);
    }
}

/* MARK: the run */

/* Sends what is due on a connection, in order; puts it into the list when its socket takes no more. */
static void send_due(uint32_t index) {
    struct connection *c = &all[index];
    while (c->sent < c->due) {
        struct arrival *a = &schedule[c->mine[c->sent]];
        if (c->request_sent == 0)
            put_number(c->request + digits_at, options.first + a->key, request_bytes - digits_at - 2);
        a->sent = now_ns();
        ssize_t n = send(c->descriptor, c->request + c->request_sent, request_bytes - c->request_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) die("send");
        if (n > 0) c->request_sent += (size_t)n;
        if (c->request_sent < request_bytes) {
            if (!c->held_up) held_up[held_up_count++] = index;
            c->held_up = 1;
            return;
        }
        c->request_sent = 0;
        c->sent++;
    }
}

static void send_held_up(void) {
    size_t count = held_up_count;
    held_up_count = 0;
    for (size_t i = 0; i < count; i++) {
        all[held_up[i]].held_up = 0;
        send_due(held_up[i]);
    }
}

static void count_answer(struct connection *c, uint64_t now) {
    if (c->answered == c->sent) fail("a reply that nobody asked for");
    schedule[c->mine[c->answered++]].answered = now;
    answered++;
}

static void take_line(struct connection *c, const char *line, size_t bytes, uint64_t now) {
    if (line[0] == '$' && line[1] != '-') {
        c->skip = strtoul(line + 1, NULL, 10) + 2;
        return;
    }
    if (line[0] == '-') {
        size_t kept = bytes < sizeof first_error - 1 ? bytes : sizeof first_error - 1;
        if (errors++ == 0) memcpy(first_error, line, kept);
    } else if (line[0] == '$' || line[0] == '_') {
        nils++;
    } else {
        fail_with_line("unexpected reply", line, bytes);
    }
    count_answer(c, now);
}

static void take_input(struct connection *c, uint64_t now) {
    size_t at = 0;
    for (;;) {
        if (c->skip > 0) {
            size_t here = c->input_end - at < c->skip ? c->input_end - at : c->skip;
            c->skip -= here;
            at += here;
            if (c->skip > 0) break;
            count_answer(c, now);
            continue;
        }
        char *end = memchr(c->input + at, '\n', c->input_end - at);
        if (!end) break;
        size_t bytes = (size_t)(end - (c->input + at));
        if (bytes < 2 || end[-1] != '\r') fail("a reply line without CRLF");
        take_line(c, c->input + at, bytes - 1, now);
        at += bytes + 1;
    }
    memmove(c->input, c->input + at, c->input_end - at);
    c->input_end -= at;
    if (c->input_end == INPUT_BYTES) fail("a reply line that is too long");
}

static void receive(struct connection *c) {
    ssize_t n = recv(c->descriptor, c->input + c->input_end, INPUT_BYTES - c->input_end, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) die("recv");
    if (n == 0) fail("the server closed a connection");
    c->input_end += (size_t)n;
    take_input(c, now_ns());
}

/* One request at most between two looks at the replies, so that a backlog of one delays the other by little. */
static void run(int epoll) {
    uint64_t next = 0, give_up = schedule[options.arrivals - 1].due + options.patience * 1000000000u;
    clock_gettime(CLOCK_MONOTONIC, &began);
    while (answered < options.arrivals) {
        uint64_t now = now_ns();
        if (next < options.arrivals && schedule[next].due <= now) {
            uint32_t index = schedule[next++].connection;
            all[index].due++;
            if (!all[index].held_up) send_due(index);
        }
        if (held_up_count > 0) send_held_up();
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 0);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) receive(&all[events[i].data.u32]);
        if (now > give_up) return;
    }
}

/* MARK: the report */

static int by_size(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

/* By nearest rank, in microseconds. */
static double percentile(const uint64_t *sorted, size_t count, double fraction) {
    if (count == 0) return 0;
    size_t rank = (size_t)ceil(fraction * (double)count);
    return (double)sorted[rank > 0 ? rank - 1 : 0] / 1000;
}

/* The median of the p99 of each window, in microseconds; a part that is left at the end is not looked at. A machine that stops
 * for some milliseconds now and then has all of that in the windows where it did, and in no other, while what one request in
 * a hundred waits for in the server is in all. `latencies` has room for a window, `p99` for all of them. */
static double usual_p99(uint64_t *latencies, uint64_t *p99) {
    uint64_t inside = (uint64_t)(options.rate * WINDOW) > WINDOW_LEAST ? (uint64_t)(options.rate * WINDOW) : WINDOW_LEAST;
    size_t windows = 0;
    for (uint64_t first = 0; first + inside <= options.arrivals; first += inside) {
        size_t count = 0;
        for (uint64_t i = first; i < first + inside; i++)
            if (schedule[i].answered > 0) latencies[count++] = schedule[i].answered - schedule[i].due;
        qsort(latencies, count, sizeof *latencies, by_size);
        p99[windows++] = (uint64_t)(percentile(latencies, count, 0.99) * 1000);
    }
    qsort(p99, windows, sizeof *p99, by_size);
    return percentile(p99, windows, 0.5);
}

static void report(void) {
    uint64_t *latency = malloc(options.arrivals * sizeof *latency), *lag = malloc(options.arrivals * sizeof *lag);
    if (!latency || !lag) die("malloc");
    double usual = usual_p99(latency, lag);
    size_t answers = 0, sent = 0;
    for (uint64_t i = 0; i < options.arrivals; i++) {
        const struct arrival *a = &schedule[i];
        if (a->sent >= a->due && a->sent > 0) lag[sent++] = a->sent - a->due;
        if (a->answered > 0) latency[answers++] = a->answered - a->due;
    }
    qsort(latency, answers, sizeof *latency, by_size);
    qsort(lag, sent, sizeof *lag, by_size);
    for (char *c = first_error; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = '\'';
    /* Had one request in a hundred to wait for the generator so long that it shows, it has measured itself. */
    double late = percentile(lag, sent, 0.99), p99 = percentile(latency, answers, 0.99);
    int kept = sent == options.arrivals && late <= (p99 / 10 > 20 ? p99 / 10 : 20);
    printf("{\"arrivals\": %llu, \"answered\": %zu, \"nils\": %llu, \"errors\": %llu, \"first_error\": \"%s\", "
           "\"p50\": %.1f, \"p99\": %.1f, \"usual_p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f, "
           "\"late_p50\": %.1f, \"late_p99\": %.1f, \"late_max\": %.1f, \"kept_schedule\": %s}\n",
           (unsigned long long)options.arrivals, answers, (unsigned long long)nils, (unsigned long long)errors,
           first_error, percentile(latency, answers, 0.5), p99, usual, percentile(latency, answers, 0.999),
           percentile(latency, answers, 1), percentile(lag, sent, 0.5), late, percentile(lag, sent, 1),
           kept ? "true" : "false");
    fflush(stdout);
}

static void wait_for_line(void) {
    if (!options.waits) return;
    char line[64];
    if (!fgets(line, sizeof line, stdin)) exit(2);
}

static void read_options(int argc, char **argv) {
    int letter;
    while ((letter = getopt(argc, argv, "s:p:r:n:k:o:w:uc:C:t:iS:")) != -1) {
        switch (letter) {
        case 's': options.socket_path = optarg; break;
        case 'p': options.prefix = optarg; break;
        case 'r': options.rate = strtod(optarg, NULL); break;
        case 'n': options.arrivals = strtoull(optarg, NULL, 10); break;
        case 'k': options.keys = strtoull(optarg, NULL, 10); break;
        case 'o': options.first = strtoull(optarg, NULL, 10); break;
        case 'w': options.width = strtoul(optarg, NULL, 10); break;
        case 'u': options.in_order = 1; break;
        case 'c': options.connections = strtoul(optarg, NULL, 10); break;
        case 'C': options.core = atoi(optarg); break;
        case 't': options.patience = strtoull(optarg, NULL, 10); break;
        case 'i': options.waits = 1; break;
        case 'S': options.seed = strtoull(optarg, NULL, 10); break;
        default: fputs(usage, stderr); exit(2);
        }
    }
    int in_bounds = options.rate > 0 && options.arrivals > 0 && options.arrivals <= UINT32_MAX && options.keys > 0 &&
                    options.keys <= UINT32_MAX && options.width <= MAX_DIGITS && options.connections > 0 &&
                    options.connections <= MAX_CONNECTIONS;
    if (!options.socket_path || !options.prefix || strlen(options.prefix) > MAX_PREFIX || !in_bounds) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    if (options.core >= 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET((size_t)options.core, &cores);
        if (sched_setaffinity(0, sizeof cores, &cores) < 0) die("sched_setaffinity");
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("epoll_create1");
    open_all(epoll);
    draw_schedule();
    greet_all();
    if (options.waits) puts("ready"), fflush(stdout);
    wait_for_line();
    run(epoll);
    report();
    wait_for_line();
    return 0;
}
