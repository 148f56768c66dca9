//! What one user may take of the gateway's memory and time, and that everybody else is served meanwhile.

use std::sync::Arc;
use std::time::Duration;

use activesync::command::CommandName;
use activesync::command::find::{
    Criterion, MailboxCriterion, MailboxQuery as FindQuery, Request as Find,
};
use activesync::command::item_operations::{Fetch, FetchOptions, Operation, Request as Fetches};
use activesync::command::search::{MailboxQuery, Query, Request as Search, Response as Found};
use activesync::command::sync::Options as SyncOptions;
use activesync::http::Query as Line;
use activesync::item::body::{BodyPreference, BodyType};
use activesync::status::search_store as status;
use activesync::types::{CollectionId, SearchId, ServerId};
use activesync::{Document, command::item_operations};
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::StatusCode;

use super::house::*;
use super::scales::{Scales, Weight};
use crate::eas::{Answer, GatewayLimits, Handler, Incoming, Outcome};
use crate::ids::ItemNumber;

/// Octets of one of the large mails.
const MAIL_OCTETS: usize = 100_000;

fn large(name: &str) -> String {
    let line = "All the salaries of everybody, year by year, one line for each of them.\n";
    format!(
        "From: bob@b.example\nSubject: {name}\nMessage-ID: <{name}@b.example>\n\n{}",
        line.repeat(MAIL_OCTETS / line.len())
    )
}

/// A house whose store is on the scales.
async fn on_scales(
    limits: GatewayLimits,
    change: impl FnOnce(&mut Scales),
) -> (House, Arc<Scales>) {
    let mut scales = None;
    let house = House::over(limits, |store, clock| {
        let mut weighing = Scales::new(store, clock);
        change(&mut weighing);
        let weighing = Arc::new(weighing);
        scales = Some(Arc::clone(&weighing));
        weighing
    });
    let house = house.await;
    (house, scales.unwrap())
}

fn shut(scales: &mut Scales) {
    scales.gate.forget_permits(usize::MAX);
}

/// The mail, whole.
fn fetch(item: ItemNumber) -> Vec<u8> {
    let body_preferences = vec![BodyPreference::new(BodyType::Plain)];
    let wish = Fetch {
        store: Some("Mailbox".into()),
        collection_id: Some(CollectionId::new(INBOX).unwrap()),
        server_id: Some(ServerId::new(format!("{INBOX}:{item}")).unwrap()),
        options: Some(FetchOptions { body_preferences, ..FetchOptions::default() }),
        ..Fetch::default()
    };
    Fetches { operations: vec![Operation::Fetch(Box::new(wish))] }.encode(V)
}

fn search(words: &str) -> Vec<u8> {
    let query = MailboxQuery { free_text: Some(words.to_owned()), ..MailboxQuery::default() };
    let query = Query::Mailbox(Box::new(query));
    Search { store: "Mailbox".to_owned(), query, options: Default::default() }.encode(V)
}

fn find(words: &str) -> Vec<u8> {
    let query = FindQuery { free_text: Some(words.to_owned()), ..FindQuery::default() };
    let criterion = Criterion::Mailbox(MailboxCriterion { query: Some(query), options: None });
    Find { search_id: SearchId::new("one").unwrap(), criterion }.encode(V)
}

/// A request of one of Ann's devices.
fn from_device(house: &House, device: &str, command: CommandName, body: Vec<u8>) -> Incoming {
    let query = Line::new(command, device, "Test").encode_plain();
    Incoming { query, ..house.incoming(command, "16.1", body) }
}

async fn answered(house: &House, request: Incoming) -> Answer {
    match house.gateway.handle(request).await {
        Outcome::Answer(answer) => answer,
        Outcome::Wait(_) => panic!("it waits"),
    }
}

/// The first answer while all others are kept waiting.
async fn first(asking: &mut FuturesUnordered<impl Future<Output = Answer>>) -> Answer {
    let answered = tokio::time::timeout(Duration::from_secs(5), asking.next()).await;
    answered.expect("nobody is sent away").unwrap()
}

fn is_told_to_come_again(answer: &Answer) -> bool {
    let retry = answer.headers.iter().any(|(name, _)| name == http::header::RETRY_AFTER);
    answer.status == StatusCode::SERVICE_UNAVAILABLE && retry
}

