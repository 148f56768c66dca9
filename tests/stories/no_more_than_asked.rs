//! "I asked for half a kilobyte." What phones with small plans ask for, they get; other servers send what they like.

use activesync_phone::activesync::command::sync::{self, ServerCommand};
use activesync_phone::activesync::document::Document as _;
use activesync_phone::activesync::item::body::{BodyPreference, BodyType};
use activesync_phone::activesync::item::email::Email;
use activesync_phone::{Exchange, Outcome, Profile, SyncAsk, Waits};

use super::town::{Handset, Town, raw};

#[tokio::test]
async fn preferences_ignored_truncation_size() {
    let town = Town::open().await;
    let text = "A line of forty octets, and one more.\r\n".repeat(500);
    town.post(&["ann"], &raw("long", &text)).await;
    let mut phone = town.phone("ann", Profile { truncation_size: 500, ..Profile::ios() }).await;
    let id = phone.id_of("long");
    let inbox = phone.inbox();
    let body = phone.phone().cache.collections[&inbox].items[&id].email.body.clone().unwrap();
    assert!(body.data.as_ref().unwrap().as_bytes().len() <= 500);
    assert_eq!(body.truncated, Some(true));
    assert!(body.estimated_data_size.unwrap() >= 19_000, "{body:?}");
    // Opened, it comes whole.
    let exchange = phone.phone().fetch(&inbox, &id);
    phone.ask(exchange).await;
    let whole = phone.phone().cache.collections[&inbox].items[&id].fetched_body.clone().unwrap();
    assert!(whole.len() >= 19_000);
}

#[tokio::test]
async fn preferences_ignored_type() {
    let town = Town::open().await;
    let html = raw("page", "<html><body><p>Hello <b>Ann</b></p></body></html>\r\n")
        .replace("text/plain", "text/html");
    town.post(&["ann"], &html).await;
    let mut phone = town.new_phone("ann", Profile::ios());
    phone.driver.set_up().await.unwrap();
    phone.sync().await.expect("the first key");
    let email = first_with(&mut phone, BodyPreference::new(BodyType::Plain)).await;
    let body = email.body.expect("a body");
    assert_eq!(body.body_type, Some(BodyType::Plain));
    let text = String::from_utf8(body.data.unwrap().as_bytes().to_vec()).unwrap();
    assert!(text.contains("Hello") && !text.contains('<'), "{text}");
}

#[tokio::test]
async fn a_preview_is_short() {
    let town = Town::open().await;
    town.post(&["ann"], &raw("long", &"A line of some words.\r\n".repeat(400))).await;
    let mut phone = town.new_phone("ann", Profile::ios());
    phone.driver.set_up().await.unwrap();
    phone.sync().await.expect("the first key");
    let mut wanted = BodyPreference::new(BodyType::Plain);
    wanted.truncation_size = Some(0);
    wanted.preview = Some(60);
    let body = first_with(&mut phone, wanted).await.body.expect("a body");
    let preview = body.preview.expect("a preview");
    assert!(!preview.is_empty() && preview.chars().count() <= 60, "{preview}");
    assert!(body.data.is_none_or(|data| data.as_bytes().is_empty()));
}

/// One Sync with this preference only; the first mail in its answer.
async fn first_with(phone: &mut Handset, wanted: BodyPreference) -> Email {
    let exchange = phone.phone().sync(&[SyncAsk::of(&phone.inbox())], Waits::No);
    let exchange = altered(phone, exchange, |collection| {
        collection.options[0].body_preferences = vec![wanted];
    });
    let Outcome::Sync(Some(response)) = phone.ask(exchange).await else { panic!("no mail") };
    let mut commands = response.collections.into_iter().flat_map(|answer| answer.commands);
    let Some(ServerCommand::Add { data, .. }) = commands.next() else { panic!("no mail") };
    data.email().unwrap().clone()
}

/// The same Sync with its first collection changed.
fn altered(
    phone: &Handset,
    exchange: Exchange,
    change: impl FnOnce(&mut sync::Collection),
) -> Exchange {
    let version = phone.phone().profile.version;
    let mut request = sync::Request::decode(version, &exchange.body).unwrap();
    change(&mut request.collections[0]);
    Exchange { body: request.encode(version), ..exchange }
}
