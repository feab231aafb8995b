/* Asks for every key of a range exactly once, in random order, and checks every reply.
 *
 * A load generator such as redis-benchmark draws its keys at random and so repeats them; to measure misses takes keys
 * that were never asked before. One thread, one epoll. Each connection sends a batch of commands, waits for all of
 * their replies, and sends the next, as redis-benchmark -P does. All connections take their keys from one sequence: a
 * shuffle of the range with a fixed seed, so that two runs ask in the same order.
 *
 * Prints one line of JSON. Exits 1 when a reply was not a bulk string of the expected length, 2 when it could not run.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { EVENTS = 256, INPUT_BYTES = 65536, MAX_KEYS_IN_BATCH = 65536 };

static const char *usage =
    "usage: distinct -s SOCKET -p PREFIX -n KEYS [options]\n"
    "  -s PATH    Unix socket to ask\n"
    "  -p PREFIX  what a key begins with; its number follows\n"
    "  -n N       how many keys to ask for: the numbers FIRST to FIRST+N-1, each once\n"
    "  -o FIRST   the first number (1)\n"
    "  -w DIGITS  pad the number with zeros to this width (0: no padding)\n"
    "  -c N       connections (50)\n"
    "  -P N       commands sent together on one connection (1)\n"
    "  -m N       keys in one command: MGET when more than 1, else GET (1)\n"
    "  -l BYTES   the length that every value must have (0: any)\n"
    "  -S SEED    of the shuffle (1)\n";

static struct {
    const char *socket_path, *prefix;
    uint64_t keys, first, seed;
    size_t width, connections, pipeline, keys_in_command, value_bytes;
} options = {.first = 1, .seed = 1, .connections = 50, .pipeline = 1, .keys_in_command = 1};

struct connection {
    int descriptor;
    char *output;
    size_t output_sent, output_end;
    char *input;
    size_t input_end;     /* bytes at the front of `input` that are not yet parsed */
    size_t skip;          /* bytes of the current value, its line end included, still to come */
    size_t replies_owed;  /* replies to commands */
    size_t elements_owed; /* elements of the MGET reply under way */
};

static uint32_t *sequence;
static uint64_t next_key; /* index in `sequence` of the next key to ask */
static uint64_t answered, bulks, nils, errors, wrong_length;
static char first_error[512];
static size_t output_capacity;
static size_t open_connections;

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* MARK: keys */

/* Fisher and Yates. The modulo's bias is under 2^-32 here and of no matter. */
static void shuffle_sequence(void) {
    sequence = malloc(options.keys * sizeof *sequence);
    if (!sequence) die("malloc");
    for (uint64_t i = 0; i < options.keys; i++) sequence[i] = (uint32_t)i;
    uint64_t state = options.seed;
    for (uint64_t i = options.keys - 1; i > 0; i--) {
        uint64_t j = random_next(&state) % (i + 1);
        uint32_t kept = sequence[i];
        sequence[i] = sequence[j];
        sequence[j] = kept;
    }
}

static char *put_text(char *at, const char *text, size_t bytes) {
    memcpy(at, text, bytes);
    return at + bytes;
}

/* A bulk string of the key's text. */
static char *put_key(char *at, uint64_t number) {
    char key[MAX_PREFIX + MAX_DIGITS];
    size_t prefix_bytes = strlen(options.prefix);
    memcpy(key, options.prefix, prefix_bytes);
    size_t bytes = (size_t)(put_number(key + prefix_bytes, number, options.width) - key);
    *at++ = '$';
    at = put_number(at, bytes, 0);
    at = put_text(at, "\r\n", 2);
    at = put_text(at, key, bytes);
    return put_text(at, "\r\n", 2);
}

/* MARK: a connection's turn */

