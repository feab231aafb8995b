"""What was measured: for each case, subject and quantity one number a round."""

import statistics
from collections import defaultdict

# Quantities. A processor time is the server's own, all its threads together, in nanoseconds.
PROCESSOR = "processor ns/op"
THROUGHPUT = "ops/s"
P50 = "p50 ms"
P99 = "p99 ms"
USUAL_P99 = "p99 of windows of 50 ms, their median, ms"
P999 = "p99.9 ms"
CLIENT = "the client's own processor ns/op"
LATE_P99 = "lateness of the generator, p99 ms"
OFF_SCHEDULE = "runs that did not keep their schedule"
ERRORS = "error replies"
QUERIES = "queries/key"
ENTRY = "RSS bytes/entry"
TOLD = "INFO used_memory / RSS"
TOLD_OF_OWN = "INFO used_memory / RSS without files"
FIRST_HIT = "ms from exec to the first hit"
IDLE_RESIDENT = "idle RSS MiB"
IDLE_CORE = "idle % of a core"
COMMIT_P50 = "COMMIT to its answer, p50 ms"
COMMIT_P99 = "COMMIT to its answer, p99 ms"
TOLD_P50 = "COMMIT to invalidated, p50 ms"
TOLD_P99 = "COMMIT to invalidated, p99 ms"
READ_P50 = "COMMIT to the next read is new, p50 ms"
READ_P99 = "COMMIT to the next read is new, p99 ms"
SERVER_TIME = "server us of an UPDATE"
TELLING_TIME = "the server's processor ns to tell a key"
HIT_RATIO = "% hits"
QUERIES_A_SECOND = "queries a second"


class Measurements:
    def __init__(self):
        self._values = defaultdict(list)

    def add(self, case, subject, quantity, value):
        self._values[case, subject, quantity].append(value)

    def get(self, case, subject, quantity):
        """The numbers in the order of their rounds; empty when it was not measured."""
        return list(self._values.get((case, subject, quantity), []))

    def ratio(self, over, under):
        """The first over the second, round by round; each is a (case, subject, quantity).

        The two of one round ran one after the other, so that what disturbs the machine for longer than a round
        disturbs both, and leaves their ratio alone.
        """
        return [a / b for a, b in zip(self.get(*over), self.get(*under)) if b > 0]


def spread(values, form="{:.2f}"):
    """The median, with the least and the greatest when there are several."""
    if not values:
        return "not measured"
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({form.format(min(values))}–{form.format(max(values))})"
