/* Where a program notes what it saw, for Benchmarks/agreement.py: a file in memory that stays whole however the program ends. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* A request and its reply, by the monotonic clock in nanoseconds, and which connection of the program's it was, from 1 on. */
struct sample {
    int64_t begin, end, connection;
};

enum { MAX_SAMPLES = 4 << 20 };

struct samples {
    _Atomic int64_t count; /* may pass MAX_SAMPLES: those beyond it were seen and not kept */
    int64_t unused[2];
    struct sample kept[MAX_SAMPLES];
};

/* NULL, with errno, when it can't be made. */
static inline struct samples *samples_at(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return NULL;
    struct samples *samples = MAP_FAILED;
    if (ftruncate(file, sizeof *samples) == 0)
        samples = mmap(NULL, sizeof *samples, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    close(file);
    return samples == MAP_FAILED ? NULL : samples;
}

static inline void samples_add(struct samples *samples, int64_t begin, int64_t end, int64_t connection) {
    int64_t index = atomic_fetch_add_explicit(&samples->count, 1, memory_order_relaxed);
    if (index < MAX_SAMPLES) samples->kept[index] = (struct sample){begin, end, connection};
}

static inline int64_t nanoseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
