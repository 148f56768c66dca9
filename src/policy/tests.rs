//! The room at work: provisioning with lost answers, changed policies, and wipes that fail before they succeed.

use std::sync::Arc;
use std::time::Duration;

use conformance::conforms;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;
use crate::clock::Timestamp;
use crate::database::Options;
use crate::directory::{Directory, NewUser, Settings};
use crate::ids::{MailboxId, UserId};
use crate::ledger::device::{Introduction, meet};
use crate::secret::Secret;

struct House {
    policies: Policies,
    clock: Clock,
    rung: Arc<Mutex<Vec<DeviceId>>>,
    device: Device,
    _dir: TempDir,
}

async fn house(version: &'static str) -> House {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp(1_000_000));
    let database = Database::open(dir.path(), Options::quick(&clock)).unwrap();
    let directory = Directory::new(database.clone(), clock.clone(), Settings::quick()).unwrap();
    let user = NewUser {
        name: "ann".into(),
        address: "ann@a.example".into(),
        password: Secret::new("correct horse".into()),
        ..NewUser::default()
    };
    directory.add_user(user).await.unwrap();
    let job = move |tx: &Tx<'_>| {
        let who = Introduction {
            user: UserId(1),
            mailbox: MailboxId(1),
            wire_id: "PHONE1",
            device_type: "iPhone",
            user_agent: "",
            version,
        };
        meet(tx, &who, Timestamp(1))
    };
    let device: Option<Device> = database.write::<_, Error, _>(job).await.unwrap();
    let rung = Arc::new(Mutex::new(Vec::new()));
    let hears = rung.clone();
    let ring: Ring = Arc::new(move |device| hears.lock().push(device));
    let policies = Policies::new(database, clock.clone(), ring);
    House { policies, clock, rung, device: device.unwrap(), _dir: dir }
}

impl House {
    async fn ask(&self, key: u32) -> Verdict {
        self.policies.admit(&self.device, Asking::Other, Some(key), false).await.unwrap()
    }

    async fn provision(&self) -> u32 {
        let Begun::Policy(offer) = self.policies.begin(&self.device).await.unwrap() else {
            panic!("a wipe waits")
        };
        match self.acknowledge(offer.key, Compliance::Whole).await {
            Acknowledged::Key(key) => key,
            other => panic!("{other:?}"),
        }
    }

    async fn acknowledge(&self, key: u32, said: Compliance) -> Acknowledged {
        self.policies.acknowledge(&self.device, key, said).await.unwrap()
    }

    fn order(&self, kind: WipeKind, typed: Option<&str>) -> WipeOrder {
        WipeOrder {
            device: self.device.id,
            kind,
            typed_id: typed.map(str::to_owned),
            by: "root".into(),
            second: None,
            block_after: true,
        }
    }
}

#[tokio::test]
async fn a_device_provisions_in_two_phases_and_lost_answers_change_nothing() {
    let house = house("16.1").await;
    assert_eq!(house.ask(0).await, Verdict::NotProvisioned);
    conforms!("MS-ASPROV_R483");
    let Begun::Policy(first) = house.policies.begin(&house.device).await.unwrap() else { panic!() };
    let Begun::Policy(again) = house.policies.begin(&house.device).await.unwrap() else { panic!() };
    assert_eq!(first, again);
    assert_eq!(house.ask(first.key).await, Verdict::InvalidPolicyKey);
    conforms!("MS-ASPROV_R487", "MS-ASPROV_R650");
    assert_eq!(house.acknowledge(first.key ^ 1, Compliance::Whole).await, Acknowledged::UnknownKey);
    conforms!("MS-ASPROV_R657");
    let key = house.acknowledge(first.key, Compliance::Whole).await;
    assert_eq!(house.acknowledge(first.key, Compliance::Whole).await, key);
    let Acknowledged::Key(key) = key else { panic!() };
    assert_eq!(house.ask(key).await, Verdict::Admitted);
    conforms!("MS-ASPROV_R662");
    let Begun::Policy(later) = house.policies.begin(&house.device).await.unwrap() else { panic!() };
    assert_ne!(later.key, first.key);
    assert_eq!(house.ask(key).await, Verdict::Admitted, "until the new one is acknowledged");
}

