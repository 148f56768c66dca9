//! What operators do with devices, at any time: block, allow, wipe, call a wipe off, resync; and what a phone makes of a wipe.
//!
//! [`Standing`] is what operators were told. While a device may not talk no answer to it holds content, and its pairs say so; a wipe
//! counts for nothing before the phone has promised it.

use activesync_phone::Exchange;
use activesync_phone::activesync::command::CommandName;
use retract::eas::{Body, Outcome as Served};
use retract::ids::DeviceId;
use retract::ledger;
use retract::policy::{Access, NotDone, WipeKind, WipeOrder, WipeState};
use retract::recall::{PairView, State};

use super::world::World;

/// How a device stands, as far as operators were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Blocked or quarantined.
    pub(super) blocked: bool,
    /// The wipe that was ordered and is not cleared.
    pub(super) wipe: Option<WipeKind>,
    /// Whether it was told that its promise to wipe itself is on the books.
    pub(super) promise_taken: bool,
    /// Whether it was told that its failure to wipe itself is on the books.
    pub(super) failure_taken: bool,
    /// Whether it ever promised to wipe itself.
    pub(super) promised: bool,
    /// Whether it is on the books that it existed before them.
    pub(super) older: bool,
    /// The process died over a decision: the books say what became of it.
    pub(super) doubt: bool,
}

impl Standing {
    /// Whether the device may not talk, whatever the books say of its last request.
    pub(super) fn is_barred(&self) -> bool {
        !self.doubt && (self.blocked || self.wipe.is_some())
    }
}

impl World {
    /// An operator decides something about a device.
    pub(super) fn an_operator_acts(&mut self) {
        let index = self.random.index(self.handsets.len());
        let Some(device) = self.device(index) else { return };
        let standing = &self.handsets[index].standing;
        let (blocked, wiped) = (standing.blocked, standing.wipe.is_some());
        match (wiped, blocked, self.random.below(12)) {
            (true, _, 0..8) => self.clears(index, device),
            (true, _, 8..10) => self.blocks(index, device),
            (true, _, _) => self.wipes(index, device),
            (false, true, 0..8) => self.allows(index, device),
            (false, true, 8..10) => self.wipes(index, device),
            (false, true, _) => self.blocks(index, device),
            (false, false, 0..4) => self.blocks(index, device),
            (false, false, 4..7) => self.wipes(index, device),
            (false, false, 7..10) => self.resyncs(index, device),
            (false, false, 10) => self.allows(index, device),
            (false, false, _) => self.turns_out_older(index, device),
        }
    }

    /// The phone said something that only an older life can have taught it: the books have a gap.
    fn turns_out_older(&mut self, index: usize, device: DeviceId) {
        let row = self.life().read(move |tx| ledger::device::load(tx, device));
        let Some(row) = row else { return };
        let engine = self.life().house.engine.clone();
        let told = self.life().run(engine.came_from_elsewhere(&row));
        self.handsets[index].standing.older |= told.is_ok() && !self.is_dying();
    }

    fn blocks(&mut self, index: usize, device: DeviceId) {
        let access = if self.random.once_in(3) { Access::Quarantine } else { Access::Block };
        let policies = self.life().house.policies.clone();
        let told = self.life().run(policies.set_access(device, Some(access), "root"));
        let waits = self.wipe_of(device).is_some_and(|state| state.is_pending());
        self.decided(index, "block", &told);
        match told {
            _ if self.is_dying() => {}
            Ok(()) => {
                assert!(!waits, "{} was blocked before its wipe", self.called(index));
                self.handsets[index].standing.blocked = true;
            }
            Err(NotDone::BlockBeforeWipe) => assert!(waits, "no wipe waits"),
            Err(error) => panic!("a block failed: {error}"),
        }
    }

    fn allows(&mut self, index: usize, device: DeviceId) {
        let access = self.random.once_in(2).then_some(Access::Allow);
        let policies = self.life().house.policies.clone();
        let told = self.life().run(policies.set_access(device, access, "root"));
        self.decided(index, "allow", &told);
        if !self.is_dying() {
            told.expect("whoever is blocked can be allowed");
            self.handsets[index].standing.blocked = false;
        }
    }

