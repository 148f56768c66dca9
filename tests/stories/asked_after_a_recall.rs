//! The mail is recalled, and the phone that still shows it asks for more of it: nothing comes, in the words phones understand.

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::activesync::command::item_operations;
use activesync_phone::activesync::status::Status;
use activesync_phone::{Exchange, Outcome, Phone, Profile, SyncAsk};
use retract::recall::State;

use super::town::{Handset, NOTHING, SHORT_S, Town, deletes, folder, message_id};

/// [MS-ASCMD] 2.2.3.177.17: the object is not there.
const OBJECT_NOT_FOUND: Status = Status(8);

/// A mail with a file.
pub(crate) fn with_a_file(name: &str) -> String {
    format!(
        "From: Bob <bob@b.example>\r\nTo: ann@a.example\r\nSubject: {name}\r\nMessage-ID: <{}>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"mix\"\r\n\r\n\
         --mix\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n\
         --mix\r\nContent-Type: text/csv; name=\"salaries.csv\"\r\n\
         Content-Disposition: attachment; filename=\"salaries.csv\"\r\n\r\n\
         name,salary\r\nAlice,91000\r\n--mix--\r\n",
        message_id(name)
    )
}

#[tokio::test]
async fn a_fetch_in_sync() {
    let (town, mut phone) = shown().await;
    let id = phone.id_of("secret");
    let order = town.recall("secret").await;
    let inbox = phone.inbox();
    let ask = SyncAsk::of(&inbox).with(Phone::sync_fetch(&id));
    let answer = phone.sync_with(ask).await.expect("an answer");
    assert_eq!(answer.replies.len(), 1);
    assert_eq!((answer.replies[0].status, &answer.replies[0].data), (OBJECT_NOT_FOUND, &None));
    phone.catch_up().await;
    assert!(!phone.holds("secret"));
    town.until_state(order, "ann", State::Acknowledged).await;
}

#[tokio::test]
async fn a_change_of_it() {
    let (town, mut phone) = shown().await;
    let id = phone.id_of("secret");
    let order = town.recall("secret").await;
    let inbox = phone.inbox();
    let ask = SyncAsk::of(&inbox).with(Phone::flag(&id, true));
    let answer = phone.sync_with(ask).await.expect("an answer");
    assert_eq!(answer.replies.len(), 1);
    assert_eq!(answer.replies[0].status, OBJECT_NOT_FOUND);
    phone.catch_up().await;
    assert!(!phone.holds("secret"));
    town.until_state(order, "ann", State::Acknowledged).await;
}

/// The reader deletes it: taken, and it does not turn up in the trash.
#[tokio::test]
async fn a_delete_of_it() {
    let (town, mut phone) = shown().await;
    let (id, inbox) = (phone.id_of("secret"), phone.inbox());
    let trash = folder(phone.phone(), FolderType::DELETED_ITEMS);
    phone.driver.catch_up(&trash).await.unwrap();
    let order = town.recall("secret").await;
    let ask = SyncAsk { deletes_as_moves: Some(true), ..SyncAsk::of(&inbox) };
    let answer = phone.sync_with(ask.with(Phone::delete(&id))).await.expect("a new key");
    assert!(answer.replies.iter().all(|reply| reply.status == Status(1)), "{answer:?}");
    phone.driver.phone.cache.collections.get_mut(&inbox).unwrap().items.remove(&id);
    phone.catch_up().await;
    phone.driver.catch_up(&trash).await.unwrap();
    assert!(!phone.holds("secret"));
    town.until(order, |coverage| coverage.covered == coverage.pairs && coverage.pairs > 0).await;
}

#[tokio::test]
async fn item_operations_for_its_body_and_its_file() {
    let (town, mut phone) = shown().await;
    let (id, inbox) = (phone.id_of("secret"), phone.inbox());
    let attachments = phone.phone().cache.collections[&inbox].items[&id].email.attachments.clone();
    let reference = attachments.unwrap().attachments[0].file_reference.clone().unwrap();
    let exchange = phone.phone().fetch_attachment(reference.as_str(), None);
    let got = fetched(&mut phone, exchange).await;
    assert_eq!(got.status, Some(Status(1)));
    let order = town.recall("secret").await;
    let exchange = phone.phone().fetch(&inbox, &id);
    let body = fetched(&mut phone, exchange).await;
    assert_eq!(body.status, Some(NOT_FOUND));
    assert_eq!(body.properties, None);
    let exchange = phone.phone().fetch_attachment(reference.as_str(), None);
    let file = fetched(&mut phone, exchange).await;
    assert_ne!(file.status, Some(Status(1)));
    assert_eq!(file.properties, None);
    phone.catch_up().await;
    let pair = town.until_state(order, "ann", State::Acknowledged).await;
    assert!(pair.exposure.contains('A'), "{}", pair.exposure);
}

/// [MS-ASCMD] 2.2.3.177.8: not found.
const NOT_FOUND: Status = Status(6);

/// No estimate, no MoreAvailable and no wake count a mail that will not come.
#[tokio::test]
async fn nothing_counts_what_will_not_come() {
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    let order = town.recall("secret").await;
    town.mail("secret").await;
    town.until_state(order, "ann", State::Prevented).await;
    let inbox = phone.inbox();
    let exchange = phone.phone().get_item_estimate(&inbox);
    let Outcome::GetItemEstimate(estimate) = phone.ask(exchange).await else {
        panic!("not GetItemEstimate")
    };
    let told = estimate.responses[0].collection.as_ref().expect("its collection");
    assert_eq!(told.estimate, Some(0), "{estimate:?}");
    assert_eq!(phone.ping(SHORT_S).await.status, NOTHING);
    assert!(phone.sync().await.is_none());
}

/// The Delete comes once per device, and another device is told on its own.
#[tokio::test]
async fn every_phone_is_told() {
    let (town, mut first) = shown().await;
    let mut second = town.phone("ann", Profile::nine()).await;
    let order = town.recall("secret").await;
    town.until(order, |c| c.devices.iter().filter(|d| d.state == State::Queued).count() == 2).await;
    for phone in [&mut first, &mut second] {
        let answer = phone.sync().await.expect("the Delete");
        assert_eq!(deletes(&answer).len(), 1);
        phone.sync().await;
    }
    town.until(order, |coverage| coverage.covered == 2).await;
}

async fn shown() -> (Town, Handset) {
    let town = Town::open().await;
    town.post(&["ann"], &with_a_file("secret")).await;
    let phone = town.phone("ann", Profile::ios()).await;
    assert!(phone.holds("secret"));
    (town, phone)
}

async fn fetched(phone: &mut Handset, exchange: Exchange) -> item_operations::Fetched {
    let Outcome::ItemOperations(response) = phone.ask(exchange).await else {
        panic!("not ItemOperations")
    };
    match response.outcomes.into_iter().next() {
        Some(item_operations::Outcome::Fetch(fetched)) => *fetched,
        other => panic!("not fetched: {other:?}"),
    }
}
