//! What changes about a mail, in both directions: marks that somebody else set, told in as few elements as there are changes
//! ([MS-ASEMAIL] 3.2.5.4), and flags, categories and other properties that a phone sets or may not set.

use activesync::command::CommandName as C;
use activesync::types::SyncKey;
use conformance::{conforms, shown};

use super::house::*;
use super::wire::*;
use crate::ids::ItemNumber;
use crate::mailbox::{Flag, Item, Mailbox, StateChange};

const CHANGE: &str = "Sync/Collections/Collection/Commands/Change/ApplicationData";

/// The elements of a mail that a Sync tells as changed.
async fn told(house: &House, key: &SyncKey) -> (Vec<String>, SyncKey) {
    let collection = e("Collection", [t("SyncKey", key.as_str()), t("CollectionId", INBOX)]);
    let seen =
        house.send(C::Sync, document(&e("AirSync:Sync", [e("Collections", [collection])]))).await;
    if seen.body.is_empty() {
        return (Vec::new(), key.clone());
    }
    let key =
        elements(&seen.body).into_iter().find(|(path, _)| path.ends_with("/SyncKey")).unwrap().1;
    let names = below(&seen.body, CHANGE).into_iter().map(|(name, _)| name);
    let names = names.filter(|name| !name.contains('/')).collect();
    (names, SyncKey::new(key).unwrap())
}

/// Of flags and categories nobody knows what a device has, so that either tells both; the read mark is told where it changed.
#[tokio::test]
async fn what_has_changed_is_told_and_nothing_but_marks() {
    for (read, flag, categories) in [
        (false, false, false),
        (false, false, true),
        (false, true, false),
        (false, true, true),
        (true, false, false),
        (true, false, true),
        (true, true, false),
        (true, true, true),
    ] {
        let house = House::new().await;
        let item = house.mail("one").await;
        let (key, _) = house.catch_up(house.begin().await).await;
        let marked = StateChange {
            read: read.then_some(true),
            flag: flag.then(|| Some(Flag { status: 2, ..Flag::default() })),
            categories: categories.then(|| vec!["red".to_owned()]),
            verb: None,
        };
        house.store.set_state(house.inbox_folder().await, item, marked).await.unwrap();
        let (mut found, _) = told(&house, &key).await;
        found.sort();
        let expected: &[&str] = match (read, flag || categories) {
            (false, false) => &[],
            (true, _) => &["Categories", "Flag", "Read"],
            (false, true) => &["Categories", "Flag"],
        };
        assert_eq!(found, expected);
    }
    conforms!("MS-ASEMAIL_R81", "MS-ASEMAIL_R10600", "MS-ASEMAIL_R104");
}

/// A phone, and a mail that it has.
struct Marker {
    house: House,
    item: ItemNumber,
    key: SyncKey,
}

impl Marker {
    async fn new() -> Marker {
        let house = House::new().await;
        let item = house.mail("one").await;
        let (key, _) = house.catch_up(house.begin().await).await;
        Marker { house, item, key }
    }

    /// Changes the mail, and gives the Status of it: 1 where nothing is complained of.
    async fn says(&mut self, data: Vec<Node>) -> u16 {
        let id = t("ServerId", format!("{INBOX}:{}", self.item));
        let change = e("Change", [id, e("ApplicationData", data)]);
        let head = [t("SyncKey", self.key.as_str()), t("CollectionId", INBOX)];
        let body = document(&one_sync(both(head.into(), vec![e("Commands", [change])])));
        let seen = self.house.send(C::Sync, body).await;
        let elements = elements(&seen.body);
        if let Some((_, key)) = elements.iter().find(|(path, _)| path.ends_with("/SyncKey")) {
            self.key = SyncKey::new(key.as_str()).unwrap();
        }
        complaint(&seen.body).unwrap_or(1)
    }

    async fn item(&self) -> Item {
        let folder = self.house.inbox_folder().await;
        self.house.store.items(folder, &[self.item]).await.unwrap().remove(0)
    }
}

fn flag(children: Vec<Node>) -> Vec<Node> {
    vec![e("Email:Flag", children)]
}

fn day(name: &'static str, day: u32) -> Node {
    t(name, format!("2026-12-{day:02}T00:00:00.000Z"))
}

/// The four days that stand together.
fn days(start: u32, due: u32, utc_start: u32, utc_due: u32) -> Vec<Node> {
    vec![
        day("Tasks:StartDate", start),
        day("Tasks:UtcStartDate", utc_start),
        day("Tasks:DueDate", due),
        day("Tasks:UtcDueDate", utc_due),
    ]
}

fn status(status: &str) -> Vec<Node> {
    vec![t("Status", status), t("FlagType", "Flag for follow up")]
}

fn completed() -> Vec<Node> {
    vec![day("Tasks:DateCompleted", 3), day("CompleteTime", 3)]
}

