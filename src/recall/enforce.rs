//! The next step for a copy: retract, wake, nudge, resync, give up. Pure; `run.rs` and the sync room carry it out.
//!
//! Nothing here claims progress. Silence is not a failure, and no step goes beyond what policy allows by itself: a wipe is never
//! among them.

use std::time::Duration;

use super::state::State;
use crate::clock::Timestamp;

/// What an installation allows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// A device that has not been heard of for this long, and for three of its own longest usual pauses, is silent.
    pub silent_after: Duration,
    /// A collection that a device has not asked for in this long, while it was heard, is one it no longer syncs: no `Delete` reaches it
    /// there.
    pub unsynced_after: Duration,
    /// A copy that is still open after this long is given up, with its residual risk; it re-opens when the device returns.
    pub give_up_after: Duration,
    /// After this many replays the device is told to start the collection anew; `None`: never.
    pub resync_after_replays: Option<u32>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            silent_after: SILENT_AFTER,
            unsynced_after: UNSYNCED_AFTER,
            give_up_after: GIVE_UP_AFTER,
            resync_after_replays: None,
        }
    }
}

/// What is known about a copy and its device at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// Where the copy stands.
    pub state: State,
    /// When the fence began to cover it.
    pub since: Timestamp,
    /// How often the answer with the `Delete` had to go out again.
    pub replays: u32,
    /// The device's last authenticated request; `None`: it has no partnership any more.
    pub last_seen: Option<Timestamp>,
    /// The 95th percentile of its pauses.
    pub pause_p95: Option<Duration>,
    /// When it last asked for the collection, as far as it has been written down; `None`: never.
    pub last_asked: Option<Timestamp>,
    /// It was woken for the `Delete` already.
    pub was_woken: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: settled, or somebody else's turn.
    Rest,
    /// Wake the device: a `Delete` waits.
    Wake,
    /// The `Delete` is out: have the device present its key.
    Nudge,
    /// Tell the device to start the collection anew.
    OrderResync,
    /// Say that it is silent.
    MarkSilent,
    /// Say that it no longer syncs the collection.
    MarkUnsynced,
    /// Close it with its residual risk.
    GiveUp,
}

/// The next step for a copy.
pub fn next_step(policy: &Policy, now: Timestamp, situation: &Situation) -> Step {
    if !situation.state.is_owed() || situation.state == State::Unreachable {
        return Step::Rest;
    }
    let Some(last_seen) = situation.last_seen else { return Step::GiveUp };
    if now.since(situation.since) > policy.give_up_after {
        return Step::GiveUp;
    }
    let is_silent = now.since(last_seen) > silent_after(policy, situation.pause_p95);
    let resync = policy.resync_after_replays.is_some_and(|most| situation.replays >= most);
    match situation.state {
        State::Queued | State::Sent if is_silent => Step::MarkSilent,
        State::Queued | State::Sent if is_unasked(policy, last_seen, situation) => {
            Step::MarkUnsynced
        }
        State::Sent if resync => Step::OrderResync,
        State::Queued if !situation.was_woken => Step::Wake,
        State::Sent => Step::Nudge,
        _ => Step::Rest,
    }
}

/// Whether the device was heard long after it asked for the collection last, and has not asked since there was something to fetch.
fn is_unasked(policy: &Policy, last_seen: Timestamp, situation: &Situation) -> bool {
    let asked = situation.last_asked.map_or(situation.since, |asked| asked.max(situation.since));
    last_seen.since(asked) > policy.unsynced_after
}

/// How long a device may be quiet before we say so: what policy says, or three times what is usual for it, whichever is longer.
pub fn silent_after(policy: &Policy, pause_p95: Option<Duration>) -> Duration {
    let usual = pause_p95.unwrap_or_default().saturating_mul(PAUSES);
    policy.silent_after.max(usual)
}

/// How many deletes the next answer should carry at most, after this many replays; `None`: as many as the window holds.
pub fn deletes_max(replays: u32) -> Option<usize> {
    match replays {
        0..=1 => None,
        2..=4 => Some(SHRUNK_WINDOW),
        _ => Some(1),
    }
}

/// Whether a device may be nudged once more, given the times of its earlier nudges.
pub fn may_nudge(earlier: &[Timestamp], now: Timestamp) -> bool {
    let recent = earlier.iter().filter(|at| now.since(**at) < NUDGE_PERIOD).count();
    recent < NUDGES_MAX
}

