//! The states of one copy and the evidence that moves it: a table, and nothing decides beside it.
//!
//! [`next`] is pure. What it refuses cannot be written down: the shell in `retraction.rs` changes a row only through it. The table
//! restates section "Retraction" of the product's promise line by line; the tests compare it with a second, plain restatement.

use serde::{Deserialize, Serialize};

/// Where the retraction of one copy stands. The numbers are what the database holds, so they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has asked for it.
    None = 0,
    /// An authorised order covers it; the order is not committed yet.
    Accepted = 1,
    /// The order is committed: no answer after it contains the message. What the device holds has not been looked up yet.
    Fenced = 2,
    /// Nothing of it ever left for this device, and now nothing will.
    Prevented = 3,
    /// A `Delete` is owed to the device.
    Queued = 4,
    /// A `Delete` is in an answer on the books.
    Sent = 5,
    /// The app presented the key that came with the `Delete`: acknowledged, the most ActiveSync can show.
    Acknowledged = 6,
    /// The device no longer syncs the collection, so no `Delete` can reach it.
    Unsynced = 7,
    /// The device has not been heard of for longer than is usual for it.
    Silent = 8,
    /// The device was told to start the collection anew.
    ResyncOrdered = 9,
    /// The device started the collection anew, without the message, and presented a key of the new enumeration.
    Resynced = 10,
    /// Two people asked for a wipe.
    WipeRequested = 11,
    /// The device was told to provision, which is where the directive waits.
    WipeSignalled = 12,
    /// The directive left.
    WipeSent = 13,
    /// The device promised to wipe.
    WipeAcked = 14,
    /// The device said it could not, or went on with its old policy key.
    WipeRefused = 15,
    /// After its promise the device came back empty, or stayed away.
    WipeCorroborated = 16,
    /// The device may not talk to us: nothing new reaches it, and no `Delete` either.
    Blocked = 17,
    /// Given up with its residual risk; re-opens when the device returns.
    Unreachable = 18,
    /// A copy that no `Delete` touches.
    NotRetractable = 19,
    /// Beyond this gateway altogether.
    Outside = 20,
    /// The order was cancelled.
    Cancelled = 21,
}

/// What happened, as far as it bears on one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// An authorised order names it.
    OrderAuthorised,
    /// The order's transaction is this one.
    OrderCommitted,
    /// The ledger shows no content flag; `gap` says that the ledger cannot vouch for the whole of the device's past.
    NeverSent {
        /// The device existed before the ledger, or the ledger was rolled back.
        gap: bool,
    },
    /// The ledger shows, or with a gap cannot exclude, an open copy.
    MayBeHeld,
    /// An answer with the `Delete` is written to the books by this transaction.
    DeletePlanned,
    /// An authenticated request presented a key of the branch that carries the `Delete`.
    KeyPresented {
        /// Sequence of the first answer that carried the `Delete`, if one did since the last setback.
        first_sent: Option<u64>,
        /// Sequence of the key presented.
        presented: u64,
    },
    /// A sibling was presented whose answer did not carry the `Delete`.
    OnlyInSibling,
    /// The parent was presented again: the answer with the `Delete` was lost.
    ParentAgain,
    /// A key older than the proven branch, a new partnership, or the message itself came from the device.
    StateRestored,
    /// The device deleted it itself for good, or its SoftDelete is proven.
    RemovedEarlier,
    /// The folder was deleted in a hierarchy key that was presented later.
    FolderGone,
    /// The device stopped to sync the collection.
    CollectionDropped,
    /// No authenticated request for longer than policy and habit allow.
    NoContact,
    /// The device asks for the collection again.
    Returned {
        /// Whether a `Delete` is out that it may still prove.
        was_sent: bool,
    },
    /// Policy orders a resync of the collection.
    ResyncAsked,
    /// Key 0 was presented, and later a key of the enumeration that began with it.
    ResetProven,
    /// A wipe is asked for.
    WipeAsked {
        /// A second person agreed.
        second_person: bool,
    },
    /// The device was told to provision.
    WipeSignal,
    /// The answer with the directive left.
    WipeDirective,
    /// Provision Status 1 came back.
    WipePromised,
    /// Provision Status 2 came back, or the device went on as before.
    WipeFailed,
    /// The device came back with nothing, or stayed away long enough.
    WipeBorneOut,
    /// A wipe that was not promised was called off.
    WipeCalledOff,
    /// The device is blocked or quarantined.
    AccessBlocked,
    /// The last moment passed, the partnership was removed, or the user is gone.
    GivenUp,
    /// A search copy or an external forward.
    BeyondDelete,
    /// A recipient we do not serve, or a foreign channel.
    BeyondGateway,
    /// The order is cancelled by this transaction.
    OrderCancelled,
}

