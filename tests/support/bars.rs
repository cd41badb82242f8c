//! What a delivery may cost, in counts that no machine changes: the one table of them, and how a
//! count is held against it.
//!
//! No time is measured here, so nothing in it fails because a machine is slow. A count above its
//! bar fails: the code does more for a delivery than it did. One far below it says that the bar is
//! to be lowered, or the next slip would hide in the room that was won.
//!
//! Whoever changes what a delivery costs changes `measured` here; the tests print what they count.

/// A count and the most that it may be.
pub(crate) struct Bar {
    pub(crate) what: &'static str,
    /// When the bar was last set.
    measured: f64,
    /// How far above that it may be, in percent.
    slack: f64,
    /// What it is made of, and why the slack is what it is.
    why: &'static str,
}

/// Nothing but the code decides it.
const EXACT: f64 = 0.0;
/// The same, but in pages: a change that is none of a delivery's may move it a little.
const NEAR: f64 = 2.0;
/// Buffers and timers move it a little.
const CLOSE: f64 = 10.0;
/// What is read and written in pieces moves it.
const LOOSE: f64 = 25.0;
/// How much rides in a commit is up to how long a sync takes: measured on a busy disk, where few
/// commits do; a quick one makes some times as many.
const DISK: f64 = 400.0;
/// Partly of commits.
const MIXED: f64 = 100.0;

const fn bar(what: &'static str, measured: f64, slack: f64, why: &'static str) -> Bar {
    Bar {
        what,
        measured,
        slack,
        why,
    }
}

/// By the store alone: an event of 1 KiB for one hook, accepted and settled as delivered.
#[rustfmt::skip]
static OF_THE_STORE: [Bar; 10] = [
    bar("store: rows a delivery", 5.0, EXACT,
        "event, its id, delivery, history, attempt; what is pending goes again"),
    bar("store: bytes kept a delivery", 1_418.0, NEAR,
        "keys and records as redb counts them, 1 KiB of it the payload"),
    bar("store, commits of 1: syncs for 1,000 deliveries", 2_005.0, EXACT,
        "two commits for each, a sync for each, and one each time that the file doubles"),
    bar("store, commits of 8: syncs for 1,000 deliveries", 254.0, EXACT, "an eighth of it"),
    bar("store, commits of 64: syncs for 1,000 deliveries", 34.2, EXACT, "a 64th"),
    bar("store, commits of 256: syncs for 1,000 deliveries", 9.8, EXACT, "a 256th"),
    bar("store, commits of 1: bytes written a delivery", 95_752.0, NEAR,
        "pages of 4 KiB, each table's path from leaf to root, twice"),
    bar("store, commits of 8: bytes written a delivery", 13_532.0, NEAR, "neighbours share pages"),
    bar("store, commits of 64: bytes written a delivery", 3_338.0, NEAR, "the same"),
    bar("store, commits of 256: bytes written a delivery", 2_262.5, NEAR, "little but what is kept"),
];

/// By the whole server, from the socket of the post to the socket of the receiver.
#[rustfmt::skip]
static OF_THE_SERVER: [Bar; 13] = [
    bar("server, one at a time: commits for 1,000 deliveries", 2_000.0, EXACT,
        "accept and settle; nothing else writes"),
    bar("server, one at a time: connections for 1,000 deliveries", 1.0, EXACT,
        "one is kept and serves them all"),
    bar("server, one at a time: allocations a delivery", 1_424.0, CLOSE,
        "of 1 KiB, without plugins; those of two commits are most of them"),
    bar("server, one at a time: bytes allocated a delivery", 231_500.0, CLOSE, "the same"),
    bar("server, 64 at a time: commits for 1,000 deliveries", 103.0, DISK,
        "what arrives during a sync shares the next"),
    bar("server, 64 at a time: connections for 1,000 deliveries", 9.0, 78.0,
        "the hook's `max_in_flight`, and those that find the kept ones not yet given back"),
    bar("server, 64 at a time: allocations a delivery", 283.0, MIXED,
        "those of a commit are shared by what it carries"),
    bar("server, 64 at a time: bytes allocated a delivery", 73_300.0, MIXED, "the same"),
    bar("server, fan-out 10: allocations a delivery", 394.0, MIXED,
        "one event is accepted for ten; its results share commits as it comes"),
    bar("server: allocations more for each KiB of payload", 0.1, 900.0,
        "buffers that grow; a tree of the payload would have one for each of its 26 members"),
    bar("server: times that a payload is copied into memory of its own", 6.4, LOOSE,
        "by what one of 65 KiB takes more than one of 1 KiB"),
    bar("server, a chain of one: allocations a delivery more", 71.0, LOOSE,
        "the store and the instance of a call, its event and its record"),
    bar("server: instances for each plugin and attempt", 1.0, EXACT, "each call has its own"),
];

fn find(what: &str) -> &'static Bar {
    let all = OF_THE_STORE.iter().chain(&OF_THE_SERVER);
    let mut found = all.filter(|bar| bar.what == what);
    found
        .next()
        .unwrap_or_else(|| panic!("no bar is called \"{what}\""))
}

/// Counts that were held against their bars.
#[derive(Default)]
pub(crate) struct Held {
    above: Vec<String>,
}

impl Held {
    pub(crate) fn count(&mut self, what: &str, counted: f64) {
        let bar = find(what);
        let most = bar.measured * (1.0 + bar.slack / 100.0);
        // What is counted per delivery may end in rounding.
        let rounding = 1e-6 * most;
        let least = bar.measured * (1.0 - bar.slack.max(CLOSE) / 100.0);
        let verdict = if counted > most + rounding {
            self.above.push(format!(
                "{what}: {counted:.2}, at most {most:.2}; {}",
                bar.why
            ));
            "ABOVE ITS BAR"
        } else if counted < least {
            "lower the bar"
        } else {
            ""
        };
        println!("{what:<64} {counted:>12.2} of {most:>12.2}  {verdict}");
    }

    /// # Panics
    /// If any was above its bar.
    pub(crate) fn end(self) {
        assert!(
            self.above.is_empty(),
            "a delivery costs more than it did:\n{}\nIf it has to, say so in tests/support/bars.rs.",
            self.above.join("\n")
        );
    }
}