#[tokio::test]
async fn a_flag_is_set_updated_completed_and_cleared() {
    let mut phone = Marker::new().await;
    let statuses = |item: &Item| item.flag.as_ref().map(|flag| flag.status);
    assert_eq!(phone.says(flag(both(status("2"), days(1, 2, 1, 2)))).await, 1);
    let set = phone.item().await.flag.unwrap();
    assert_eq!((set.status, set.flag_type.as_deref()), (2, Some("Flag for follow up")));
    assert!(set.start < set.due && set.utc_start < set.utc_due && set.start.is_some());
    conforms!("MS-ASEMAIL_R940", "MS-ASEMAIL_R82", "MS-ASEMAIL_R1021");
    // An update names what it changes.
    assert_eq!(phone.says(flag(vec![t("Tasks:Subject", "call him")])).await, 1);
    let updated = phone.item().await.flag.unwrap();
    assert_eq!((updated.subject.as_deref(), updated.due), (Some("call him"), set.due));
    conforms!("MS-ASEMAIL_R90", "MS-ASEMAIL_R91");
    let reminder = vec![t("Tasks:ReminderSet", "1"), day("Tasks:ReminderTime", 1)];
    assert_eq!(phone.says(flag(reminder)).await, 1);
    let reminded = phone.item().await.flag.unwrap();
    assert_eq!((reminded.reminder_set, reminded.reminder.is_some()), (Some(true), true));
    conforms!("MS-ASEMAIL_R692", "MS-ASEMAIL_R701");
    assert_eq!(phone.says(flag(both(status("1"), completed()))).await, 1);
    assert_eq!(statuses(&phone.item().await), Some(1));
    conforms!("MS-ASEMAIL_R86", "MS-ASEMAIL_R87");
    for (cleared, ids) in [
        (vec![t("Status", "0")], ["MS-ASEMAIL_R88", "MS-ASEMAIL_R89"]),
        (vec![], ["MS-ASEMAIL_R8800", "MS-ASEMAIL_R8900"]),
    ] {
        let task = both(status("2"), vec![t("Tasks:Subject", "a task")]);
        assert_eq!(phone.says(flag(both(task, days(1, 2, 1, 2)))).await, 1);
        assert_eq!(statuses(&phone.item().await), Some(2));
        conforms!("MS-ASEMAIL_R942");
        assert_eq!(phone.says(flag(cleared)).await, 1);
        assert_eq!(statuses(&phone.item().await), None);
        ids.iter().for_each(|id| shown(id, file!()));
    }
}

#[tokio::test]
async fn a_flag_that_cannot_be_has_status_6() {
    let mut phone = Marker::new().await;
    let active = |more: Vec<Node>| flag(both(status("2"), more));
    let three = |missing: usize| {
        let mut days = days(1, 2, 1, 2);
        days.remove(missing);
        days
    };
    for (wrong, ids) in [
        (
            active(days(2, 1, 1, 2)),
            &["MS-ASEMAIL_R406", "MS-ASEMAIL_R407", "MS-ASEMAIL_R738", "MS-ASEMAIL_R739"][..],
        ),
        (
            active(days(1, 2, 2, 1)),
            &["MS-ASEMAIL_R850", "MS-ASEMAIL_R851", "MS-ASEMAIL_R861", "MS-ASEMAIL_R862"],
        ),
        (active(three(0)), &["MS-ASEMAIL_R741"]),
        (active(three(1)), &["MS-ASEMAIL_R864"]),
        (active(three(2)), &["MS-ASEMAIL_R409"]),
        (active(three(3)), &["MS-ASEMAIL_R853"]),
        (active(vec![t("Tasks:ReminderSet", "1")]), &["MS-ASEMAIL_R702"]),
        (flag(status("3")), &["MS-ASEMAIL_R753", "MS-ASEMAIL_R757"]),
        (
            flag(both(status("1"), vec![day("Tasks:DateCompleted", 3)])),
            &["MS-ASEMAIL_R334", "MS-ASEMAIL_R359"],
        ),
        (flag(both(status("1"), vec![day("CompleteTime", 3)])), &["MS-ASEMAIL_R358"]),
        (flag(status("1")), &["MS-ASEMAIL_R92"]),
    ] {
        assert_eq!(phone.says(wrong).await, 6, "{ids:?}");
        assert!(phone.item().await.flag.is_none());
        ids.iter().for_each(|id| shown(id, file!()));
    }
    assert_eq!(phone.says(active(days(1, 1, 1, 1))).await, 1, "and on one day it can be");
}

#[tokio::test]
async fn categories_are_set_left_and_taken_away() {
    let mut phone = Marker::new().await;
    let category = |name: &str| t("Category", name);
    let named = vec![e("Email:Categories", [category("red"), category("blue")])];
    assert_eq!(phone.says(named).await, 1);
    assert_eq!(phone.item().await.categories, ["red", "blue"]);
    conforms!("MS-ASEMAIL_R321");
    assert_eq!(phone.says(vec![t("Email:Read", "1")]).await, 1);
    assert_eq!(phone.item().await.categories, ["red", "blue"]);
    conforms!("MS-ASEMAIL_R320");
    assert_eq!(phone.says(vec![e("Email:Categories", [])]).await, 1);
    assert!(phone.item().await.categories.is_empty());
    conforms!("MS-ASEMAIL_R319");
}

#[tokio::test]
async fn what_is_the_servers_to_say_is_refused_with_status_6() {
    let mut phone = Marker::new().await;
    for (data, id) in [
        (t("Email2:ConversationId", "x"), "MS-ASEMAIL_R347"),
        (t("Email2:ReceivedAsBcc", "1"), "MS-ASEMAIL_R648"),
        (t("Email2:Sender", "bob@b.example"), "MS-ASEMAIL_R723"),
        (t("Email2:UmCallerID", "+49"), "MS-ASEMAIL_R817"),
        (t("Email2:UmUserNotes", "notes"), "MS-ASEMAIL_R835"),
        (t("Email:Read", "2"), "MS-ASEMAIL_R643"),
    ] {
        assert_eq!(phone.says(vec![data]).await, 6, "{id}");
        shown(id, file!());
    }
    assert!(!phone.item().await.read);
}