/* Writes the next batch to `output`; it stays empty when all keys were asked. */
static void prepare_batch(struct connection *c) {
    char *at = c->output;
    for (size_t i = 0; i < options.pipeline && next_key < options.keys; i++) {
        uint64_t left = options.keys - next_key;
        size_t count = left < options.keys_in_command ? (size_t)left : options.keys_in_command;
        *at++ = '*';
        at = put_number(at, count + 1, 0);
        if (options.keys_in_command == 1)
            at = put_text(at, "\r\n$3\r\nGET\r\n", 11);
        else
            at = put_text(at, "\r\n$4\r\nMGET\r\n", 12);
        for (size_t k = 0; k < count; k++) at = put_key(at, options.first + sequence[next_key++]);
        c->replies_owed++;
    }
    c->output_sent = 0;
    c->output_end = (size_t)(at - c->output);
}

static void watch(int epoll, struct connection *c, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, c->descriptor, &event) < 0) die("epoll_ctl");
}

static void send_output(int epoll, struct connection *c, int was_full) {
    while (c->output_sent < c->output_end) {
        ssize_t n = send(c->descriptor, c->output + c->output_sent, c->output_end - c->output_sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            c->output_sent += (size_t)n;
        } else if (errno == EAGAIN) {
            if (!was_full) watch(epoll, c, EPOLLIN | EPOLLOUT);
            return;
        } else if (errno != EINTR) {
            die("send");
        }
    }
    if (was_full) watch(epoll, c, EPOLLIN);
}

static void next_batch(int epoll, struct connection *c) {
    prepare_batch(c);
    if (c->output_end == 0) {
        close(c->descriptor);
        open_connections--;
        return;
    }
    send_output(epoll, c, 0);
}

static void note_error(const char *line, size_t bytes, uint64_t keys) {
    if (errors == 0) {
        size_t kept = 0;
        for (size_t i = 0; i < bytes && kept + 2 < sizeof first_error; i++) {
            if (line[i] == '"' || line[i] == '\\') first_error[kept++] = '\\';
            first_error[kept++] = (unsigned char)line[i] < ' ' ? ' ' : line[i];
        }
        first_error[kept] = 0;
    }
    errors += keys;
}

/* One key was answered, and with it perhaps a whole command. */
static void count_answer(struct connection *c) {
    answered++;
    if (c->elements_owed > 0 && --c->elements_owed > 0) return;
    c->replies_owed--;
}

/* One line of a reply, without its line end. */
static void take_line(struct connection *c, const char *line, size_t bytes) {
    if (c->replies_owed == 0) fail("a reply that nobody asked for");
    switch (line[0]) {
    case '$': {
        long length = strtol(line + 1, NULL, 10);
        if (length < 0) {
            nils++;
            count_answer(c);
            return;
        }
        bulks++;
        if (options.value_bytes > 0 && (size_t)length != options.value_bytes) wrong_length++;
        c->skip = (size_t)length + 2;
        return;
    }
    case '-':
        /* How many keys it stands for is not in an error that takes the place of a whole MGET's reply. */
        if (c->elements_owed == 0 && options.keys_in_command > 1) fail_with_line("MGET failed", line, bytes);
        note_error(line, bytes, 1);
        count_answer(c);
        return;
    case '*':
        if (options.keys_in_command == 1 || c->elements_owed > 0) fail("an array where a value was expected");
        c->elements_owed = strtoul(line + 1, NULL, 10);
        if (c->elements_owed == 0 || c->elements_owed > options.keys_in_command) fail("an array of a wrong length");
        return;
    default:
        fail_with_line("unexpected reply", line, bytes);
    }
}

/* Consumes what is whole in `input` and keeps the rest at its front. */
static void take_input(struct connection *c) {
    size_t at = 0;
    for (;;) {
        if (c->skip > 0) {
            size_t here = c->input_end - at < c->skip ? c->input_end - at : c->skip;
            c->skip -= here;
            at += here;
            if (c->skip > 0) break;
            count_answer(c);
            continue;
        }
        char *end = memchr(c->input + at, '\n', c->input_end - at);
        if (!end) break;
        size_t bytes = (size_t)(end - (c->input + at));
        if (bytes < 2 || end[-1] != '\r') fail("a reply line without CRLF");
        take_line(c, c->input + at, bytes - 1);
        at += bytes + 1;
    }
    memmove(c->input, c->input + at, c->input_end - at);
    c->input_end -= at;
    if (c->input_end == INPUT_BYTES) fail("a reply line that is too long");
}