    fn wipes(&mut self, index: usize, device: DeviceId) {
        let phone = &self.handsets[index].phone;
        let version = phone.profile.version.as_str();
        let wire = phone.device_id.clone();
        let kind = if self.random.once_in(2) { WipeKind::Account } else { WipeKind::Device };
        let typed = !self.random.once_in(6);
        let order = WipeOrder {
            device,
            kind,
            typed_id: typed.then_some(wire),
            by: "root".to_owned(),
            second: (!self.random.once_in(3)).then(|| "second".to_owned()),
            block_after: self.random.once_in(2),
        };
        let policies = self.life().house.policies.clone();
        let told = self.life().run(policies.wipe(order)).map(drop);
        self.decided(index, kind.name(), &told);
        let had_one = self.handsets[index].standing.wipe.is_some();
        match told {
            _ if self.is_dying() => {}
            Ok(()) => {
                let standing = &mut self.handsets[index].standing;
                (standing.wipe, standing.promise_taken) = (Some(kind), false);
                standing.failure_taken = false;
            }
            Err(NotDone::WipeUnsupported { .. }) => assert_ne!(version, "16.1"),
            Err(NotDone::IdNotTyped) => assert!(!typed, "the id was typed"),
            Err(NotDone::WipeUnderWay(_)) => assert!(had_one, "no wipe is under way"),
            Err(error) => panic!("a wipe was not ordered: {error}"),
        }
    }

    fn clears(&mut self, index: usize, device: DeviceId) {
        let policies = self.life().house.policies.clone();
        let told = self.life().run(policies.clear_wipe(device, "root"));
        self.decided(index, "clear", &told);
        match told {
            _ if self.is_dying() => {}
            Ok(()) => {
                let standing = &mut self.handsets[index].standing;
                (standing.wipe, standing.promise_taken) = (None, false);
                standing.failure_taken = false;
                self.learn_block(index, device);
            }
            Err(NotDone::DirectiveLeft) => {
                let has_failed = self.handsets[index].standing.failure_taken;
                assert!(!has_failed, "{} failed and waits for ever", self.called(index));
            }
            Err(error) => panic!("a wipe was not cleared: {error}"),
        }
    }

    fn resyncs(&mut self, index: usize, device: DeviceId) {
        let policies = self.life().house.policies.clone();
        let told = self.life().run(policies.resync(device, "root"));
        self.decided(index, "resync", &told);
        assert!(told.is_ok() || self.is_dying(), "a resync was not ordered");
    }

    fn decided(&mut self, index: usize, what: &str, told: &Result<(), NotDone>) {
        let said = told.as_ref().map_err(ToString::to_string);
        self.tell(format!("an operator: {what} {}: {said:?}", self.called(index)));
        let dying = self.is_dying();
        self.handsets[index].standing.doubt |= dying;
    }

    /// What the books say of a device's wipe.
    fn wipe_of(&self, device: DeviceId) -> Option<WipeState> {
        let policies = self.life().house.policies.clone();
        let view = self.life().run(policies.device(device)).ok()?;
        view.wipe.map(|wipe| wipe.state)
    }

    /// A promise blocks, and clearing its wipe allows, where the wipe was ordered so: the books know.
    fn learn_block(&mut self, index: usize, device: DeviceId) {
        let policies = self.life().house.policies.clone();
        let view = self.life().run(policies.device(device)).expect("it has been met");
        let blocked = view.access.is_some_and(|access| access != Access::Allow);
        self.handsets[index].standing.blocked = blocked;
    }

