/*
 * The rules by which pgsidecar keeps one key, for spin's exhaustive check. README.md maps each step to its function.
 *
 * A version of the key is a number that grows with each commit; `visible` is what a snapshot sees. What stands in
 * `atomic` is one step of the program: what it does under a shard's lock.
 *
 * Features (-D), which make the state space larger:  NOTIFY, LOGICAL or DELETES: who says what is stale
 *   BREAKS=n  the stream is lost n times     REFRESH  hits reload      STALE  stale_if_error
 *   EVICT     entries go for space           RELOAD   on_change        UNTIL_TTL  on_stream_loss: serve_until_ttl
 * What begins with WITHOUT_ or BROKEN_ takes a rule out, and the check has to fail.
 */

#ifndef COMMITS
#define COMMITS 2
#endif
#ifndef READERS
#define READERS 2
#endif
#ifndef ASKS
#define ASKS 2
#endif
#ifndef BREAKS
#define BREAKS 0
#endif
#define FLIGHTS 3              /* a fourth load waits, as behind max_loads */
#define NONE 255

/* ---- The database ---- */

byte visible = 0;              /* the newest version that a snapshot sees */
byte written = 0;              /* the newest version whose commit the WAL has */
bool writing = true;

/* ---- The shard of the key ---- */

byte entry = NONE;             /* the version in memory */
bool isStale = false;          /* its time to live is over */
bool isRefreshing = false;
byte flight = NONE;            /* the flight that newcomers join */
#ifdef DELETES
bool storing = true;
#else
bool storing = false;          /* nothing is kept before the stream is live */
#endif

#define FREE 0
#define QUEUED 1
#define READ 2
#define LANDED 3               /* broken variant only */

typedef Flight {
    byte state;
    bool isForgotten;
    bool isFenceless;          /* broken variants only: it is in no table, so nothing can forget it */
    byte brought;              /* the version that it read */
};
Flight flights[FLIGHTS];
byte waits[READERS];           /* the flight that each reader waits for */
byte asking = READERS;         /* readers that are not done */

/* ---- What is to hold ---- */

byte bottom = 0;               /* nothing older than this may be served or stored from now on */
byte bottomAsked[READERS];     /* what it was when the reader asked */

/* ---- The stream ---- */

chan news = [COMMITS] of { byte };
bool isSubscribed = false;     /* the server's side: what commits from now on is told */
bool isBroken = false;         /* the connection is gone, and the sidecar does not know */
bool isLive = false;
byte breaks = BREAKS;

/* ---- Steps. All of them run in `atomic`. ---- */

#define has(wanted) (flights[0].state == wanted || flights[1].state == wanted || flights[2].state == wanted)
#define mayLead has(FREE)

/* A new flight in `f`. */
inline lead(f) {
    if
    :: flights[0].state == FREE -> f = 0
    :: else ->
        if
        :: flights[1].state == FREE -> f = 1
        :: else -> assert(flights[2].state == FREE); f = 2
        fi
    fi;
    flights[f].state = QUEUED
}

/* Joins the flight of the key, or starts one. Nobody has started another one that could be joined. */
inline join(f) {
    if
    :: flight != NONE -> f = flight
    :: else -> lead(f); flight = f
    fi
}

inline forget() {
#ifndef WITHOUT_FENCE
    if
    :: flight != NONE -> flights[flight].isForgotten = true; flight = NONE
    :: else
    fi
#endif
    skip
}

inline drop() {
    entry = NONE; isStale = false; isRefreshing = false
}

/* From here on only what was loaded after this moment counts: it is not older than what is visible now. */
inline raise(version) {
    if
    :: version > bottom -> bottom = version
    :: else
    fi;
    if
    :: visible > bottom -> bottom = visible
    :: else
    fi
}

/* An invalidation is applied; `version` is the one that it tells of. */
inline invalidate(version) {
    forget();
#ifdef BROKEN_STALE
    isStale = (entry != NONE);        /* kept, in case that a load fails */
#else
    drop();
#endif
    raise(version)
}

/* The stream is lost: what is in memory goes, what is loaded is handed out and not kept. */
inline suspendStoring() {
#ifndef UNTIL_TTL
    storing = false;
    invalidate(0)
#else
    skip
#endif
}

/* The stream is there again: nothing that was read before now is kept. */
inline resumeStoring() {
#ifdef BROKEN_RESUME
    drop(); raise(0);                 /* loads that began meanwhile go on as if nothing had happened */
#else
    invalidate(0);
#endif
    storing = true
}

