"""What a report is made of: a table, and a line of the summary."""

import statistics
from dataclasses import dataclass

from measurements import spread


@dataclass
class Target:
    """One line of the summary. Judged by the median of `values`."""

    what: str
    values: list
    bound: float
    at_most: bool
    unit: str = ""
    form: str = "{:.2f}"

    def row(self):
        wanted = ("≤ " if self.at_most else "≥ ") + f"{self.bound:g}{self.unit}"
        return [self.what, wanted, spread(self.values, self.form), self.verdict()]

    def verdict(self):
        if not self.values:
            return "not measured"
        median = statistics.median(self.values)
        reached = median <= self.bound if self.at_most else median >= self.bound
        return "pass" if reached else "MISS"


@dataclass
class Table:
    title: str
    head: list
    rows: list

    def as_markdown(self):
        lines = [f"### {self.title}", "", "| " + " | ".join(self.head) + " |", "|" + "---|" * len(self.head)]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in self.rows]) + "\n"

    def as_text(self):
        widths = [max(len(row[i]) for row in [self.head, *self.rows]) for i in range(len(self.head))]

        def line(row):
            return "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()

        rule = "  " + "  ".join("-" * width for width in widths)
        return "\n".join([self.title, line(self.head), rule, *map(line, self.rows)]) + "\n"