    /// After a start: what operators were told is on the books; what nobody was told is learnt.
    pub(super) fn learn_standings(&mut self) {
        for index in 0..self.handsets.len() {
            let Some(device) = self.device(index) else { continue };
            let policies = self.life().house.policies.clone();
            let view = self.life().run(policies.device(device)).expect("it has been met");
            let blocked = view.access.is_some_and(|access| access != Access::Allow);
            let wipe = view.wipe.as_ref().map(|wipe| wipe.kind);
            let failed = view.wipe.as_ref().is_some_and(|wipe| wipe.refused_count > 0);
            let promise = view.wipe.is_some_and(|wipe| !wipe.state.is_pending());
            let called = self.called(index);
            let standing = &mut self.handsets[index].standing;
            if !standing.doubt {
                assert_eq!(standing.blocked, blocked, "{called}: a block was lost");
                assert_eq!(standing.wipe, wipe, "{called}: a wipe was lost");
                assert!(failed || !standing.failure_taken, "{called}: a failure was lost");
            }
            *standing = Standing {
                blocked,
                wipe,
                promise_taken: promise,
                failure_taken: failed,
                promised: standing.promised,
                older: standing.older,
                doubt: false,
            };
        }
    }

    /// The end of the story: whoever may not talk is let in again, those who promised a wipe as new devices.
    pub(super) fn everybody_is_let_in(&mut self) {
        for index in 0..self.handsets.len() {
            let Some(device) = self.device(index) else { continue };
            if self.handsets[index].standing.wipe.is_some() {
                self.clears(index, device);
            }
            if self.handsets[index].standing.blocked {
                self.allows(index, device);
            }
        }
    }

    /// A device that may not talk is given nothing and does not wait.
    pub(super) fn check_barred(&self, index: usize, exchange: &Exchange, served: &Served) {
        let given = match served {
            Served::Wait(_) => true,
            Served::Answer(answer) => matches!(answer.body, Body::Released(_)),
        };
        let what = exchange.command;
        assert!(!given, "{} may not talk and was answered {what:?}", self.called(index));
    }

    /// The pair of a device that may not talk says so, and a wipe counts for nothing before it was promised.
    pub(super) fn check_standing(&self, index: usize, pair: &PairView) {
        let standing = &self.handsets[index].standing;
        let is_promise = matches!(pair.state, State::WipeAcked | State::WipeCorroborated);
        let (called, state) = (self.called(index), pair.state);
        assert!(!is_promise || standing.promised, "{called} promised nothing and is {state:?}");
        assert!(!standing.older || state != State::Prevented, "{called} is older than the books");
        let is_out = standing.blocked && standing.wipe.is_none() || standing.promise_taken;
        let waits = matches!(
            pair.state,
            State::Queued | State::Sent | State::Unsynced | State::Silent | State::ResyncOrdered
        );
        assert!(!(is_out && waits), "{called} may not talk and its pair reads {state:?}");
    }

    /// The directive has arrived. An honest phone promises and erases, or says that it cannot; the others promise and keep all.
    pub(super) fn told_to_wipe(&mut self, index: usize, account_only: bool) {
        let honest = self.handsets[index].is_honest;
        let status = if honest && self.random.once_in(4) { 2 } else { 1 };
        self.handsets[index].standing.promised |= status == 1;
        let exchange = self.handsets[index].phone.wipe_acknowledge(account_only, status);
        self.tell(format!("{}: answers its wipe with {status}", self.called(index)));
        let told = self.asks(index, &exchange).is_some();
        self.handsets[index].standing.failure_taken |= told && status == 2;
        if told && status == 1 {
            let device = self.device(index).expect("it has been met");
            // A wipe that was ordered since the directive left is another one.
            let state = self.wipe_of(device);
            self.handsets[index].standing.promise_taken =
                state.is_some_and(|state| !state.is_pending());
            self.learn_block(index, device);
        }
        if status == 1 && honest {
            self.handsets[index].erase();
        }
    }

    /// Whether the process died over an answer that changes how the device stands.
    pub(super) fn may_stand_otherwise(&mut self, index: usize, exchange: &Exchange) {
        let changes = exchange.command == Some(CommandName::Provision);
        self.handsets[index].standing.doubt |= changes;
    }
}