/// Whether a `Delete` can name a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A synced item in its folder.
    Placed,
    /// A copy from a search, or one of which the books cannot say where it is, or whether it is: no `Delete` names it, so none is ever
    /// owed for it, sent or acknowledged, and a block holds nothing back from it.
    Beyond,
}

/// Why evidence does not move a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The table has no such line.
    #[error("{evidence:?} does not move a copy that is {state:?}")]
    NoSuchLine {
        /// Where the copy stands.
        state: State,
        /// What was brought forward.
        evidence: Evidence,
    },
    /// A device with a gap can never be called never exposed.
    #[error("the ledger has a gap for this device")]
    Gap,
    /// The key presented is older than any answer that carried the `Delete`.
    #[error("the key presented does not come from an answer with the Delete")]
    NotThatBranch,
    /// One person alone does not wipe a device.
    #[error("a second person has to agree")]
    SecondPersonMissing,
    /// What a `Delete` shows, or a block holds back, is nothing to a copy that no `Delete` names.
    #[error("no Delete names this copy")]
    BeyondDelete,
}

/// Moves one copy, or says why not.
pub fn next(reach: Reach, state: State, evidence: Evidence) -> Result<State, Refused> {
    guard(evidence)?;
    let kind = Kind::of(evidence);
    let to = TABLE
        .iter()
        .find(|line| line.evidence == kind && line.from.contains(&state))
        .map(|line| line.to)
        .ok_or(Refused::NoSuchLine { state, evidence })?;
    match reach {
        Reach::Placed => Ok(to),
        Reach::Beyond => beyond(to, kind).ok_or(Refused::BeyondDelete),
    }
}

/// Where the table's move takes a copy that no `Delete` names. What a wipe, or our giving up, had made of it falls back to what it
/// was; wherever else only a `Delete` leads, it does not go.
fn beyond(to: State, kind: Kind) -> Option<State> {
    let falls_back = matches!(
        kind,
        Kind::ReturnedUnsent | Kind::ReturnedSent | Kind::WipeCalledOff | Kind::StateRestored
    );
    match to {
        to if !OF_A_DELETE.contains(&to) => Some(to),
        _ if falls_back => Some(State::NotRetractable),
        _ => None,
    }
}

impl State {
    /// Every state, in the order of its number.
    pub const ALL: [State; 22] = {
        use State::*;
        [
            None,
            Accepted,
            Fenced,
            Prevented,
            Queued,
            Sent,
            Acknowledged,
            Unsynced,
            Silent,
            ResyncOrdered,
            Resynced,
            WipeRequested,
            WipeSignalled,
            WipeSent,
            WipeAcked,
            WipeRefused,
            WipeCorroborated,
            Blocked,
            Unreachable,
            NotRetractable,
            Outside,
            Cancelled,
        ]
    };

    /// The number the database holds.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// The state with this number.
    pub fn from_number(number: i64) -> Option<State> {
        usize::try_from(number).ok().and_then(|index| State::ALL.get(index).copied())
    }

    /// Its name in reports, audit entries and JSON.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Whether a copy in this state counts as covered. WipeAcked does not: it is a promise, and shown beside.
    pub fn is_covered(self) -> bool {
        matches!(self, State::Prevented | State::Acknowledged | State::Resynced)
    }

    /// Whether a `Delete` is still owed if the device asks for the collection.
    pub fn is_owed(self) -> bool {
        OWED.contains(&self)
    }