#[tokio::test]
async fn a_changed_policy_is_fetched_again_and_may_insist() {
    let house = house("16.1").await;
    let key = house.provision().await;
    let rules = Rules { password_required: Some(true), ..Rules::default() };
    let strict = Policy {
        name: "strict".into(),
        revision: 0,
        rules,
        exempts_unprovisionable: false,
        accepts_partial: false,
    };
    assert_eq!(house.policies.put(strict.clone(), "root").await.unwrap(), 1);
    assert_eq!(house.ask(key).await, Verdict::Admitted);
    house.policies.set_user_policy(UserId(1), Some("strict"), "root").await.unwrap();
    assert_eq!(*house.rung.lock(), [house.device.id]);
    assert_eq!(house.ask(key).await, Verdict::PolicyRefresh);
    conforms!("MS-ASPROV_R693");
    let Begun::Policy(offer) = house.policies.begin(&house.device).await.unwrap() else { panic!() };
    assert_eq!(offer.policy.rules.password_required, Some(true));
    let refused = house.acknowledge(offer.key, Compliance::Partial).await;
    assert_eq!(refused, Acknowledged::NotCompliant);
    conforms!("MS-ASPROV_R659");
    let elsewhere = house.acknowledge(offer.key, Compliance::ManagedElsewhere).await;
    assert_eq!(elsewhere, Acknowledged::ManagedElsewhere);
    assert_eq!(house.ask(key).await, Verdict::PolicyRefresh);
    let key = house.provision().await;
    assert_eq!(house.ask(key).await, Verdict::Admitted);
    house.policies.put(strict, "root").await.unwrap();
    assert_eq!(house.ask(key).await, Verdict::PolicyRefresh);
    house.policies.remove("strict", "root").await.unwrap();
    let view = house.policies.device(house.device.id).await.unwrap();
    assert_eq!((view.policy.as_str(), view.is_provisioned), ("default", false));
    let unknown = house.policies.set_user_policy(UserId(1), Some("none"), "root").await;
    assert_eq!(unknown.unwrap_err().code(), "no_such_policy");
}

#[tokio::test]
async fn a_wipe_that_fails_goes_out_again_and_a_promise_closes_the_door() {
    let house = house("16.1").await;
    let key = house.provision().await;
    let wrong = house.policies.wipe(house.order(WipeKind::Device, Some("phone2"))).await;
    assert_eq!(wrong.unwrap_err().code(), "id_not_typed");
    house.policies.wipe(house.order(WipeKind::Device, Some("phone1"))).await.unwrap();
    let blocked = house.policies.set_access(house.device.id, Some(Access::Block), "root").await;
    assert_eq!(blocked.unwrap_err().code(), "blocked_before_wipe");
    assert_eq!(house.ask(key).await, Verdict::WipeRequested);
    let state = async || house.policies.device(house.device.id).await.unwrap().wipe.unwrap();
    assert_eq!(state().await.state, WipeState::Signalled);
    let begun = house.policies.begin(&house.device).await.unwrap();
    assert_eq!(begun, Begun::Wipe(WipeKind::Device));
    let answer = async |promise| {
        house.policies.wipe_answered(house.device.id, WipeKind::Device, promise).await.unwrap()
    };
    assert_eq!(answer(false).await, WipeAnswer::Failed);
    assert_eq!((state().await.state, state().await.refused_count), (WipeState::Refused, 1));
    assert_eq!(house.ask(key).await, Verdict::WipeRequested);
    let again = house.policies.directive(house.device.id).await.unwrap();
    assert_eq!((again, state().await.sent_count), (Some(WipeKind::Device), 2));
    assert_eq!(answer(true).await, WipeAnswer::Promised);
    assert_eq!(answer(true).await, WipeAnswer::Promised, "its answer was lost");
    assert_eq!(state().await.state, WipeState::Acked);
    conforms!("MS-ASPROV_R663");
    assert_eq!(house.ask(key).await, Verdict::Blocked);
    assert_eq!(state().await.state, WipeState::Acked, "it may have been under way");
    let anew = house.policies.admit(&house.device, Asking::Other, None, true).await.unwrap();
    assert_eq!((anew, state().await.state), (Verdict::Blocked, WipeState::Corroborated));
    house.policies.clear_wipe(house.device.id, "root").await.unwrap();
    let view = house.policies.device(house.device.id).await.unwrap();
    assert_eq!((view.wipe, view.access, view.device.generation), (None, None, 2));
    assert_eq!(house.ask(key).await, Verdict::InvalidPolicyKey);
}