/* Tells those who wait for `f`. */
inline deliver(f, version) {
    r = 0;
    do
    :: r < READERS ->
        if
        :: waits[r] == f ->
            assert(version == NONE || version >= bottomAsked[r]);
            waits[r] = NONE; bottomAsked[r] = 0
        :: else
        fi;
        r++
    :: else -> r = 0; break
    od
}

inline leaveTable(f) {
    if
    :: !flights[f].isForgotten && !flights[f].isFenceless -> assert(flight == f); flight = NONE
    :: else
    fi;
    flights[f].state = FREE; flights[f].brought = 0; flights[f].isForgotten = false; flights[f].isFenceless = false
}

inline store(f) {
    if
    :: flights[f].isForgotten
#ifdef EVICT
    :: !flights[f].isForgotten -> drop()      /* too large, or transient: it is handed out and not kept */
#endif
    :: !flights[f].isForgotten && storing ->
        assert(flights[f].brought >= bottom);
        assert(entry == NONE || flights[f].brought >= entry);
        entry = flights[f].brought; isStale = false; isRefreshing = false
    :: !flights[f].isForgotten && !storing -> drop()
    fi
}

/* A load brought a version: storing it and ending the flight are one step. */
inline land(f) {
    deliver(f, flights[f].brought);
#ifdef BROKEN_LANDING
    if                                /* it lands, and its value is stored in a step of its own */
    :: flights[f].isForgotten -> leaveTable(f)
    :: else -> flight = NONE; flights[f].state = LANDED
    fi
#else
    store(f);
    leaveTable(f)
#endif
}

/* A load failed: what is in memory may stand in, unless it was invalidated meanwhile. */
inline landFailed(f) {
    if
    :: flights[f].isForgotten -> deliver(f, NONE)
    :: else ->
        isRefreshing = false;
#ifdef STALE
        deliver(f, entry)
#else
        deliver(f, NONE)
#endif
    fi;
    leaveTable(f)
}

/* ---- Those who ask ---- */

proctype Reader(byte me) {
    byte asks = 0;
    byte f = NONE;
    do
    :: asks < ASKS ->
        /* Lookup: one step, whatever it decides. */
        atomic {
            mayLead || flight != NONE || (entry != NONE && !isStale) -> bottomAsked[me] = bottom;
#ifdef EVICT
            if
            :: entry != NONE && mayLead -> drop()
            :: true
            fi;
#endif
#ifdef STALE
            if
            :: entry != NONE && mayLead -> isStale = true
            :: true
            fi;
#endif
            if
            :: entry != NONE && !isStale ->
                assert(entry >= bottom);
#ifdef REFRESH
                if
                :: !isRefreshing && mayLead ->
                    isRefreshing = true;
#ifdef BROKEN_REFRESH
                    lead(f); flights[f].isFenceless = true
#else
                    join(f)
#endif
                :: true
                fi;
#endif
                f = NONE; bottomAsked[me] = 0
            :: else ->
#ifdef BROKEN_LOOKUP
                f = 0
#else
                join(f);
                waits[me] = f
#endif
            fi
        };
#ifdef BROKEN_LOOKUP
        /* groupcache's way: a look into the cache, and then, as another step, the flight. */
        if
        :: f != NONE ->
            atomic {
                mayLead -> bottomAsked[me] = bottom; assert(flight != NONE || entry == NONE || isStale);
                join(f);
                waits[me] = f
            }
        :: else
        fi;
#endif
        if
        :: waits[me] == NONE
        /* Its deadline: the flight goes on. Only one reader is impatient, or nobody would be found to wait for ever. */
        :: atomic { me == 0 && waits[me] != NONE -> waits[me] = NONE; bottomAsked[me] = 0 }
        fi;
        asks++;
        f = NONE
    :: asks == ASKS -> break
    od;
    asking--
}

/* ---- The loads ---- */

/*
 * Any load is sent and reads at any time, and its answer comes at any time after: on any number of connections, alone, in a
 * segment or in a batch, which is many that read at one moment and land one by one.
 */
/* One of the flights in this state, whichever. */
inline pick(wanted) {
    if
    :: flights[0].state == wanted -> f = 0
    :: flights[1].state == wanted -> f = 1
    :: flights[2].state == wanted -> f = 2
    fi
}