    /// Its place in the order from best to worst; a pair shows the copy with the highest.
    pub fn badness(self) -> u8 {
        use State::*;
        match self {
            Prevented => 0,
            Acknowledged | Resynced => 1,
            WipeCorroborated => 2,
            WipeAcked => 3,
            Cancelled => 4,
            Sent | ResyncOrdered => 5,
            Queued | None | Accepted | Fenced => 6,
            Unsynced => 7,
            Silent => 8,
            WipeRequested | WipeSignalled | WipeSent | WipeRefused => 9,
            Blocked => 10,
            Unreachable => 11,
            NotRetractable => 12,
            Outside => 13,
        }
    }
}

/// The guards that look into the evidence; where they do not hold, the table is not even asked.
fn guard(evidence: Evidence) -> Result<(), Refused> {
    match evidence {
        Evidence::NeverSent { gap: true } => Err(Refused::Gap),
        Evidence::KeyPresented { first_sent, presented }
            if first_sent.is_none_or(|first| presented < first) =>
        {
            Err(Refused::NotThatBranch)
        }
        Evidence::WipeAsked { second_person: false } => Err(Refused::SecondPersonMissing),
        _ => Ok(()),
    }
}

/// Evidence without what its guard looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OrderAuthorised,
    OrderCommitted,
    NeverSent,
    MayBeHeld,
    DeletePlanned,
    KeyPresented,
    OnlyInSibling,
    ParentAgain,
    StateRestored,
    RemovedEarlier,
    FolderGone,
    CollectionDropped,
    NoContact,
    ReturnedUnsent,
    ReturnedSent,
    ResyncAsked,
    ResetProven,
    WipeAsked,
    WipeSignal,
    WipeDirective,
    WipePromised,
    WipeFailed,
    WipeBorneOut,
    WipeCalledOff,
    AccessBlocked,
    GivenUp,
    BeyondDelete,
    BeyondGateway,
    OrderCancelled,
}

impl Kind {
    fn of(evidence: Evidence) -> Kind {
        match evidence {
            Evidence::OrderAuthorised => Kind::OrderAuthorised,
            Evidence::OrderCommitted => Kind::OrderCommitted,
            Evidence::NeverSent { .. } => Kind::NeverSent,
            Evidence::MayBeHeld => Kind::MayBeHeld,
            Evidence::DeletePlanned => Kind::DeletePlanned,
            Evidence::KeyPresented { .. } => Kind::KeyPresented,
            Evidence::OnlyInSibling => Kind::OnlyInSibling,
            Evidence::ParentAgain => Kind::ParentAgain,
            Evidence::StateRestored => Kind::StateRestored,
            Evidence::RemovedEarlier => Kind::RemovedEarlier,
            Evidence::FolderGone => Kind::FolderGone,
            Evidence::CollectionDropped => Kind::CollectionDropped,
            Evidence::NoContact => Kind::NoContact,
            Evidence::Returned { was_sent: false } => Kind::ReturnedUnsent,
            Evidence::Returned { was_sent: true } => Kind::ReturnedSent,
            Evidence::ResyncAsked => Kind::ResyncAsked,
            Evidence::ResetProven => Kind::ResetProven,
            Evidence::WipeAsked { .. } => Kind::WipeAsked,
            Evidence::WipeSignal => Kind::WipeSignal,
            Evidence::WipeDirective => Kind::WipeDirective,
            Evidence::WipePromised => Kind::WipePromised,
            Evidence::WipeFailed => Kind::WipeFailed,
            Evidence::WipeBorneOut => Kind::WipeBorneOut,
            Evidence::WipeCalledOff => Kind::WipeCalledOff,
            Evidence::AccessBlocked => Kind::AccessBlocked,
            Evidence::GivenUp => Kind::GivenUp,
            Evidence::BeyondDelete => Kind::BeyondDelete,
            Evidence::BeyondGateway => Kind::BeyondGateway,
            Evidence::OrderCancelled => Kind::OrderCancelled,
        }
    }
}

struct Line {
    from: &'static [State],
    evidence: Kind,
    to: State,
}

const fn line(from: &'static [State], evidence: Kind, to: State) -> Line {
    Line { from, evidence, to }
}

