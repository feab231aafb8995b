// Listens to the sidecar's events and shows what they say. Names, keys and errors come from outside: they are only ever text.
"use strict";

const timeline = new Timeline();
const byId = (id) => document.getElementById(id);

// --- Writing into the page. What is there already is kept, so that a selection survives the next event.

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The children of an element, as many as wanted. */
function children(parent, count, make) {
  while (parent.childElementCount > count) parent.lastElementChild.remove();
  while (parent.childElementCount < count) parent.append(make());
  return [...parent.children];
}

function make(name, className = "") {
  const element = document.createElement(name);
  element.className = className;
  return element;
}

/** Rows of cells; `foreign` are the columns whose texts come from outside. */
function table(id, rows, foreign) {
  const body = byId(id).tBodies[0];
  for (const [index, row] of children(body, rows.length, () => make("tr")).entries()) {
    const cell = () => make(row.childElementCount === 0 ? "th" : "td", foreign.includes(row.childElementCount) ? "text foreign" : "");
    for (const [column, element] of children(row, rows[index].length, cell).entries()) write(element, rows[index][column]);
  }
}

/** Terms and what is to be said of them; pairs without a text are left out. */
function list(id, pairs) {
  const shown = pairs.filter(([, text]) => text !== undefined && text !== null && text !== "");
  const elements = children(byId(id), 2 * shown.length, () => make(byId(id).childElementCount % 2 === 0 ? "dt" : "dd"));
  for (const [index, [term, text, className = "foreign"]] of shown.entries()) {
    write(elements[2 * index], term);
    write(elements[2 * index + 1], String(text));
    elements[2 * index + 1].className = className;
  }
}

/** Tiles with a name, a figure, a note, and a share that a meter shows, if there is one. */
function tiles(all) {
  const parent = byId("tiles");
  const elements = children(parent, all.length, () => {
    const tile = make("div", "card tile");
    tile.append(make("div", "name"), make("div", "figure"), make("div", "note"), make("div"));
    return tile;
  });
  for (const [index, [name, figure, note, share]] of all.entries()) {
    const tile = elements[index];
    for (const [index, text] of [name, figure, note].entries()) write(tile.children[index], text);
    if (share === undefined) continue;
    const [meter] = children(tile.lastElementChild, 1, () => make("i"));
    tile.lastElementChild.className = "meter";
    meter.style.setProperty("--share", Math.min(1, share));
  }
}

// --- What is shown.

const ago = { name: "", format: (seconds) => (seconds > -1 ? "now" : `${format.span(-seconds)} ago`), from: -300, to: 0 };
ago.ticks = [[-300, "5 min ago"], [-240, "4"], [-180, "3"], [-120, "2"], [-60, "1"], [0, "now"]];
const plots = new Map(["gets", "loads", "ratio", "times"].map((id) => [id, new Plot(byId(id))]));

function showTiles(statistics, total) {
  const { memory, clients, process } = statistics;
  const recent = timeline.last(10);
  const minute = timeline.last(60);
  const bounds = statistics.load_time_bounds_seconds;
  const load = (share) => format.seconds(quantile(share, bounds, minute.times));
  const entries = statistics.groups.reduce((sum, group) => sum + group.entries, 0);
  const processor = (recent.end.processor - recent.start.processor) / recent.seconds;
  tiles([
    ["Gets a second", format.short(recent.perSecond("gets")), `${format.short(total.gets)} since the start`],
    ["Hit ratio", format.share(derived.hitRatio(recent.counts)), `${format.share(derived.hitRatio(total))} since the start`],
    ["Database queries avoided", format.short(derived.avoided(total)),
      `${format.short(total.gets)} gets came to ${format.short(total.loads)} loads`],
    ["Saved from herds", format.short(derived.joined(total)), "misses that joined a load under way"],
    ["Load time, p99", load(0.99), `p50 ${load(0.5)}, of the last minute`],
    ["Memory", format.bytes(memory.used_bytes),
      `of ${format.bytes(memory.limit_bytes)}; ${format.short(entries)} entries`, memory.used_bytes / memory.limit_bytes],
    ["Clients", format.short(clients.connected), `${format.short(clients.pending)} requests wait for a load`],
    ["Processor", format.share(processor), `of a core; ${format.bytes(process.resident_bytes)} resident`],
  ]);
}

