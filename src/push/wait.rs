//! One wait as a state machine: rings and time in, the end of the wait out. Knows no socket and no timer.

use std::time::Duration;

use super::bell::Ring;
use crate::clock::Timestamp;
use crate::ids::FolderId;

/// How patient a wait is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitLimits {
    /// Deletions by other clients end a wait after this pause, so that emptying a folder wakes a phone once.
    pub removals_coalesce: Duration,
}

impl Default for WaitLimits {
    fn default() -> WaitLimits {
        WaitLimits { removals_coalesce: Duration::from_secs(10) }
    }
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The heartbeat is over and nothing happened.
    Heartbeat,
    /// Something to fetch in these folders.
    Folders(Vec<FolderId>),
    /// The folders themselves changed.
    Hierarchy,
    /// The device must provision again, is blocked, or is to be wiped.
    Access,
    /// A newer request of the same kind took its place.
    Superseded,
    /// The gateway stops.
    Stop,
}

/// A wait in progress.
#[derive(Clone, Debug)]
pub struct Wait {
    deadline: Timestamp,
    limits: WaitLimits,
    removed: Vec<FolderId>,
    removed_until: Option<Timestamp>,
}

impl Wait {
    /// A wait that ends at `deadline` at the latest.
    pub fn until(deadline: Timestamp, limits: WaitLimits) -> Wait {
        Wait { deadline, limits, removed: Vec::new(), removed_until: None }
    }

    /// Something rang. Arrivals and recalls end the wait at once, deletions after the coalescing pause, other changes never: they
    /// are delivered with the next answer ([MS-ASCMD] 2.2.3.202).
    pub fn handle_rings(&mut self, now: Timestamp, rings: &[Ring]) -> Option<Ended> {
        let mut folders = Vec::new();
        for ring in rings {
            match *ring {
                Ring::Superseded => return Some(Ended::Superseded),
                Ring::Stop => return Some(Ended::Stop),
                Ring::Access => return Some(Ended::Access),
                Ring::Hierarchy => return Some(Ended::Hierarchy),
                Ring::Arrival(folder) | Ring::Recall(folder) => push(&mut folders, folder),
                Ring::Removal(folder) => self.removal(now, folder),
                Ring::Change(_) => {}
            }
        }
        if !folders.is_empty() {
            return Some(Ended::Folders(self.with_removed(folders)));
        }
        self.handle_time(now)
    }

    /// Deletions that were there before the wait began: they are waited for like those that come.
    pub fn begin(&mut self, now: Timestamp, removals: &[Ring]) {
        for ring in removals {
            if let Ring::Removal(folder) = *ring {
                self.removal(now, folder);
            }
        }
    }

    fn removal(&mut self, now: Timestamp, folder: FolderId) {
        push(&mut self.removed, folder);
        self.removed_until.get_or_insert(now.after(self.limits.removals_coalesce));
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now: Timestamp) -> Option<Ended> {
        if self.removed_until.is_some_and(|until| until <= now) {
            return Some(Ended::Folders(self.with_removed(Vec::new())));
        }
        (self.deadline <= now).then_some(Ended::Heartbeat)
    }

    /// When [`Wait::handle_time`] has to be called at the latest.
    pub fn poll_timeout(&self) -> Timestamp {
        self.removed_until.map_or(self.deadline, |until| until.min(self.deadline))
    }

    /// A ring turned out to be nothing for this device: deletions waited for are forgotten.
    pub fn forget_removals(&mut self) {
        self.removed.clear();
        self.removed_until = None;
    }

    fn with_removed(&mut self, mut folders: Vec<FolderId>) -> Vec<FolderId> {
        for folder in std::mem::take(&mut self.removed) {
            push(&mut folders, folder);
        }
        self.removed_until = None;
        folders
    }
}

fn push(folders: &mut Vec<FolderId>, folder: FolderId) {
    if !folders.contains(&folder) {
        folders.push(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: FolderId = FolderId(5);
    const G: FolderId = FolderId(6);

    fn wait() -> Wait {
        Wait::until(Timestamp(60_000), WaitLimits { removals_coalesce: Duration::from_secs(5) })
    }

    #[test]
    fn an_arrival_ends_the_wait_and_a_read_flag_does_not() {
        let mut wait = wait();
        assert_eq!(wait.handle_rings(Timestamp(1), &[Ring::Change(F)]), None);
        assert_eq!(
            wait.handle_rings(Timestamp(2), &[Ring::Arrival(F), Ring::Arrival(F)]),
            Some(Ended::Folders(vec![F]))
        );
    }

    #[test]
    fn deletions_wait_for_each_other_and_a_recall_waits_for_nobody() {
        let mut wait = wait();
        assert_eq!(wait.handle_rings(Timestamp(1_000), &[Ring::Removal(F)]), None);
        assert_eq!(wait.poll_timeout(), Timestamp(6_000));
        assert_eq!(wait.handle_rings(Timestamp(4_000), &[Ring::Removal(G)]), None);
        assert_eq!(wait.poll_timeout(), Timestamp(6_000), "a second deletion does not put it off");
        assert_eq!(wait.handle_time(Timestamp(6_000)), Some(Ended::Folders(vec![F, G])));
        assert_eq!(
            wait.handle_rings(Timestamp(7_000), &[Ring::Recall(G)]),
            Some(Ended::Folders(vec![G]))
        );
    }

    #[test]
    fn the_heartbeat_is_the_last_word() {
        let mut wait = wait();
        assert_eq!(wait.handle_time(Timestamp(59_999)), None);
        assert_eq!(wait.handle_time(Timestamp(60_000)), Some(Ended::Heartbeat));
    }

    #[test]
    fn a_wipe_or_a_newer_request_ends_it_whatever_else_rang() {
        assert_eq!(
            wait().handle_rings(Timestamp(0), &[Ring::Arrival(F), Ring::Access]),
            Some(Ended::Access)
        );
        assert_eq!(wait().handle_rings(Timestamp(0), &[Ring::Superseded]), Some(Ended::Superseded));
    }

    #[test]
    fn deletions_before_the_wait_end_it_at_once_where_none_are_waited_for() {
        let limits = WaitLimits { removals_coalesce: Duration::ZERO };
        let mut wait = Wait::until(Timestamp(60_000), limits);
        wait.begin(Timestamp(1_000), &[Ring::Removal(F)]);
        assert_eq!(wait.handle_time(Timestamp(1_000)), Some(Ended::Folders(vec![F])));
    }
}