/// The transitions, one line each.
const TABLE: &[Line] = {
    use State::*;
    &[
        line(&[None], Kind::OrderAuthorised, Accepted),
        line(&[Accepted], Kind::OrderCommitted, Fenced),
        line(&[Fenced], Kind::NeverSent, Prevented),
        line(&[Fenced], Kind::MayBeHeld, Queued),
        line(&[Fenced], Kind::BeyondGateway, Outside),
        line(&[Queued, Sent], Kind::DeletePlanned, Sent),
        line(&[Sent], Kind::KeyPresented, Acknowledged),
        line(&[Sent], Kind::OnlyInSibling, Queued),
        line(&[Sent], Kind::ParentAgain, Sent),
        line(&[Sent, Acknowledged, Resynced, ResyncOrdered], Kind::StateRestored, Queued),
        line(&[Queued, Sent], Kind::RemovedEarlier, Acknowledged),
        line(&[Queued, Sent], Kind::FolderGone, Acknowledged),
        line(&[Queued, Sent], Kind::CollectionDropped, Unsynced),
        line(&[Queued, Sent], Kind::NoContact, Silent),
        line(AWAY, Kind::ReturnedUnsent, Queued),
        line(AWAY, Kind::ReturnedSent, Sent),
        line(&[Queued, Sent], Kind::ResyncAsked, ResyncOrdered),
        line(&[Queued, Sent, ResyncOrdered], Kind::ResetProven, Resynced),
        line(UNRESOLVED, Kind::WipeAsked, WipeRequested),
        line(&[WipeRequested], Kind::WipeSignal, WipeSignalled),
        line(&[WipeSignalled, WipeRefused], Kind::WipeDirective, WipeSent),
        line(&[WipeSent], Kind::WipePromised, WipeAcked),
        line(&[WipeSent, WipeAcked, WipeCorroborated], Kind::WipeFailed, WipeRefused),
        line(&[WipeAcked], Kind::WipeBorneOut, WipeCorroborated),
        line(&[WipeRequested, WipeSignalled, WipeSent, WipeRefused], Kind::WipeCalledOff, Queued),
        line(UNRESOLVED, Kind::AccessBlocked, Blocked),
        line(UNRESOLVED, Kind::GivenUp, Unreachable),
        line(DEVICE_STATES, Kind::BeyondDelete, NotRetractable),
        line(CANCELLABLE, Kind::OrderCancelled, Cancelled),
    ]
};

/// Not gone from the device as far as we know, and a return of the device takes the work up again.
const AWAY: &[State] = {
    use State::*;
    &[Unsynced, Silent, ResyncOrdered, WipeRefused, Blocked, Unreachable]
};

/// What further steps, or the end of our patience, can still change.
const UNRESOLVED: &[State] = {
    use State::*;
    &[
        Queued,
        Sent,
        Unsynced,
        Silent,
        ResyncOrdered,
        WipeRequested,
        WipeSignalled,
        WipeSent,
        WipeRefused,
        Blocked,
        Unreachable,
        NotRetractable,
    ]
};

/// Every state of a copy that concerns a device, once the fence stands.
const DEVICE_STATES: &[State] = {
    use State::*;
    &[
        Fenced,
        Prevented,
        Queued,
        Sent,
        Acknowledged,
        Unsynced,
        Silent,
        ResyncOrdered,
        Resynced,
        WipeRequested,
        WipeSignalled,
        WipeSent,
        WipeAcked,
        WipeRefused,
        WipeCorroborated,
        Blocked,
        Unreachable,
    ]
};

/// Every state but `None` and `Cancelled` itself.
const CANCELLABLE: &[State] = {
    use State::*;
    &[
        Accepted,
        Fenced,
        Prevented,
        Queued,
        Sent,
        Acknowledged,
        Unsynced,
        Silent,
        ResyncOrdered,
        Resynced,
        WipeRequested,
        WipeSignalled,
        WipeSent,
        WipeAcked,
        WipeRefused,
        WipeCorroborated,
        Blocked,
        Unreachable,
        NotRetractable,
        Outside,
    ]
};

/// States that mean something only of a copy a `Delete` can name.
const OF_A_DELETE: [State; 8] = {
    use State::*;
    [Queued, Sent, Acknowledged, Unsynced, Silent, ResyncOrdered, Resynced, Blocked]
};

/// States in which a `Delete` is owed; `tables.rs` and the partial index of migration 4 spell out the same numbers.
pub(super) const OWED: [State; 8] = {
    use State::*;
    [Queued, Sent, Unsynced, Silent, ResyncOrdered, WipeRefused, Blocked, Unreachable]
};