static void receive(int epoll, struct connection *c) {
    ssize_t n = recv(c->descriptor, c->input + c->input_end, INPUT_BYTES - c->input_end, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) die("recv");
    if (n == 0) fail("the server closed a connection");
    c->input_end += (size_t)n;
    take_input(c);
    if (c->replies_owed == 0) next_batch(epoll, c);
}

/* MARK: the run */

static struct connection *open_all(int epoll) {
    struct connection *all = calloc(options.connections, sizeof *all);
    if (!all) die("calloc");
    size_t key_bytes = strlen(options.prefix) + MAX_DIGITS + 16;
    output_capacity = options.pipeline * (64 + options.keys_in_command * key_bytes);
    for (size_t i = 0; i < options.connections; i++) {
        struct connection *c = &all[i];
        c->descriptor = connect_to(options.socket_path);
        c->output = malloc(output_capacity);
        c->input = malloc(INPUT_BYTES);
        if (!c->output || !c->input) die("malloc");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->descriptor, &event) < 0) die("epoll_ctl");
        open_connections++;
    }
    return all;
}

static void run(int epoll, struct connection *all) {
    for (size_t i = 0; i < options.connections; i++) next_batch(epoll, &all[i]);
    while (open_connections > 0) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 30000);
        if (count == 0) fail("no reply for 30 seconds");
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) send_output(epoll, c, 1);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(epoll, c);
        }
    }
}

static void read_options(int argc, char **argv) {
    int letter;
    while ((letter = getopt(argc, argv, "s:p:n:o:w:c:P:m:l:S:")) != -1) {
        uint64_t number = letter == '?' || letter == 's' || letter == 'p' ? 0 : strtoull(optarg, NULL, 10);
        switch (letter) {
        case 's': options.socket_path = optarg; break;
        case 'p': options.prefix = optarg; break;
        case 'n': options.keys = number; break;
        case 'o': options.first = number; break;
        case 'w': options.width = number; break;
        case 'c': options.connections = number; break;
        case 'P': options.pipeline = number; break;
        case 'm': options.keys_in_command = number; break;
        case 'l': options.value_bytes = number; break;
        case 'S': options.seed = number; break;
        default: fputs(usage, stderr); exit(2);
        }
    }
    int in_bounds = options.keys > 0 && options.keys <= UINT32_MAX && options.connections > 0 && options.pipeline > 0 &&
                    options.keys_in_command > 0 && options.width <= MAX_DIGITS &&
                    options.pipeline <= MAX_KEYS_IN_BATCH / options.keys_in_command;
    if (!options.socket_path || !options.prefix || strlen(options.prefix) > MAX_PREFIX || !in_bounds) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    shuffle_sequence();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("epoll_create1");
    struct connection *all = open_all(epoll);

    double began = seconds_now(), processor_before = processor_seconds();
    run(epoll, all);
    double seconds = seconds_now() - began, processor = processor_seconds() - processor_before;

    printf("{\"keys\": %llu, \"seconds\": %.6f, \"keys_per_second\": %.1f, \"client_processor_seconds\": %.6f, "
           "\"bulks\": %llu, \"nils\": %llu, \"errors\": %llu, \"wrong_length\": %llu, \"first_error\": \"%s\"}\n",
           (unsigned long long)answered, seconds, (double)answered / seconds, processor, (unsigned long long)bulks,
           (unsigned long long)nils, (unsigned long long)errors, (unsigned long long)wrong_length, first_error);
    return answered == options.keys && nils + errors + wrong_length == 0 ? 0 : 1;
}