/// The directive that leaves with the answer to a failure is no reason to keep somebody out of their mail for ever.
#[tokio::test]
async fn a_phone_that_cannot_wipe_itself_is_let_in_again_once_the_wipe_is_called_off() {
    let house = house("16.1").await;
    let key = house.provision().await;
    house.policies.wipe(house.order(WipeKind::Account, None)).await.unwrap();
    let id = house.device.id;
    assert_eq!(house.policies.directive(id).await.unwrap(), Some(WipeKind::Account));
    let early = house.policies.clear_wipe(id, "root").await;
    assert_eq!(early.unwrap_err().code(), "directive_left");
    let answered = house.policies.wipe_answered(id, WipeKind::Account, false).await.unwrap();
    assert_eq!(answered, WipeAnswer::Failed);
    assert_eq!(house.policies.directive(id).await.unwrap(), Some(WipeKind::Account));
    assert_eq!(house.ask(key).await, Verdict::WipeRequested);
    house.policies.clear_wipe(id, "root").await.unwrap();
    assert_eq!(house.ask(key).await, Verdict::Admitted);
    assert_eq!(house.policies.directive(id).await.unwrap(), None);
    // The directive that was on its way counts for nothing any more, whatever the device says of it.
    let late = house.policies.wipe_answered(id, WipeKind::Account, true).await.unwrap();
    assert_eq!(late, WipeAnswer::NotAsked);
    assert_eq!(house.ask(key).await, Verdict::Admitted);
}

#[tokio::test]
async fn a_device_that_goes_on_after_its_promise_has_refused() {
    let house = house("16.1").await;
    let key = house.provision().await;
    house.policies.wipe(house.order(WipeKind::Account, None)).await.unwrap();
    let other = house.policies.wipe(house.order(WipeKind::Account, None)).await;
    assert_eq!(other.unwrap_err().code(), "wipe_under_way");
    assert_eq!(house.policies.directive(house.device.id).await.unwrap(), Some(WipeKind::Account));
    let cleared = house.policies.clear_wipe(house.device.id, "root").await;
    assert_eq!(cleared.unwrap_err().code(), "directive_left");
    let answered = house.policies.wipe_answered(house.device.id, WipeKind::Account, true).await;
    assert_eq!(answered.unwrap(), WipeAnswer::Promised);
    conforms!("MS-ASPROV_R66601");
    house.clock.advance(Duration::from_secs(301));
    house.ask(key).await;
    let wipe = house.policies.device(house.device.id).await.unwrap().wipe.unwrap();
    assert_eq!((wipe.state, wipe.refused_count), (WipeState::Refused, 1));
    assert_eq!(house.ask(key).await, Verdict::WipeRequested);
    // It is asked to wipe again and given nothing else: what is recalled now does not wait for it.
    let device = house.device.id;
    let out =
        move |tx: &Tx<'_>| Ok::<_, Error>((is_barred(tx, device)?, gets_nothing(tx, device)?));
    assert_eq!(house.policies.database.read(out).await.unwrap(), (false, true));
}

impl House {
    async fn promised(&self) {
        self.policies.wipe(self.order(WipeKind::Account, None)).await.unwrap();
        self.policies.directive(self.device.id).await.unwrap();
        let id = self.device.id;
        self.policies.wipe_answered(id, WipeKind::Account, true).await.unwrap();
    }

    async fn wiped(&self) -> WipeState {
        self.policies.device(self.device.id).await.unwrap().wipe.unwrap().state
    }

    async fn after_days(&self, days: u64) -> WipeState {
        self.clock.advance(Duration::from_hours(24 * days));
        self.policies.sweep().await.unwrap();
        self.wiped().await
    }
}

/// That it is not heard any more bears its promise out; that it comes back as it was refutes it, even then.
#[tokio::test]
async fn a_wiped_phone_that_stays_away_bears_its_promise_out_until_it_comes_back_as_it_was() {
    let house = house("16.1").await;
    let key = house.provision().await;
    house.promised().await;
    assert_eq!(house.after_days(13).await, WipeState::Acked);
    assert_eq!(house.after_days(1).await, WipeState::Corroborated);
    house.clock.advance(Duration::from_secs(301));
    assert_eq!(house.ask(key).await, Verdict::Blocked);
    assert_eq!(house.wiped().await, WipeState::Refused);
    assert_eq!(house.ask(key).await, Verdict::WipeRequested);
}