proctype Loads() {
    byte f = 0;
    byte r = 0;
end:
    do
    :: atomic { pick(QUEUED); flights[f].state = READ; flights[f].brought = visible; f = 0 }
    :: atomic { pick(READ); land(f); f = 0 }
#ifdef BROKEN_DROP
    :: atomic { pick(READ); leaveTable(f); f = 0 }       /* a flight that is dropped ends nothing */
#else
    :: atomic { pick(READ); landFailed(f); f = 0 }
#endif
#ifdef BROKEN_LANDING
    :: atomic { pick(LANDED); store(f); flights[f].isForgotten = true; leaveTable(f); f = 0 }
#endif
#ifdef BROKEN_SEGMENT
    /* A load that comes later is put into a segment that is under way, in a transaction that has its snapshot. */
    :: atomic {
        has(READ) && has(QUEUED) ->
        pick(READ); r = flights[f].brought;
        pick(QUEUED); flights[f].state = READ; flights[f].brought = r;
        f = 0; r = 0
      }
#endif
    od
}

/* ---- Those who write ---- */

proctype Writer() {
    do
#ifdef LOGICAL
    /* The commit is in the WAL, and told, before a snapshot sees it. A row's next writer waits for its lock until then. */
    :: atomic {
        written < COMMITS -> written++;
        if
        :: isSubscribed -> news!written
        :: else
        fi
      };
      visible = written
#else
    /* Whoever listens hears of it after a snapshot sees it. */
    :: atomic {
        visible < COMMITS -> visible++; written = visible;
#ifdef NOTIFY
        if
        :: isSubscribed -> news!visible
        :: else
        fi
#endif
      };
#ifdef DELETES
      /* The application says so itself, after its commit. */
      atomic { invalidate(visible) }
#endif
#endif
    :: written == COMMITS -> break
    od;
    writing = false
}

/* ---- The stream ---- */

/* What changed is loaded again at once, for nobody who waits; nothing older is served meanwhile. */
inline reload(version) {
    wasInMemory = (entry != NONE);
    invalidate(version);
    if
    :: wasInMemory && storing && mayLead -> join(f); f = NONE
    :: else
    fi;
    wasInMemory = false
}

inline apply(version) {
#ifdef BROKEN_RELOAD
    /* The old value is served until the new one is there. */
    atomic { mayLead -> forget(); raise(version); join(f); f = NONE }
#else
#ifdef BROKEN_ORDER
    atomic { drop() };
    atomic { forget(); raise(version) }
#else
#ifdef RELOAD
    atomic { reload(version) }
#else
    atomic { invalidate(version) }
#endif
#endif
#endif
}

proctype Stream() {
    byte version = 0;
    byte running = 0;             /* the version whose transaction was under way when the stream began; 0: none was */
    byte f = NONE;
    bool wasInMemory = false;
lost:
#ifdef BROKEN_RETURN
    /* Flush, then subscribe: a commit between the two is never told. */
    atomic { resumeStoring() };
    atomic { isSubscribed = true; isBroken = false; isLive = true };
#else
    atomic { isSubscribed = true; isBroken = false };
#ifdef LOGICAL
#ifndef BROKEN_START
    /* What was in the WAL before the stream's start is not told, and may not be visible yet: a snapshot says what is under
       way, and all of it that ends is taken for a change of everything. */
    atomic {
        if
        :: written > visible -> running = written
        :: else
        fi
    };
#endif
#endif
    atomic { resumeStoring(); isLive = true };
#endif
end:
    do
    :: atomic { running != 0 && visible >= running -> invalidate(0); running = 0 }
    :: atomic { nempty(news) -> news?version };
#ifdef LOGICAL
#ifndef WITHOUT_GATE
        /* The gate: held until a snapshot sees it. */
        if
        :: visible >= version -> skip
        :: isBroken -> goto found
        fi;
#endif
#endif
        apply(version);
        version = 0
    :: isBroken ->
found:
        atomic { isLive = false; version = 0; running = 0; suspendStoring() };
        goto lost
    od
}

proctype Fault() {
    byte version;
    do
    :: atomic { breaks > 0 && isSubscribed && writing ->
        breaks--; isSubscribed = false; isBroken = true;
        do
        :: nempty(news) -> news?version
        :: empty(news) -> break
        od;
        version = 0
      }
    :: !writing || breaks == 0 -> break
    od
}

/* When nothing more happens: nobody waits, and memory has what the database has. */
proctype End() {
    timeout ->
    assert(asking == 0 && flight == NONE);
    assert(entry == NONE || entry == visible);
#ifndef DELETES
    assert(isLive && storing)
#endif
}

init {
    byte n = 0;
    atomic {
        do
        :: n < READERS -> waits[n] = NONE; run Reader(n); n++
        :: else -> break
        od;
        n = 0;
        run Loads();
        run Writer();
#ifndef DELETES
        run Stream();
        run Fault();
#endif
        run End()
    }
}