/// Three usual pauses.
const PAUSES: u32 = 3;
/// A phone that is switched on speaks at least this often.
const SILENT_AFTER: Duration = Duration::from_hours(24);
/// A phone that syncs a folder asks for it within three days, or is woken for it and asks at once.
const UNSYNCED_AFTER: Duration = Duration::from_hours(24 * 3);
/// After three months a lost phone is a lost phone.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24 * 90);
/// The first shrinking of the window after replays.
const SHRUNK_WINDOW: usize = 25;
/// Nudges one device gets in [`NUDGE_PERIOD`].
const NUDGES_MAX: usize = 4;
/// The period nudges are counted over.
const NUDGE_PERIOD: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn situation(state: State) -> Situation {
        Situation {
            state,
            since: Timestamp::ZERO,
            replays: 0,
            last_seen: Some(Timestamp::ZERO),
            pause_p95: None,
            last_asked: None,
            was_woken: false,
        }
    }

    #[test]
    fn a_folder_is_no_longer_synced_when_the_device_is_heard_and_does_not_ask_for_it() {
        let policy = Policy::default();
        let at = |hours: u32| Some(Timestamp::ZERO.after(HOUR * hours));
        let now = Timestamp::ZERO.after(HOUR * 100);
        let heard = Situation { last_seen: at(99), was_woken: true, ..situation(State::Queued) };
        assert_eq!(next_step(&policy, now, &heard), Step::MarkUnsynced, "it never asked for it");
        for (asked, step) in [(20, Step::MarkUnsynced), (30, Step::Rest)] {
            let situation = Situation { last_asked: at(asked), ..heard };
            assert_eq!(next_step(&policy, now, &situation), step, "asked after {asked} hours");
        }
        // What is to be fetched is new: that it was not asked for before says nothing.
        let fresh = Situation { since: Timestamp::ZERO.after(HOUR * 98), ..heard };
        assert_eq!(next_step(&policy, now, &fresh), Step::Rest);
        let quiet = Situation { last_seen: at(71), ..heard };
        assert_eq!(next_step(&policy, now, &quiet), Step::MarkSilent, "not heard is not unasked");
    }

    #[test]
    fn silence_is_measured_by_the_habit_of_the_device() {
        let policy = Policy::default();
        let now = Timestamp::ZERO.after(HOUR * 25);
        assert_eq!(next_step(&policy, now, &situation(State::Sent)), Step::MarkSilent);
        let slow = Situation { pause_p95: Some(HOUR * 9), ..situation(State::Sent) };
        assert_eq!(next_step(&policy, now, &slow), Step::Nudge);
        assert_eq!(next_step(&policy, now.after(HOUR * 4), &slow), Step::MarkSilent);
    }

    #[test]
    fn what_is_settled_rests_and_what_is_gone_is_given_up() {
        let policy = Policy::default();
        let far = Timestamp::ZERO.after(GIVE_UP_AFTER * 2);
        for state in
            [State::Prevented, State::Acknowledged, State::Cancelled, State::NotRetractable]
        {
            assert_eq!(next_step(&policy, far, &situation(state)), Step::Rest);
        }
        assert_eq!(next_step(&policy, far, &situation(State::Silent)), Step::GiveUp);
        let gone = Situation { last_seen: None, ..situation(State::Queued) };
        assert_eq!(next_step(&policy, Timestamp::ZERO, &gone), Step::GiveUp);
    }

    #[test]
    fn a_resync_is_ordered_only_by_policy() {
        let replaying = Situation { replays: 9, ..situation(State::Sent) };
        assert_eq!(next_step(&Policy::default(), Timestamp::ZERO, &replaying), Step::Nudge);
        let policy = Policy { resync_after_replays: Some(6), ..Policy::default() };
        assert_eq!(next_step(&policy, Timestamp::ZERO, &replaying), Step::OrderResync);
    }

    #[test]
    fn replays_shrink_the_window_and_nudges_run_out() {
        assert_eq!([0, 2, 5].map(deletes_max), [None, Some(25), Some(1)]);
        let earlier = [Timestamp::ZERO; 4];
        assert!(!may_nudge(&earlier, Timestamp::ZERO.after(HOUR / 2)));
        assert!(may_nudge(&earlier, Timestamp::ZERO.after(HOUR)));
    }
}