#[tokio::test]
async fn a_wiped_phone_that_was_heard_since_did_not_stay_away() {
    let house = house("16.1").await;
    house.promised().await;
    house.clock.advance(Duration::from_hours(24));
    let (id, now) = (house.device.id, house.clock.now());
    let heard = move |tx: &Tx<'_>| {
        let mut row = ledger::device::load(tx, id)?.unwrap();
        row.last_seen = now;
        ledger::device::store(tx, &row)
    };
    house.policies.database.write::<_, Error, _>(heard).await.unwrap();
    assert_eq!(house.after_days(90).await, WipeState::Acked);
}

#[tokio::test]
async fn an_old_device_cannot_erase_the_account_alone() {
    let house = house("14.1").await;
    let refused = house.policies.wipe(house.order(WipeKind::Account, None)).await.unwrap_err();
    assert_eq!(refused.code(), "wipe_unsupported");
    assert_eq!(
        house.policies.clear_wipe(house.device.id, "root").await.unwrap_err().code(),
        "no_wipe"
    );
    let nobody = house.policies.resync(DeviceId(99), "root").await;
    assert_eq!(nobody.unwrap_err().code(), "no_such_device");
    house.policies.resync(house.device.id, "root").await.unwrap();
    let view = house.policies.device(house.device.id).await.unwrap();
    assert_eq!(view.device.generation, 2);
}

#[tokio::test]
async fn quarantine_by_default_is_lifted_for_one() {
    let house = house("16.1").await;
    house.policies.set_default_access(Access::Quarantine, "root").await.unwrap();
    assert_eq!(house.ask(0).await, Verdict::Quarantined);
    house.policies.set_access(house.device.id, Some(Access::Allow), "root").await.unwrap();
    assert_eq!(house.ask(0).await, Verdict::NotProvisioned);
    let says = Description { model: Some("iPhone15".into()), ..Description::default() };
    house.policies.describe(house.device.id, says).await.unwrap();
    let view = house.policies.device(house.device.id).await.unwrap();
    assert_eq!(view.device.model, "iPhone15");
}

#[tokio::test]
async fn the_first_rule_that_matches_gives_the_policy_and_the_access() {
    let house = house("16.1").await;
    for name in ["strict", "board"] {
        let policy = Policy {
            name: name.to_owned(),
            revision: 0,
            rules: Rules { password_required: Some(true), ..Rules::default() },
            exempts_unprovisionable: true,
            accepts_partial: true,
        };
        house.policies.put(policy, "root").await.unwrap();
    }
    let book = |toml: &str| toml::from_str::<RuleBook>(toml).unwrap();
    let policy = async || house.policies.policy_of(&house.device).await.unwrap().name;
    assert_eq!(policy().await, "default");
    let rules = "[groups]\nboard = [\"Ann\"]\n\
        [[rule]]\ndevice_type = \"SAMSUNG*\"\npolicy = \"strict\"\n\
        [[rule]]\ngroup = \"board\"\ndevice_type = \"iphone\"\npolicy = \"board\"\n\
        [[rule]]\ndevice_type = \"*\"\npolicy = \"strict\"\naccess = \"block\"\n";
    house.policies.put_rule_book(book(rules), "root").await.unwrap();
    assert_eq!(house.policies.rule_book().await.unwrap(), book(rules));
    assert_eq!(policy().await, "board");
    assert_eq!(house.rung.lock().pop(), Some(house.device.id), "who waits is rung for");
    // A group that ann is not in: the last rule, which blocks.
    let others = rules.replace("Ann", "ben");
    house.policies.put_rule_book(book(&others), "root").await.unwrap();
    assert_eq!(policy().await, "strict");
    assert_eq!(house.ask(1).await, Verdict::Blocked);
    // What somebody decided about this device, or this user, counts more.
    house.policies.set_access(house.device.id, Some(Access::Allow), "root").await.unwrap();
    assert_ne!(house.ask(1).await, Verdict::Blocked);
    house.policies.set_user_policy(UserId(1), Some("board"), "root").await.unwrap();
    assert_eq!(policy().await, "board");
    // A policy that is gone leaves the default one.
    house.policies.set_user_policy(UserId(1), None, "root").await.unwrap();
    house.policies.remove("strict", "root").await.unwrap();
    assert_eq!(policy().await, "default");
    let gone = house.policies.put_rule_book(book(&others), "root").await;
    assert!(matches!(gone, Err(NotDone::NoSuchPolicy)));
    let empty = house.policies.put_rule_book(book("[[rule]]\nos = \"x\""), "root").await;
    assert!(matches!(empty, Err(NotDone::BadRules(_))));
}