function showPlots({ load_time_bounds_seconds: bounds }) {
  const line = (name, style, seconds, figure) => ({ name, style, points: timeline.points(seconds, figure) });
  const rate = { format: format.short, from: 0 };
  const draw = (id, label, y, lines) => plots.get(id).draw({ label, x: ago, y, lines });
  const known = (figure) => (format.isKnown(figure) ? figure : null);
  draw("gets", "Gets a second over the last five minutes", rate, [
    line("from memory", "first", 2, (past) => past.perSecond("hits") + past.perSecond("negative_hits")),
    line("waited for a load", "second", 2, (past) => past.perSecond("misses")),
  ]);
  draw("loads", "Loads a second over the last five minutes", rate, [
    line("run", "first", 2, (past) => past.perSecond("loads")),
    line("saved: misses that joined one", "third", 2, (past) => derived.joined(past.counts) / past.seconds),
    line("failed", "second", 2, (past) => past.perSecond("load_errors")),
  ]);
  draw("ratio", "Hit ratio over the last five minutes", { format: format.share, from: 0.9, to: 1 }, [
    line("of five seconds", "first", 5, (past) => known(derived.hitRatio(past.counts))),
  ]);
  draw("times", "Load times over the last five minutes", { isLog: true, format: format.seconds }, [
    line("p50", "first", 10, (past) => known(quantile(0.5, bounds, past.times))),
    line("p99", "second", 10, (past) => known(quantile(0.99, bounds, past.times))),
  ]);
}

/** A key's beginning, or what may be told of it. */
function shownKey(group, key) {
  if (key === undefined) return `${group}: (one key)`;
  return key.length > 120 ? `${key.slice(0, 120)}…` : key;
}

const shownGroups = 50;
const shownKeys = 12;

function showGroups({ groups }) {
  const recent = timeline.last(10);
  const busiest = groups
    .map((group) => ({ group, rate: recent.getsPerSecond(group.name) }))
    .sort((a, b) => (b.rate || 0) - (a.rate || 0) || b.group.gets - a.group.gets);
  table("groups", busiest.slice(0, shownGroups).map(({ group, rate }) => [
    group.name, format.short(rate), format.share(derived.hitRatio(group)), format.short(group.gets),
    format.short(group.loads), format.short(derived.joined(group)),
    format.seconds(group.load_times.p50_seconds), format.seconds(group.load_times.p99_seconds),
    format.short(group.running_loads), format.short(group.queued_loads), format.short(group.load_errors),
    format.short(group.invalidations), format.short(group.evictions), format.short(group.entries),
    format.bytes(group.bytes),
  ]), [0]);
  byId("more-groups").hidden = groups.length <= shownGroups;
  write(byId("more-groups"), `and ${groups.length - shownGroups} more, at /stats.json`);

  const keys = groups
    .flatMap(({ name, hot_keys }) => hot_keys.map(({ key, lookups }) => ({ group: name, key, lookups })))
    .sort((a, b) => b.lookups - a.lookups);
  table("keys", keys.slice(0, shownKeys).map(({ group, key, lookups }) => [shownKey(group, key), format.short(lookups)]), [0]);
  const isHidden = keys.some(({ key }) => key === undefined);
  write(byId("no-keys"), isHidden ? "admin.show_keys: on shows which." : keys.length > 0 ? "" : "None yet.");
}

