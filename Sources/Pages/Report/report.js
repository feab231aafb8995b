// Draws the plots of a load test's report, each into the <figure> that names it. The tables need none of this.
"use strict";

const report = JSON.parse(document.getElementById("report").textContent);

const ways = {
  sidecar: { name: "pgsidecar", style: "first" },
  database: { name: "database alone", style: "second" },
  redis: { name: "Redis, cache-aside", style: "third" },
};

const microseconds = (figure) => format.seconds(figure / 1e6);
const time = { name: "at ", format: (seconds) => format.number(seconds) + " s" };

/** One line for each way that has points. */
function lines(scenario, points) {
  return scenario.ways
    .map((way) => ({ ...ways[way.way], points: points(way) ?? [] }))
    .filter((line) => line.points.length > 0);
}

/** Where a share of the asks stands on an axis on which each nine takes as much room: 90 % at 1, 99 % at 2. */
function nines(share) {
  return -Math.log10(1 - share);
}

/** A distribution as a line, up to its longest time. */
function distribution(summary) {
  const points = summary.curve
    .filter(({ share }) => share < 1)
    .map(({ share, latency }) => [nines(share), latency]);
  return summary.count > 0 ? [...points, [Math.max(Math.log10(summary.count), points.at(-1)?.[0] ?? 0), summary.max]] : [];
}

/** Distributions of latencies, both axes logarithmic. */
function distributions(label, lines) {
  const end = Math.max(2, ...lines.flatMap(({ points }) => points.map(([x]) => x)));
  const ticks = [[nines(0.5), "50 %"], [1, "90 %"], [2, "99 %"]];
  for (let count = 3; count <= end; count += 1) ticks.push([count, `99.${"9".repeat(count - 2)} %`]);
  const format = (x) => `${Number((100 * (1 - 10 ** -x)).toPrecision(Math.max(3, Math.ceil(x) + 1)))} % within`;
  return { label, lines, x: { ticks, format, name: "", from: 0, to: end }, y: { isLog: true, format: microseconds } };
}

/** A figure over time. */
function series(scenario, label, figure, y) {
  const points = (way) => {
    const known = way.series.map((point) => [point.at, point[figure] ?? null]);
    return known.some(([, value]) => value !== null) ? known : [];
  };
  const bands = scenario.ways.flatMap(({ outage }) => (outage ? [{ ...outage, name: "the database is away" }] : [])).slice(0, 1);
  return { label, lines: lines(scenario, points), bands, x: time, y };
}

const perSecond = { format: format.short, from: 0 };

const plots = {
  latency: (scenario) =>
    distributions("Latency by the share of asks within it", lines(scenario, (way) => distribution(way.latency))),
  asks: (scenario) => series(scenario, "Asks a second over time", "asksPerSecond", perSecond),
  queries: (scenario) => series(scenario, "Database queries a second over time", "queriesPerSecond", perSecond),
  errors: (scenario) => series(scenario, "Errors a second over time", "errorsPerSecond", perSecond),
  longest: (scenario) =>
    series(scenario, "The longest wait over time", "max", { isLog: true, format: microseconds }),
  freshness: (scenario) =>
    distributions(
      "From the commit to the first new answer", lines(scenario, (way) => way.writes && distribution(way.writes.commitToNew))),
  limit: (scenario) => ({
    label: "The 99th percentile by rate",
    lines: lines(scenario, ({ limit }) =>
      limit && limit.steps.map(({ rate, p99 }) => [rate, p99]).sort(([a], [b]) => a - b)),
    x: { name: "at ", format: (rate) => format.short(rate) + "/s" },
    y: { isLog: true, format: microseconds },
  }),
};

for (const figure of document.querySelectorAll("figure[data-plot]")) {
  const scenario = report.scenarios[Number(figure.dataset.scenario)];
  const plot = new Plot(figure);
  plot.draw(plots[figure.dataset.plot](scenario));
}
