//! The audit as a witness: played from its first entry, it tells where the retraction of every copy stands, and the report says the same.
//!
//! Every change of state has one entry, each begins where the one before it ended, and none is made without one.

use std::collections::BTreeMap;

use retract::audit::{self, Entry, Value};
use retract::ids::{DeviceId, IdentityId, OrderId};
use retract::recall::{RecipientResult, State};

use super::world::World;

/// A copy under an order: order, identity, device, folder, item, and whether it is beside the folder.
type CopyName = [i64; 6];

/// What the audit has told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Diary {
    read: Option<u64>,
    states: BTreeMap<CopyName, State>,
    cancelled: Vec<i64>,
}

impl Diary {
    /// Reads one entry.
    fn take(&mut self, entry: &Entry) {
        self.read = Some(entry.number);
        match entry.kind.as_str() {
            "order.cancelled" => {
                let order = number(entry, "order");
                self.cancelled.push(order);
                let mine = self.states.iter_mut().filter(|(name, _)| name[0] == order);
                mine.for_each(|(_, state)| *state = State::Cancelled);
            }
            "retraction" => self.take_retraction(entry),
            _ => {}
        }
    }

    fn take_retraction(&mut self, entry: &Entry) {
        let name = ["order", "identity", "device", "folder", "item", "search"];
        let name: CopyName = name.map(|field| number(entry, field));
        let (from, to) = (state(entry, "from"), state(entry, "to"));
        let was = self.states.insert(name, to).unwrap_or(State::Fenced);
        assert_eq!(was, from, "entry {} of copy {name:?} tells of another beginning", entry.number);
        assert_ne!(from, to, "entry {} tells of no change", entry.number);
        assert!(!self.cancelled.contains(&name[0]), "a cancelled order's copy moved: {name:?}");
    }

    /// The worst copy of a message on a device under an order.
    fn worst(&self, order: OrderId, identity: IdentityId, device: DeviceId) -> Option<State> {
        let pair = [order.0, identity.0, device.0];
        let copies = self.states.iter().filter(|(name, _)| name[..3] == pair);
        copies.map(|(_, state)| *state).max_by_key(|state| state.badness())
    }
}

impl World {
    /// The audit, the states and the report agree.
    pub(super) fn check_diary(&mut self) {
        let mut diary = std::mem::take(&mut self.diary);
        loop {
            let after = diary.read;
            let entries = self.life().read(move |tx| audit::entries(tx, after, PAGE, None));
            entries.iter().for_each(|entry| diary.take(entry));
            if entries.len() < PAGE {
                break;
            }
        }
        let recall = self.life().house.recall.clone();
        let mut told = 0;
        for order in &self.orders {
            let coverage = self.life().run(recall.coverage(order.id)).unwrap();
            for pair in &coverage.devices {
                let worst = diary.worst(order.id, pair.identity, pair.device);
                let (device, id) = (pair.device, order.id);
                let what = format!("order {id}, device {device}");
                // Two copies may be equally bad in different states.
                let told_badness = worst.map(State::badness);
                assert_eq!(told_badness, Some(pair.state.badness()), "{what}: {worst:?}");
                told += 1;
            }
            let covered = coverage.devices.iter().filter(|pair| pair.state.is_covered()).count();
            // Somebody outside whose mail was still in the outbox has no device here, and is covered.
            let never_left = coverage.recipients.iter().filter(|outside| {
                outside.verdict.is_none() && outside.result == RecipientResult::NotReached
            });
            let covered = (covered + never_left.count()) as u64;
            assert_eq!(coverage.covered, covered, "order {} counts otherwise", order.id);
        }
        let pairs = diary.states.keys().map(|name| [name[0], name[1], name[2]]);
        let pairs: std::collections::BTreeSet<_> = pairs.collect();
        assert_eq!(pairs.len(), told, "the audit tells of other pairs than the reports");
        self.diary = diary;
    }

    /// After a start: what was read of the audit is still there, word for word.
    pub(super) fn check_audit_survived(&mut self) {
        let report = self.life().read(audit::verify);
        assert!(report.first_bad.is_none(), "the audit: {:?}", report.first_bad);
        // Entries of a step that died may be there or not: all is read again.
        let read = self.diary.read;
        assert!(read.is_none_or(|read| read < report.head.size), "audit entries are lost");
        self.diary = Diary::default();
    }
}

fn number(entry: &Entry, name: &str) -> i64 {
    let field = entry.fields.iter().find(|field| field.name == name);
    match field.map(|field| &field.value) {
        Some(Value::Number(number)) => *number,
        _ => 0,
    }
}

fn state(entry: &Entry, name: &str) -> State {
    let field = entry.fields.iter().find(|field| field.name == name);
    let Some(Value::Text(text)) = field.map(|field| &field.value) else { panic!("{entry:?}") };
    let mut all = State::ALL.into_iter();
    all.find(|state| state.name() == text).expect("a state we know")
}

/// Entries read at once.
const PAGE: usize = 1_000;