fn assert_fetched(answer: Answer) {
    assert_eq!(answer.status, StatusCode::OK);
    let bytes = answer.into_bytes().unwrap();
    let response = item_operations::Response::decode(V, &bytes).unwrap();
    let item_operations::Outcome::Fetch(fetched) = &response.outcomes[0] else { panic!("not it") };
    assert_eq!(fetched.status.unwrap().0, 1);
    assert!(bytes.len() > MAIL_OCTETS / 2);
}

fn store_status(answer: Answer) -> activesync::status::Status {
    let bytes = answer.into_bytes().unwrap();
    Found::decode(V, &bytes).unwrap().store.unwrap().status
}

fn assert_within(weight: &Weight, budget: usize) {
    assert!(weight.peak() <= budget, "{} octets at once, of {budget}", weight.peak());
    assert_eq!(weight.now(), 0, "nobody keeps octets");
}

#[tokio::test]
async fn many_large_mails_are_never_held_at_once() {
    const BUDGET: usize = 512 * 1024;
    let limits = GatewayLimits { conversion_bytes_max: BUDGET, ..GatewayLimits::default() };
    let (house, scales) = on_scales(limits, |_| {}).await;
    let item = house.raw(&large("one")).await;
    let fetching = (0..40).map(|device| {
        let body = fetch(item);
        answered(&house, from_device(&house, &format!("d{device}"), ItemOperations, body))
    });
    futures_util::future::join_all(fetching).await.into_iter().for_each(assert_fetched);
    assert!(scales.weight.peak() > BUDGET / 2, "several at a time all the same");
    assert_within(&scales.weight, BUDGET);
}

#[tokio::test]
async fn searches_and_syncs_keep_to_the_same_budget() {
    const BUDGET: usize = 256 * 1024;
    let limits = GatewayLimits {
        conversion_bytes_max: BUDGET,
        searches_max: 20,
        searches_per_user_max: 20,
        ..GatewayLimits::default()
    };
    let (house, scales) = on_scales(limits, |_| {}).await;
    for name in ["one", "two", "three", "four"] {
        house.raw(&large(name)).await;
    }
    let searching = (0..10).map(|device| {
        let body = search("salaries");
        answered(&house, from_device(&house, &format!("d{device}"), CommandName::Search, body))
    });
    let searching = futures_util::future::join_all(searching);
    let key = house.begin().await;
    let (found, (_, added)) = tokio::join!(searching, house.catch_up(key));
    assert!(found.into_iter().all(|answer| store_status(answer) == status::SUCCESS));
    assert_eq!(added.len(), 4);
    assert_within(&scales.weight, BUDGET);
}

#[tokio::test]
async fn a_mail_larger_than_the_budget_goes_alone() {
    let limits = GatewayLimits { conversion_bytes_max: 1, ..GatewayLimits::default() };
    let (house, scales) = on_scales(limits, |_| {}).await;
    let item = house.raw(&large("one")).await;
    let fetching = (0..20).map(|device| {
        let body = fetch(item);
        answered(&house, from_device(&house, &format!("d{device}"), ItemOperations, body))
    });
    futures_util::future::join_all(fetching).await.into_iter().for_each(assert_fetched);
    assert_within(&scales.weight, 2 * MAIL_OCTETS - 1);
}

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_by_user() {
    let limits = GatewayLimits {
        answers_per_user_bytes_max: 5 * MAIL_OCTETS / 2,
        ..GatewayLimits::default()
    };
    let house = House::with(limits).await;
    let item = house.raw(&large("one")).await;
    let bens = house.raw_for_ben(&large("bens")).await;
    let mut taken = Vec::new();
    for device in ["a", "b"] {
        taken
            .push(answered(&house, from_device(&house, device, ItemOperations, fetch(item))).await);
    }
    let third = || answered(&house, from_device(&house, "c", ItemOperations, fetch(item)));
    assert!(is_told_to_come_again(&third().await));
    let bens = answered(&house, house.of_ben(ItemOperations, fetch(bens))).await;
    assert_fetched(bens);
    assert_fetched(taken.pop().unwrap());
    assert_fetched(third().await);
    taken.into_iter().for_each(assert_fetched);
}

