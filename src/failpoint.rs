//! Places where a test can kill the process: `failpoint!("write.before_commit")`.
//!
//! In debug builds `RETRACT_FAILPOINT=name` (or `name:3` for the third time) aborts the process when execution comes by: nothing is
//! flushed, no destructor runs, as when the power goes. In release builds the macro is nothing at all. A name that is not in
//! [`NAMES`] does not compile, so a crash test that walks the list walks every place there is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every failpoint there is, in the order the rooms are stacked.
pub const NAMES: &[&str] = &[
    "write.before_savepoint",
    "write.after_savepoint",
    "write.before_commit",
    "write.after_commit",
    "write.before_answer",
    "bodies.after_temp",
    "bodies.after_fsync",
    "bodies.after_rename",
    "bodies.after_folder_fsync",
    "backup.after_database",
    "backup.after_bodies",
    "restore.before_epoch",
    "restore.before_rename",
    "mailbox.after_body",
    "imap.moved",
    "imap.marked",
    "imap.removed",
    "imap.appended",
    "imap.replaced",
    "delivery.before_reply",
    "outbox.after_submit",
    "outbox.before_relay",
    "outbox.after_relay",
    "outbox.after_commit",
    "outbox.local_before_commit",
    "outbox.local_after_commit",
    "filing.begun",
    "filing.after_append",
    "filing.after_commit",
    "away.before_commit",
    "away.after_commit",
    "recall.order_written",
    "recall.before_answer",
    "recall.expanded",
    "recall.copies_sealed",
    "recall.copy_kept",
    "recall.copy_removed",
    "recall.cancel_written",
    "recall.copies_restored",
    "recall.copy_returning",
    "recall.copy_returned",
    "sync.after_books",
    "sync.after_gate",
    "upload.after_intent",
    "upload.after_store",
    "move.after_intent",
    "move.after_store",
];

/// The environment variable that arms one failpoint.
pub const VARIABLE: &str = "RETRACT_FAILPOINT";

/// Marks a place where a test can kill the process; the name must be one of [`NAMES`].
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {{
        const _: () = assert!($crate::failpoint::is_known($name), "not in failpoint::NAMES");
        if cfg!(debug_assertions) {
            $crate::failpoint::pass($name);
        }
    }};
}

/// Whether the name is on the list; `failpoint!` asks at compile time.
pub const fn is_known(name: &str) -> bool {
    let mut index = 0;
    while index < NAMES.len() {
        if is_same(NAMES[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

/// Counts a passage and aborts at the armed one. Called by `failpoint!` in debug builds only.
pub fn pass(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| Armed::parse(&std::env::var(VARIABLE).ok()?));
    if let Some(armed) = armed
        && armed.passes(name)
    {
        std::process::abort();
    }
}

struct Armed {
    name: String,
    left: AtomicU64,
}

impl Armed {
    fn parse(text: &str) -> Option<Armed> {
        let (name, nth) = match text.split_once(':') {
            Some((name, nth)) => (name, nth.parse().ok()?),
            None => (text, 1),
        };
        let known = NAMES.contains(&name) && nth > 0;
        known.then(|| Armed { name: name.to_owned(), left: AtomicU64::new(nth) })
    }

    /// True exactly once: at the n-th passage.
    fn passes(&self, name: &str) -> bool {
        name == self.name && self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once() {
        let mut sorted = NAMES.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), NAMES.len());
        assert!(is_known("write.before_commit") && !is_known("write.before_comm"));
    }

    #[test]
    fn the_third_passage_is_the_third() {
        let armed = Armed::parse("write.before_commit:3").unwrap();
        let hits: Vec<bool> = (0..5).map(|_| armed.passes("write.before_commit")).collect();
        assert_eq!(hits, [false, false, true, false, false]);
        assert!(!armed.passes("write.after_commit"));
        assert!(
            Armed::parse("no.such.place").is_none()
                && Armed::parse("write.before_commit:0").is_none()
        );
    }
}
