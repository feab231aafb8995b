/* How long after a commit its change is told, and how long until the application's next read is new.
 *
 * One row after the other: its value is read through the sidecar by a connection that tracks what it reads (RESP3, CLIENT
 * TRACKING ON), as an application does that keeps values in its own memory; then it is changed in the database, by the same
 * process, so that one clock tells all times. When the sidecar tells that the key is no longer what it was, it is read again.
 *
 * All times run from just before the COMMIT is sent, so none of them is too short: `commit` to its answer, `told` to the
 * invalidation's arrival, `read` to the arrival of the new value. A value that is not the new one is counted as `old`.
 * Between two rows is a pause of random length, so that they fall into no step with what the server or the sidecar do.
 *
 * Prints one line of JSON, times in microseconds. Exits 2 when it could not run.
 */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <math.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { INPUT_BYTES = 65536, PATIENCE_MS = 10000 };

static const char *usage =
    "usage: commit -s SOCKET -d URL -p PREFIX -n ROWS [options]\n"
    "  -s PATH          the sidecar's socket\n"
    "  -d URL           the database, with pgbench's accounts\n"
    "  -p PREFIX        what a key begins with; the account's number follows\n"
    "  -n ROWS          how many changes are made\n"
    "  -k KEYS          to the accounts 1 to KEYS, in turn (1000)\n"
    "  -g MICROSECONDS  the mean pause between two changes (5000)\n"
    "  -S SEED          of the pauses (1)\n";

static struct {
    const char *socket_path, *url, *prefix;
    uint64_t rows, keys, pause, seed;
} options = {.keys = 1000, .pause = 5000, .seed = 1};

static PGconn *database;
static int sidecar;
static char input[INPUT_BYTES];
static size_t input_end;
static uint64_t *committed, *told, *reread, old;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* MARK: the database */

static void fail_database(void) {
    fprintf(stderr, "commit: %s", PQerrorMessage(database));
    exit(2);
}

/* Takes the results of what was asked; returns the first value, or 0 without any. */
static long take_results(void) {
    long value = 0;
    for (PGresult *result; (result = PQgetResult(database)); PQclear(result)) {
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail_database();
        if (PQntuples(result) > 0) value = atol(PQgetvalue(result, 0, 0));
    }
    return value;
}

static long run(const char *sql) {
    if (!PQsendQuery(database, sql)) fail_database();
    return take_results();
}

/* MARK: the sidecar */

struct reply {
    enum { NONE, VALUE, PUSH, OTHER } kind;
    const char *text; /* a value's, or the key of a push; not ended by a zero */
    size_t bytes;
};

/* The length or count in the line at `*at`, which is moved behind it; 0 when the line is not whole. */
static int take_line(size_t *at, char *kind, long *number) {
    char *end = memchr(input + *at, '\n', input_end - *at);
    if (!end) return 0;
    *kind = input[*at];
    *number = strtol(input + *at + 1, NULL, 10);
    if (*kind == '-') fail_with_line("the sidecar answered", input + *at, (size_t)(end - input) - *at);
    *at = (size_t)(end + 1 - input);
    return 1;
}

/* Moves `*at` behind one value and notes the last text in it; 0 when it is not whole. */
static int take_value(size_t *at, struct reply *reply) {
    char kind;
    long number;
    if (!take_line(at, &kind, &number)) return 0;
    if (kind == '$' && number >= 0) {
        if (input_end - *at < (size_t)number + 2) return 0;
        reply->text = input + *at;
        reply->bytes = (size_t)number;
        *at += (size_t)number + 2;
        return 1;
    }
    long parts = kind == '>' || kind == '*' || kind == '~' ? number : kind == '%' ? 2 * number : 0;
    for (long i = 0; i < parts; i++)
        if (!take_value(at, reply)) return 0;
    return 1;
}

/* The next reply or push that is whole, which is at the front of `input` until `forget`. */
static struct reply next_reply(size_t *used) {
    struct reply reply = {.kind = NONE};
    *used = 0;
    if (input_end == 0) return reply;
    char kind = input[0];
    if (!take_value(used, &reply)) return (struct reply){.kind = NONE};
    reply.kind = kind == '>' ? PUSH : kind == '$' ? VALUE : OTHER;
    return reply;
}

static void forget(size_t used) {
    memmove(input, input + used, input_end - used);
    input_end -= used;
}

static void receive(void) {
    ssize_t n = recv(sidecar, input + input_end, INPUT_BYTES - input_end, 0);
    if (n < 0) die("recv");
    if (n == 0) fail("the sidecar closed the connection");
    input_end += (size_t)n;
    if (input_end == INPUT_BYTES) fail("a reply that is too long");
}

