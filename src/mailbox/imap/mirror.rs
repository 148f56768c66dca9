//! The mirror of a folder: what one look at it on the server means for what we know of it.
//!
//! [`judge`] is pure. It takes what we know and what a [`Look`] brought, and gives the [`Step`] to take or says why to look again:
//!
//! - A look that does not add up to the number of messages the server says it has is no look.
//! - Another UIDVALIDITY is another generation if a second look says the same: everything known is retired then, and only a look at
//!   everything is believed.
//! - A position of changes that goes backwards makes "what has changed since" worthless: look at everything.
//! - Many messages gone at once are gone only if a second look finds them gone too.

use imap_sans::{Flag, NumberSet};

/// So many messages may go at once without a second look.
pub const GONE_UNASKED_MAX: u64 = 20;

/// What we know of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The generation of its UIDs; 0 before the first look.
    pub uid_validity: u32,
    /// The position up to which we know; 0 if the server keeps none.
    pub modseq: u64,
    /// The UIDs of the messages in it.
    pub live: NumberSet,
}

/// One message as a look found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its UID.
    pub uid: u32,
    /// Its flags.
    pub flags: Vec<Flag>,
}

/// What a look at a folder brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The generation of its UIDs.
    pub uid_validity: u32,
    /// The position of its latest change when the look began; 0 if the server keeps none.
    pub modseq: u64,
    /// How many messages it has, as the server said last.
    pub exists: u32,
    /// What was told of them.
    pub told: Told,
}

/// How a look was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Every message there is.
    All(Vec<Seen>),
    /// What has changed since [`Known::modseq`] (RFC 7162).
    Since {
        /// UIDs that are gone; some of them we may never have known.
        vanished: NumberSet,
        /// Messages that came or changed.
        changed: Vec<Seen>,
    },
}

/// What to do about a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds: record this.
    Take(Step),
    /// It does not, or not yet: look at everything.
    LookAgain(Doubt),
}

/// What to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Is everything known so far of an older generation?
    pub new_generation: bool,
    /// UIDs that are gone, of the generation known so far.
    pub gone: NumberSet,
    /// Messages that came or may have changed.
    pub seen: Vec<Seen>,
    /// What we know afterwards.
    pub next: Known,
}

/// Why a look is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It does not add up to the number of messages the server says it has.
    Incomplete {
        /// How many it should be.
        exists: u32,
        /// How many it would be.
        would_be: u64,
    },
    /// The first look brought changes only.
    NotAll,
    /// The generation is another one, and no look before said so.
    NewGeneration(u32),
    /// The position of changes went backwards.
    WentBack,
    /// Many messages are gone: these.
    ManyGone(NumberSet),
}

/// What the look before was not believed for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubted {
    /// What [`Doubt::ManyGone`] named.
    pub gone: Option<NumberSet>,
    /// What [`Doubt::NewGeneration`] named.
    pub generation: Option<u32>,
}

impl Doubted {
    /// Remembers why a look was not believed.
    pub fn note(&mut self, doubt: &Doubt) {
        match doubt {
            Doubt::ManyGone(gone) => self.gone = Some(gone.clone()),
            Doubt::NewGeneration(generation) => self.generation = Some(*generation),
            _ => {}
        }
    }
}

/// Judges a look; `doubted` is what looks just before were not believed for.
pub fn judge(known: &Known, look: Look, doubted: &Doubted) -> Verdict {
    let first = known.uid_validity == 0;
    let new_generation = !first && look.uid_validity != known.uid_validity;
    let Look { uid_validity, modseq, exists, told } = look;
    let (live, seen) = match told {
        Told::Since { .. } if first => return Verdict::LookAgain(Doubt::NotAll),
        _ if new_generation && doubted.generation != Some(uid_validity) => {
            return Verdict::LookAgain(Doubt::NewGeneration(uid_validity));
        }
        Told::Since { .. } if new_generation => return Verdict::LookAgain(Doubt::NotAll),
        Told::Since { .. } if modseq < known.modseq => return Verdict::LookAgain(Doubt::WentBack),
        Told::Since { vanished, changed } => {
            let mut live = known.live.without(&vanished);
            changed.iter().for_each(|one| live.insert(one.uid));
            (live, changed)
        }
        Told::All(seen) => (seen.iter().map(|one| one.uid).collect(), seen),
    };
    if live.len() != u64::from(exists) {
        return Verdict::LookAgain(Doubt::Incomplete { exists, would_be: live.len() });
    }
    let gone = if new_generation { known.live.clone() } else { known.live.without(&live) };
    let is_sure = new_generation || gone.len() <= GONE_UNASKED_MAX;
    if !is_sure && !is_confirmed(&gone, doubted.gone.as_ref()) {
        return Verdict::LookAgain(Doubt::ManyGone(gone));
    }
    let next = Known { uid_validity, modseq, live };
    Verdict::Take(Step { new_generation, gone, seen, next })
}

