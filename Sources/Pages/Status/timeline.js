// What came so far, and what follows from it. Counters count from the sidecar's start; rates are differences of two moments.
"use strict";

/** The last five minutes of statistics, the newest last. */
class Timeline {
  static length = 301;

  constructor() {
    this.moments = [];
  }

  /** Takes what an event brought. */
  add(statistics) {
    const moment = new Moment(statistics);
    const last = this.newest;
    if (last && (moment.start !== last.start || moment.time < last.time)) this.moments = [];
    this.moments.push(moment);
    if (this.moments.length > Timeline.length) this.moments.shift();
  }

  get newest() {
    return this.moments.at(-1);
  }

  /** What happened in the seconds before the moment with this index. */
  before(index, seconds) {
    const end = this.moments[index];
    let start = index;
    while (start > 0 && end.time - this.moments[start].time < seconds - 0.5) start -= 1;
    return new Stretch(this.moments[start], end);
  }

  /** What happened in the last seconds. */
  last(seconds) {
    return this.before(this.moments.length - 1, seconds);
  }

  /** A figure of the seconds before each moment, by how long ago that was. */
  points(seconds, figure) {
    const now = this.newest.time;
    return this.moments.map((moment, index) => {
      const stretch = this.before(index, seconds);
      return [moment.time - now, stretch.seconds > 0 ? figure(stretch) : null];
    });
  }
}

/** The statistics of one moment, of which the history keeps only what it needs. */
class Moment {
  constructor(statistics) {
    this.time = statistics.time;
    this.start = statistics.process?.start_time;
    this.processor = (statistics.process?.cpu_user_seconds ?? 0) + (statistics.process?.cpu_system_seconds ?? 0);
    this.gets = new Map(statistics.groups.map((group) => [group.name, group.gets]));
    this.counts = Moment.counts(statistics.groups);
  }

  /** Sums over groups. */
  static counts(groups) {
    const sum = (figure) => groups.reduce((sum, group) => sum + group[figure], 0);
    const counts = {};
    for (const name of ["gets", "hits", "stale_hits", "negative_hits", "misses", "loads", "refreshes", "reloads", "load_errors"]) {
      counts[name] = sum(name);
    }
    counts.times = groups.reduce((sum, { load_times: { counts } }) => counts.map((count, step) => count + (sum[step] ?? 0)), []);
    return counts;
  }
}

/** What happened between two moments. */
class Stretch {
  constructor(start, end) {
    this.seconds = end.time - start.time;
    this.start = start;
    this.end = end;
    this.counts = {};
    for (const [name, count] of Object.entries(end.counts)) {
      if (name !== "times") this.counts[name] = Math.max(0, count - start.counts[name]);
    }
    this.times = end.counts.times.map((count, step) => count - (start.counts.times[step] ?? 0));
  }

  perSecond(figure) {
    return this.seconds > 0 ? this.counts[figure] / this.seconds : NaN;
  }

  getsPerSecond(group) {
    const [start, end] = [this.start.gets.get(group), this.end.gets.get(group)];
    return this.seconds > 0 && start !== undefined ? Math.max(0, end - start) / this.seconds : NaN;
  }
}

/** What follows from a group's counts, or the sums of several. */
const derived = {
  /** The share of the gets that memory answered. */
  hitRatio: ({ gets, hits, negative_hits }) => (gets > 0 ? (hits + negative_hits) / gets : NaN),

  /** Gets that cost the database no query. */
  avoided: ({ gets, loads }) => Math.max(0, gets - loads),

  /** Misses that found a load of their key under way, and waited for that. */
  joined: ({ misses, loads, refreshes, reloads }) => Math.max(0, misses - (loads - refreshes - reloads)),
};

/** How long a share of the loads took at most, as Prometheus reckons it: spread evenly within each step. */
function quantile(share, bounds, counts) {
  const rank = share * counts.reduce((sum, count) => sum + count, 0);
  if (!(rank > 0)) return NaN;
  let below = 0;
  for (const [step, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      if (step >= bounds.length) break;
      const lower = step === 0 ? 0 : bounds[step - 1];
      return lower + (bounds[step] - lower) * ((rank - below) / count);
    }
    below += count;
  }
  return bounds.at(-1);
}