const NAMES: [&str; 22] = [
    "none",
    "accepted",
    "fenced",
    "prevented",
    "queued",
    "sent",
    "acknowledged",
    "unsynced",
    "silent",
    "resync_ordered",
    "resynced",
    "wipe_requested",
    "wipe_signalled",
    "wipe_sent",
    "wipe_acked",
    "wipe_refused",
    "wipe_corroborated",
    "blocked",
    "unreachable",
    "not_retractable",
    "outside",
    "cancelled",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The promise once more, told state by state instead of evidence by evidence.
    fn plain(state: State, evidence: Evidence) -> Option<State> {
        use Evidence as E;
        use State::*;
        if let E::OrderCancelled = evidence {
            return (state != None && state != Cancelled).then_some(Cancelled);
        }
        let is_ours = !matches!(state, None | Accepted | Outside | Cancelled | NotRetractable);
        if let (E::BeyondDelete, true) = (evidence, is_ours) {
            return Some(NotRetractable);
        }
        let is_settled = state.is_covered() || matches!(state, WipeAcked | WipeCorroborated);
        let is_open = state == NotRetractable || (is_ours && !is_settled && state != Fenced);
        match evidence {
            E::AccessBlocked if is_open => return Some(Blocked),
            E::GivenUp if is_open => return Some(Unreachable),
            E::WipeAsked { second_person: true } if is_open => return Some(WipeRequested),
            _ => {}
        }
        let back = |was_sent| if was_sent { Sent } else { Queued };
        match (state, evidence) {
            (None, E::OrderAuthorised) => Some(Accepted),
            (Accepted, E::OrderCommitted) => Some(Fenced),
            (Fenced, E::NeverSent { gap: false }) => Some(Prevented),
            (Fenced, E::MayBeHeld) => Some(Queued),
            (Fenced, E::BeyondGateway) => Some(Outside),
            (Queued | Sent, E::DeletePlanned) => Some(Sent),
            (Queued | Sent, E::RemovedEarlier | E::FolderGone) => Some(Acknowledged),
            (Queued | Sent, E::CollectionDropped) => Some(Unsynced),
            (Queued | Sent, E::NoContact) => Some(Silent),
            (Queued | Sent, E::ResyncAsked) => Some(ResyncOrdered),
            (Queued | Sent | ResyncOrdered, E::ResetProven) => Some(Resynced),
            (Sent, E::KeyPresented { first_sent: Some(n), presented }) if presented >= n => {
                Some(Acknowledged)
            }
            (Sent, E::OnlyInSibling) => Some(Queued),
            (Sent, E::ParentAgain) => Some(Sent),
            (Sent | Acknowledged | Resynced | ResyncOrdered, E::StateRestored) => Some(Queued),
            (Unsynced | Silent | ResyncOrdered, E::Returned { was_sent }) => Some(back(was_sent)),
            (WipeRefused | Blocked | Unreachable, E::Returned { was_sent }) => Some(back(was_sent)),
            (WipeRequested, E::WipeSignal) => Some(WipeSignalled),
            (WipeSignalled | WipeRefused, E::WipeDirective) => Some(WipeSent),
            (WipeSent, E::WipePromised) => Some(WipeAcked),
            (WipeSent | WipeAcked | WipeCorroborated, E::WipeFailed) => Some(WipeRefused),
            (WipeAcked, E::WipeBorneOut) => Some(WipeCorroborated),
            (WipeRequested | WipeSignalled | WipeSent | WipeRefused, E::WipeCalledOff) => {
                Some(Queued)
            }
            _ => Option::None,
        }
    }

    fn any_state() -> impl Strategy<Value = State> {
        (0..State::ALL.len()).prop_map(|index| State::ALL[index])
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        use Evidence as E;
        prop_oneof![
            Just(E::OrderAuthorised),
            Just(E::OrderCommitted),
            any::<bool>().prop_map(|gap| E::NeverSent { gap }),
            Just(E::MayBeHeld),
            Just(E::DeletePlanned),
            (proptest::option::of(0..9u64), 0..9u64)
                .prop_map(|(first_sent, presented)| E::KeyPresented { first_sent, presented }),
            Just(E::OnlyInSibling),
            Just(E::ParentAgain),
            Just(E::StateRestored),
            Just(E::RemovedEarlier),
            Just(E::FolderGone),
            Just(E::CollectionDropped),
            Just(E::NoContact),
            any::<bool>().prop_map(|was_sent| E::Returned { was_sent }),
            Just(E::ResyncAsked),
            Just(E::ResetProven),
            any::<bool>().prop_map(|second_person| E::WipeAsked { second_person }),
            Just(E::WipeSignal),
            Just(E::WipeDirective),
            Just(E::WipePromised),
            Just(E::WipeFailed),
            Just(E::WipeBorneOut),
            Just(E::WipeCalledOff),
            Just(E::AccessBlocked),
            Just(E::GivenUp),
            Just(E::BeyondDelete),
            Just(E::BeyondGateway),
            Just(E::OrderCancelled),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_table_says_what_the_promise_says(state in any_state(), evidence in any_evidence()) {
            prop_assert_eq!(next(Reach::Placed, state, evidence).ok(), plain(state, evidence));
        }

        /// Whatever happens in whatever order, acknowledged is earned and prevented excludes exposure.
        #[test]
        fn acknowledged_is_earned(story in proptest::collection::vec(any_evidence(), 1..60)) {
            let (mut state, mut was_held) = (State::None, false);
            for evidence in story {
                let Ok(to) = next(Reach::Placed, state, evidence) else { continue };
                was_held |= evidence == Evidence::MayBeHeld;
                if matches!(evidence, Evidence::KeyPresented { .. }) {
                    prop_assert_eq!(state, State::Sent);
                }
                prop_assert!(to != State::Prevented || !was_held);
                state = to;
            }
        }

        /// A copy without a place, and one from a search: whatever is said of it, nothing is owed for it, sent to it or acknowledged.
        #[test]
        fn a_copy_that_no_delete_names_is_never_owed_nor_acknowledged(
            start in any_state(),
            story in proptest::collection::vec(any_evidence(), 1..60),
        ) {
            use State::*;
            let of_a_delete =
                [Queued, Sent, Acknowledged, Resynced, ResyncOrdered, Unsynced, Silent, Blocked];
            let mut state = if of_a_delete.contains(&start) { NotRetractable } else { start };
            for evidence in story {
                let before = state;
                state = next(Reach::Beyond, state, evidence).unwrap_or(state);
                prop_assert!(!of_a_delete.contains(&state), "{before:?} by {evidence:?}");
            }
        }

        /// A block, a wipe that came to nothing and our giving up leave such a copy what it was.
        #[test]
        fn a_copy_that_no_delete_names_comes_back_to_what_it_was(
            was_prevented in any::<bool>(),
            story in proptest::collection::vec(any_evidence(), 1..60),
        ) {
            use Evidence as E;
            let was = if was_prevented { State::Prevented } else { State::NotRetractable };
            let mut state = was;
            for evidence in story {
                let is_about_it = matches!(
                    evidence,
                    E::BeyondDelete | E::OrderCancelled | E::WipePromised | E::WipeBorneOut
                );
                if !is_about_it {
                    state = next(Reach::Beyond, state, evidence).unwrap_or(state);
                }
            }
            for evidence in [E::WipeCalledOff, E::WipeSignal, E::WipeCalledOff, E::WipeDirective] {
                state = next(Reach::Beyond, state, evidence).unwrap_or(state);
            }
            for evidence in [E::WipeFailed, E::Returned { was_sent: true }] {
                state = next(Reach::Beyond, state, evidence).unwrap_or(state);
            }
            prop_assert_eq!(state, was);
        }
    }

    #[test]
    fn a_gap_is_never_called_never_exposed() {
        let evidence = Evidence::NeverSent { gap: true };
        assert_eq!(next(Reach::Placed, State::Fenced, evidence), Err(Refused::Gap));
    }

    #[test]
    fn numbers_and_names_are_those_of_the_database() {
        for (index, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, index);
            assert_eq!(State::from_number(state.number()), Some(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{}\"", state.name()));
        }
        assert_eq!(State::from_number(22), None);
        assert_eq!(State::from_number(-1), None);
    }
}