/// Did the look before find all of these gone too, but for a few that have gone since?
fn is_confirmed(gone: &NumberSet, doubted: Option<&NumberSet>) -> bool {
    doubted.is_some_and(|doubted| gone.without(doubted).len() <= GONE_UNASKED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(uids: impl IntoIterator<Item = u32>) -> Vec<Seen> {
        uids.into_iter().map(|uid| Seen { uid, flags: Vec::new() }).collect()
    }

    fn known(live: std::ops::RangeInclusive<u32>) -> Known {
        Known { uid_validity: 7, modseq: 100, live: NumberSet::from(live) }
    }

    fn since(vanished: &[u32], changed: &[u32], exists: u32) -> Look {
        let vanished = vanished.iter().copied().collect();
        let told = Told::Since { vanished, changed: seen(changed.iter().copied()) };
        Look { uid_validity: 7, modseq: 110, exists, told }
    }

    fn all(uids: impl IntoIterator<Item = u32>) -> Look {
        let uids = seen(uids);
        let exists = u32::try_from(uids.len()).unwrap();
        Look { uid_validity: 7, modseq: 110, exists, told: Told::All(uids) }
    }

    fn none() -> Doubted {
        Doubted::default()
    }

    fn those(gone: &NumberSet) -> Doubted {
        Doubted { gone: Some(gone.clone()), generation: None }
    }

    fn taken(verdict: Verdict) -> Step {
        match verdict {
            Verdict::Take(step) => step,
            Verdict::LookAgain(doubt) => panic!("{doubt:?}"),
        }
    }

    #[test]
    fn changes_are_taken_when_they_add_up() {
        // 90 vanished without ever having been known: it came and went between two looks.
        let step = taken(judge(&known(1..=10), since(&[2, 3, 90], &[4, 11], 9), &none()));
        assert_eq!(
            (step.gone.to_string(), step.next.live.to_string()),
            ("2:3".into(), "1,4:11".into())
        );
        assert_eq!((step.next.modseq, step.new_generation), (110, false));
    }

    #[test]
    fn an_empty_answer_is_never_an_empty_folder() {
        let empty = Look { exists: 10, ..all([]) };
        let doubt = Doubt::Incomplete { exists: 10, would_be: 0 };
        assert_eq!(judge(&known(1..=10), empty, &none()), Verdict::LookAgain(doubt));
        let lost_line = judge(&known(1..=10), since(&[2], &[], 8), &none());
        assert!(matches!(
            lost_line,
            Verdict::LookAgain(Doubt::Incomplete { exists: 8, would_be: 9 })
        ));
    }

    #[test]
    fn many_gone_at_once_are_looked_at_twice() {
        let before = known(1..=100);
        let Verdict::LookAgain(Doubt::ManyGone(gone)) = judge(&before, all(51..=100), &none())
        else {
            panic!("believed at once")
        };
        assert_eq!(gone.to_string(), "1:50");
        assert_eq!(taken(judge(&before, all(52..=100), &those(&gone))).gone.to_string(), "1:51");
        assert!(
            taken(judge(&before, all(1..=100), &those(&gone))).gone.is_empty(),
            "they are back"
        );
        let others = judge(&before, all(1..=50), &those(&gone));
        assert!(matches!(others, Verdict::LookAgain(Doubt::ManyGone(_))), "others are gone now");
    }

    #[test]
    fn another_generation_retires_everything_and_asks_for_everything() {
        let other = |look: Look| Look { uid_validity: 8, modseq: 1, ..look };
        let changes = judge(&known(1..=10), other(since(&[], &[], 10)), &none());
        assert_eq!(changes, Verdict::LookAgain(Doubt::NewGeneration(8)));
        let once = judge(&known(1..=10), other(all(1..=3)), &none());
        assert_eq!(
            once,
            Verdict::LookAgain(Doubt::NewGeneration(8)),
            "said once, it may be a slip"
        );
        let mut doubted = none();
        doubted.note(&Doubt::NewGeneration(8));
        let step = taken(judge(&known(1..=10), other(all(1..=3)), &doubted));
        assert!(step.new_generation && step.gone.len() == 10 && step.seen.len() == 3);
        assert_eq!(step.next, Known { uid_validity: 8, modseq: 1, live: NumberSet::from(1..=3) });
    }

    #[test]
    fn a_position_that_goes_backwards_is_caught() {
        let back = Look { modseq: 99, ..since(&[], &[], 10) };
        assert_eq!(judge(&known(1..=10), back, &none()), Verdict::LookAgain(Doubt::WentBack));
        let everything = Look { modseq: 99, ..all(1..=10) };
        assert_eq!(taken(judge(&known(1..=10), everything, &none())).next.modseq, 99);
    }

    #[test]
    fn the_first_look_is_at_everything() {
        let before = Known::default();
        assert!(matches!(judge(&before, since(&[], &[], 0), &none()), Verdict::LookAgain(_)));
        assert_eq!(taken(judge(&before, all(1..=500), &none())).seen.len(), 500);
    }

    proptest! {
        /// Told as changes or as a whole, the folder is the same; and nothing is gone that is there.
        #[test]
        fn both_ways_of_telling_agree(
            before in proptest::collection::btree_set(1u32..40, 0..30),
            after in proptest::collection::btree_set(1u32..60, 0..30),
        ) {
            let known = Known { uid_validity: 7, modseq: 100, live: before.iter().copied().collect() };
            let gone: Vec<u32> = before.difference(&after).copied().collect();
            let came: Vec<u32> = after.difference(&before).copied().collect();
            let exists = u32::try_from(after.len()).unwrap();
            let everything: NumberSet = before.iter().copied().collect();
            let told = taken(judge(&known, since(&gone, &came, exists), &those(&everything)));
            let whole = taken(judge(&known, all(after.iter().copied()), &those(&everything)));
            prop_assert_eq!(&told.next, &whole.next);
            prop_assert_eq!(&told.gone, &whole.gone);
            prop_assert!(told.gone.numbers().all(|uid| before.contains(&uid) && !after.contains(&uid)));
        }
    }
}