static void send_text(const char *text, size_t bytes) {
    if (send(sidecar, text, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) die("send");
}

static void send_get(const char *key) {
    char request[MAX_PREFIX + MAX_DIGITS + 64];
    send_text(request, (size_t)sprintf(request, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key));
}

/* Waits for the next reply that is no push. */
static void wait_for_reply(void) {
    for (;;) {
        size_t used;
        struct reply reply = next_reply(&used);
        if (reply.kind == NONE) {
            receive();
            continue;
        }
        forget(used);
        if (reply.kind != PUSH) return;
    }
}

/* MARK: one change */

static void wait_for_both(struct pollfd sources[2]) {
    int count = poll(sources, 2, PATIENCE_MS);
    if (count == 0) fail("a change was not told, or not answered, within ten seconds");
    if (count < 0 && errno != EINTR) die("poll");
}

/* Takes what came from the sidecar: the change of `key`, or the value that was asked for when that was told. */
static void take_replies(const char *key, long value, uint64_t began, uint64_t row) {
    for (;;) {
        size_t used;
        struct reply reply = next_reply(&used);
        if (reply.kind == NONE) return;
        uint64_t now = now_ns() - began;
        if (reply.kind == PUSH && told[row] == 0 && reply.bytes == strlen(key) &&
            memcmp(reply.text, key, reply.bytes) == 0) {
            told[row] = now;
            send_get(key);
        } else if (reply.kind == VALUE) {
            if (told[row] == 0) fail("a reply that nobody asked for");
            reread[row] = now;
            if (strtol(reply.text, NULL, 10) != value) old++;
        }
        forget(used);
    }
}

static void change(uint64_t row) {
    char sql[160], key[MAX_PREFIX + MAX_DIGITS + 1];
    uint64_t number = row % options.keys + 1;
    sprintf(key, "%s%llu", options.prefix, (unsigned long long)number);
    send_get(key);
    wait_for_reply();
    run("begin");
    sprintf(sql, "update pgbench_accounts set abalance = abalance + 1 where aid = %llu returning abalance",
            (unsigned long long)number);
    long value = run(sql);
    uint64_t began = now_ns();
    if (!PQsendQuery(database, "commit")) fail_database();
    while (committed[row] == 0 || reread[row] == 0) {
        struct pollfd sources[2] = {{.fd = PQsocket(database), .events = committed[row] == 0 ? POLLIN : 0},
                                    {.fd = sidecar, .events = POLLIN}};
        wait_for_both(sources);
        if (sources[1].revents) {
            receive();
            take_replies(key, value, began, row);
        }
        if (sources[0].revents && committed[row] == 0) {
            if (!PQconsumeInput(database)) fail_database();
            if (PQisBusy(database)) continue;
            committed[row] = now_ns() - began;
            take_results();
        }
    }
}

static void rest(uint64_t *state) {
    uint64_t pause = random_next(state) % (2 * options.pause + 1);
    struct timespec time = {.tv_sec = (time_t)(pause / 1000000), .tv_nsec = (long)(pause % 1000000) * 1000};
    nanosleep(&time, NULL);
}

/* MARK: the report */

static int by_size(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

/* By nearest rank, in microseconds; sorts. */
static void print_times(const char *name, uint64_t *times) {
    qsort(times, options.rows, sizeof *times, by_size);
    uint64_t middle = times[(options.rows - 1) / 2];
    uint64_t late = times[(size_t)ceil(0.99 * (double)options.rows) - 1];
    printf("\"%s\": {\"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}, ", name, (double)middle / 1000, (double)late / 1000,
           (double)times[options.rows - 1] / 1000);
}

static void read_options(int argc, char **argv) {
    int letter;
    while ((letter = getopt(argc, argv, "s:d:p:n:k:g:S:")) != -1) {
        switch (letter) {
        case 's': options.socket_path = optarg; break;
        case 'd': options.url = optarg; break;
        case 'p': options.prefix = optarg; break;
        case 'n': options.rows = strtoull(optarg, NULL, 10); break;
        case 'k': options.keys = strtoull(optarg, NULL, 10); break;
        case 'g': options.pause = strtoull(optarg, NULL, 10); break;
        case 'S': options.seed = strtoull(optarg, NULL, 10); break;
        default: fputs(usage, stderr); exit(2);
        }
    }
    if (!options.socket_path || !options.url || !options.prefix || strlen(options.prefix) > MAX_PREFIX ||
        options.rows == 0 || options.keys == 0) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    committed = calloc(options.rows, sizeof *committed);
    told = calloc(options.rows, sizeof *told);
    reread = calloc(options.rows, sizeof *reread);
    if (!committed || !told || !reread) die("calloc");
    database = PQconnectdb(options.url);
    if (PQstatus(database) != CONNECTION_OK) fail_database();
    sidecar = connect_to(options.socket_path);
    static const char greeting[] = "HELLO 3\r\nCLIENT TRACKING ON\r\n";
    send_text(greeting, sizeof greeting - 1);
    wait_for_reply();
    wait_for_reply();
    uint64_t state = options.seed;
    for (uint64_t row = 0; row < options.rows; row++) {
        change(row);
        rest(&state);
    }
    printf("{");
    print_times("commit", committed);
    print_times("told", told);
    print_times("read", reread);
    printf("\"old\": %llu}\n", (unsigned long long)old);
    return 0;
}