/// Where there is no room for the whole answer it is shorter, and the rest comes with the next.
#[tokio::test]
async fn a_sync_without_room_is_shorter() {
    let limits = GatewayLimits {
        answers_per_user_bytes_max: 5 * MAIL_OCTETS / 2,
        ..GatewayLimits::default()
    };
    let house = House::with(limits).await;
    for name in ["one", "two", "three", "four"] {
        house.raw(&large(name)).await;
    }
    let options = SyncOptions {
        body_preferences: vec![BodyPreference::new(BodyType::Plain)],
        ..SyncOptions::default()
    };
    let key = house.begin().await;
    let mut collection = inbox(key.as_str());
    collection.options = vec![options];
    let first = house.sync_one(collection).await;
    assert_eq!((adds(&first).len(), first.more_available), (2, true));
    let (_, rest) = house.catch_up(first.sync_key).await;
    assert_eq!(rest, ["two", "one"]);
}

#[tokio::test]
async fn requests_that_queue_behind_one_another_are_counted() {
    let limits = GatewayLimits { requests_per_device_max: 3, ..GatewayLimits::default() };
    let (house, scales) = on_scales(limits, shut).await;
    let item = house.raw(&large("one")).await;
    let fetching =
        |_| answered(&house, from_device(&house, "d", ItemOperations, fetch(item))).boxed_local();
    let mut fetching: FuturesUnordered<_> = (0..4).map(fetching).collect();
    // The store hands nothing out: only the one that is sent away is answered.
    assert!(is_told_to_come_again(&first(&mut fetching).await));
    scales.gate.add_permits(3);
    while let Some(answer) = fetching.next().await {
        assert_fetched(answer);
    }
    scales.gate.add_permits(1);
    assert_fetched(answered(&house, from_device(&house, "d", ItemOperations, fetch(item))).await);
}

#[tokio::test]
async fn one_user_does_not_take_every_turn() {
    let limits = GatewayLimits { requests_per_user_max: 2, ..GatewayLimits::default() };
    let (house, scales) = on_scales(limits, shut).await;
    let item = house.raw(&large("one")).await;
    let fetching = |device: usize| {
        let request = from_device(&house, &format!("d{device}"), ItemOperations, fetch(item));
        answered(&house, request).boxed_local()
    };
    let mut fetching: FuturesUnordered<_> = (0..3).map(fetching).collect();
    assert!(is_told_to_come_again(&first(&mut fetching).await));
    let bens = answered(&house, house.of_ben(CommandName::Search, search("nothing"))).await;
    assert_eq!(store_status(bens), status::SUCCESS);
    scales.gate.add_permits(2);
    while let Some(answer) = fetching.next().await {
        assert_fetched(answer);
    }
}

#[tokio::test]
async fn searches_of_one_user_are_few_and_the_next_is_told_to_try_again() {
    let (house, scales) = on_scales(GatewayLimits::default(), shut).await;
    house.raw(&large("one")).await;
    let searching = |device: usize| {
        let body = search("salaries");
        let request = from_device(&house, &format!("d{device}"), CommandName::Search, body);
        answered(&house, request).boxed_local()
    };
    let at_once = GatewayLimits::default().searches_per_user_max;
    let mut searching: FuturesUnordered<_> = (0..=at_once).map(searching).collect();
    let refused = first(&mut searching).await;
    assert_eq!(store_status(refused), status::SERVER_ERROR);
    // Find has no Status for it.
    let find = from_device(&house, "f", CommandName::Find, find("salaries"));
    assert!(is_told_to_come_again(&answered(&house, find).await));
    // What is no search is served meanwhile, and so is somebody else's search.
    assert_eq!(house.folder_sync("0").await.status.0, 1);
    let bens = answered(&house, house.of_ben(CommandName::Search, search("nothing"))).await;
    assert_eq!(store_status(bens), status::SUCCESS);
    scales.gate.add_permits(2 * at_once);
    while let Some(answer) = searching.next().await {
        assert_eq!(store_status(answer), status::SUCCESS);
    }
}

#[tokio::test]
async fn a_search_that_takes_too_long_has_timed_out() {
    let limits = GatewayLimits::default();
    let slow = limits.search_time_max / 2;
    let (house, _) = on_scales(limits, |scales| scales.slowness = slow).await;
    for name in ["one", "two", "three"] {
        house.mail(name).await;
    }
    // Two reads take all the time there is, and not more; the third begins in time, the fourth would not.
    let seen: Found = house.send(CommandName::Search, search("body")).await.read();
    assert_eq!(seen.store.unwrap().status, status::SUCCESS);
    house.mail("four").await;
    let seen: Found = house.send(CommandName::Search, search("body")).await.read();
    let store = seen.store.unwrap();
    assert_eq!((store.status, store.results.len(), store.range), (status::TIMED_OUT, 0, None));
    assert!(slow > Duration::ZERO);
}

use CommandName::ItemOperations;