function showParts({ checks, database, stream, clients, process, uptime_seconds }) {
  list("checks", checks.map(({ name, is_ok, reason }) => [name.replaceAll("_", " "), is_ok ? "yes" : `no: ${reason}`, is_ok ? "good" : "bad"]));
  const mark = (isGood) => (isGood ? "foreign" : "foreign bad");
  list("database", [
    ["connections", `${database.connections_ready} of ${database.connections_wanted} ready`
      + (database.connections_connecting > 0 ? `, ${database.connections_connecting} connecting` : ""),
      mark(database.connections_ready >= database.connections_wanted)],
    ["since the start", `${format.number(database.connections_made)} made, ${format.number(database.connections_lost)} lost`],
    ["circuit", database.circuit, mark(database.circuit === "closed")],
    ["loads", `${format.short(database.loads_sent)} sent, ${format.short(database.loads_queued)} queued, ${format.short(database.loads_retried)} sent again`],
    ["groups that don't fit", database.degraded_groups.join(", "), mark(false)],
    ["groups that fail", database.failing_groups.join(", "), mark(false)],
    ["last error", database.last_error],
  ]);
  list("stream", stream === undefined ? [["source", "none: entries go by time alone"]] : [
    ["source", stream.source],
    ["state", `${stream.state} for ${format.span(stream.state_seconds)}`, mark(stream.state === "live")],
    ["changes", `${format.short(stream.changes)} of ${format.short(stream.keys)} keys; ${format.short(stream.flushes)} flushes`],
    ["behind", format.isKnown(stream.lag_bytes) ? `${format.bytes(stream.lag_bytes)} of log` : undefined],
    ["delay", format.isKnown(stream.delay_seconds) ? format.seconds(stream.delay_seconds) : undefined],
    ["held transactions", stream.held_transactions],
    ["applied up to", stream.applied_lsn],
    ["losses", stream.losses],
    ["last loss", stream.last_loss],
    ["groups refused", stream.refused_groups.join(", "), mark(false)],
  ]);
  list("clients", [
    ["connected", format.number(clients.connected)],
    ["accepted", format.short(clients.accepted) + (clients.rejected > 0 ? `; ${format.short(clients.rejected)} turned away` : "")],
    ["commands", format.short(clients.commands)],
    ["bytes", `${format.bytes(clients.request_bytes)} of requests and ${format.bytes(clients.reply_bytes)} of replies held`],
    ["deadlines passed", format.short(clients.timeouts)],
    ["slow readers closed", format.short(clients.slow_readers)],
    ["protocol errors", format.short(clients.protocol_errors)],
  ]);
  list("process", [
    ["up for", format.span(uptime_seconds)],
    ["processor", `${format.seconds(process.cpu_user_seconds)} user, ${format.seconds(process.cpu_system_seconds)} system`],
    ["memory", `${format.bytes(process.resident_bytes)} resident, ${format.bytes(process.allocated_bytes)} allocated`],
    ["descriptors", `${format.number(process.open_descriptors)} of ${format.number(process.max_descriptors)}`],
  ]);
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

function showSlowLoads({ slow_loads }) {
  table("slow", slow_loads.map((load) => [
    clock(load.time), shownKey(load.group, load.key),
    format.seconds(load.seconds), format.seconds(load.queue_seconds), format.seconds(load.connection_seconds),
    format.seconds(load.database_seconds), load.error ?? "",
  ]), [1, 6]);
  write(byId("no-slow"), slow_loads.length > 0 ? "" : "None since the start.");
}

function show(statistics) {
  const isReady = statistics.is_ready;
  byId("state").className = `state ${isReady ? "good" : "bad"}`;
  write(byId("state"), isReady ? "ready" : "not ready");
  write(byId("about"), `version ${statistics.version}, up for ${format.span(statistics.uptime_seconds)}`);
  const reasons = statistics.checks.filter(({ is_ok }) => !is_ok).map(({ name, reason }) => `${name.replaceAll("_", " ")}: ${reason}`);
  trouble(reasons.join("; "));
  showTiles(statistics, Moment.counts(statistics.groups));
  showPlots(statistics);
  showGroups(statistics);
  showParts(statistics);
  showSlowLoads(statistics);
}

function trouble(text) {
  byId("trouble").hidden = text === "";
  write(byId("trouble"), text);
}

// --- Listening. A browser connects again by itself, except when it was refused; silence is trouble, too.

const patience = 5000;
let heard = Date.now();

function listen() {
  const events = new EventSource("events");
  events.addEventListener("statistics", (event) => {
    heard = Date.now();
    document.body.classList.remove("is-away");
    const statistics = JSON.parse(event.data);
    timeline.add(statistics);
    show(statistics);
  });
  events.addEventListener("error", () => {
    away("The sidecar does not answer. This page goes on when it does again.");
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

function away(text) {
  document.body.classList.add("is-away");
  byId("state").className = "state bad";
  write(byId("state"), "away");
  trouble(timeline.newest ? `${text} What is below is of ${clock(timeline.newest.time)}.` : text);
}

setInterval(() => {
  if (Date.now() - heard > patience) away(`Nothing was heard from the sidecar for ${format.span((Date.now() - heard) / 1000)}.`);
}, 1000);

listen();
