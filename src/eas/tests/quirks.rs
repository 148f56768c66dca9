//! What single clients get otherwise than others, and what all of them may do although nobody wrote it down: `docs/quirks.md`.

use std::time::Duration;

use activesync::Document;
use activesync::command::sync::{
    Add, Change, ClientCommand, Collection, CollectionAnswer, Delete, Options, Request, Response,
    ServerCommand,
};
use activesync::command::{
    CommandName, folder_create, get_item_estimate, move_items, ping, provision, search, send_mail,
};
use activesync::http::Query;
use activesync::item::body::{BodyPreference, BodyType};
use activesync::item::email::{Email, Flag};
use activesync::item::gal::PictureOptions;
use activesync::status::sync as status;
use activesync::status::{common, ping as ping_status};
use activesync::types::{
    ClassName, ClientId, CollectionId, RangeText, ServerId as WireId, SyncKey,
};
use http::header::USER_AGENT;
use http::{Method, StatusCode};

use super::house::*;
use crate::eas::{GatewayLimits, Handler, Incoming, Outcome, Quirks};
use crate::ids::ItemNumber;
use crate::ledger::device;
use crate::mailbox::{FolderKind, Mailbox, StateChange};

/// An app, as it calls itself: User-Agent and DeviceType.
type App = (&'static str, &'static str);

const SAILING: App = ("", "MeeGo");
const OLD_ANDROID: App = ("Android/4.1.2-EAS-1.3", "Android");
const GMAIL: App = ("Android-Mail/2025.11.02", "Android");
const OUTLOOK: App = ("Outlook/15.0 (15.0.4745.1000; MSI; x86)", "WindowsOutlook15");
const IPHONE: App = ("Apple-iPhone17C1/2301.341", "iPhone");

/// The same phone under another name.
fn from(house: &House, (agent, kind): App, command: CommandName, body: Vec<u8>) -> Incoming {
    let mut request = house.incoming(command, "16.1", body);
    request.headers.insert(USER_AGENT, agent.parse().unwrap());
    Incoming { query: Query::new(command, "phone1", kind).encode_plain(), ..request }
}

async fn sync(house: &House, app: App, collection: Collection) -> CollectionAnswer {
    let request = from(house, app, CommandName::Sync, just(collection).encode(V));
    let response: Response = house.give(request).await.read();
    assert_eq!(response.status, None);
    response.collections.into_iter().next().unwrap()
}

fn server_id(item: ItemNumber) -> WireId {
    WireId::new(format!("{INBOX}:{item}")).unwrap()
}

fn emails(answer: &CollectionAnswer) -> Vec<Email> {
    let email = |command: &ServerCommand| match command {
        ServerCommand::Add { data, .. } | ServerCommand::Change { data, .. } => {
            data.email().cloned()
        }
        _ => None,
    };
    answer.commands.iter().filter_map(email).collect()
}

// --- rows of the table

#[tokio::test]
async fn a_client_that_cannot_take_nothing_gets_a_body() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let nothing_new = just(inbox(key.as_str())).encode(V);
    let empty = from(&house, IPHONE, CommandName::Sync, nothing_new.clone());
    assert!(house.give(empty).await.body.is_empty(), "others get nothing");
    let one = sync(&house, SAILING, inbox(key.as_str())).await;
    assert_eq!((one.status, one.commands.len(), one.more_available), (status::SUCCESS, 0, false));
    house.mail("one").await;
    let next = sync(&house, SAILING, inbox(one.sync_key.as_str())).await;
    assert_eq!(adds(&next), ["one"]);
    // Whether that arrived only the phone can say, and an empty request does not.
    let empty = from(&house, SAILING, CommandName::Sync, Vec::new());
    let told: Response = house.give(empty).await.read();
    assert_eq!(told.status, Some(status::INCOMPLETE_REQUEST));
}

#[tokio::test]
async fn a_wait_that_ends_without_news_ends_in_a_body_for_whoever_needs_one() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let waits = Request { wait_min: Some(5), ..just(inbox(key.as_str())) }.encode(V);
    let request = from(&house, SAILING, CommandName::Sync, waits);
    let Outcome::Wait(waiting) = house.gateway.handle(request).await else { panic!("no wait") };
    house.clock.advance(Duration::from_secs(300));
    let told: Response = ends(waiting).await.read();
    assert_eq!((told.collections.len(), told.collections[0].commands.len()), (1, 0));
}

#[tokio::test]
async fn a_client_that_stops_at_a_failed_estimate_is_told_to_come() {
    let house = House::new().await;
    house.begin().await;
    let estimate = async |app: App| {
        let request = get_item_estimate::Request {
            collections: vec![get_item_estimate::Collection {
                sync_key: SyncKey::new("5.rubbish").unwrap(),
                collection_id: CollectionId::new(INBOX).unwrap(),
                conversation_mode: None,
                options: Vec::new(),
            }],
        };
        let request = from(&house, app, CommandName::GetItemEstimate, request.encode(V));
        let response: get_item_estimate::Response = house.give(request).await.read();
        let first = response.responses.into_iter().next().unwrap();
        (first.status.0, first.collection.and_then(|c| c.estimate))
    };
    assert_eq!(estimate(GMAIL).await, (1, Some(1)));
    assert_eq!(estimate(IPHONE).await, (4, None));
    // And then it is told.
    let stale = from(&house, GMAIL, CommandName::Sync, just(inbox("5.rubbish")).encode(V));
    let told: Response = house.give(stale).await.read();
    assert_eq!(told.collections[0].status, status::INVALID_SYNC_KEY);
}

fn watching(ids: &[&str], heartbeat_s: u32) -> Vec<u8> {
    let folder =
        |id: &&str| ping::Folder { id: CollectionId::new(*id).unwrap(), class: ClassName::email() };
    let folders = Some(ids.iter().map(folder).collect());
    ping::Request { heartbeat_s: Some(heartbeat_s), folders }.encode(V)
}

async fn waits_after_a_recall(house: &House, app: App) -> bool {
    house.mail("secret").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.recalls("secret").await;
    let answer = sync(house, app, inbox(key.as_str())).await;
    assert_eq!(deletes(&answer).len(), 1);
    let request = from(house, app, CommandName::Ping, watching(&[INBOX], 480));
    let waits = matches!(house.gateway.handle(request).await, Outcome::Wait(_));
    // The proof comes with its next Sync.
    let next = just(inbox(answer.sync_key.as_str())).encode(V);
    house.give(from(house, app, CommandName::Sync, next)).await;
    assert!(house.owed().await.is_empty());
    waits
}

#[tokio::test]
async fn a_client_that_gives_up_push_after_two_idle_wakes_is_not_nudged() {
    assert!(waits_after_a_recall(&House::new().await, OLD_ANDROID).await);
    assert!(!waits_after_a_recall(&House::new().await, GMAIL).await);
    let quirks_off = Quirks::named(&["no-nudge".to_owned()]).unwrap();
    let house = House::with(GatewayLimits { quirks_off, ..GatewayLimits::default() }).await;
    assert!(!waits_after_a_recall(&house, OLD_ANDROID).await, "switched off");
}

/// What the new folder of a mail says after this app moved it there: the kind of command, and the subject in it.
async fn after_a_move(app: App) -> (bool, Vec<Option<String>>) {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let to = CollectionId::new(trash.number.to_string()).unwrap();
    let begun = sync(&house, app, Collection::new(to.clone(), SyncKey::initial())).await;
    let way = move_items::Move {
        src_msg_id: server_id(item),
        src_fld_id: CollectionId::new(INBOX).unwrap(),
        dst_fld_id: to.clone(),
    };
    let body = move_items::Request { moves: vec![way] }.encode(V);
    house.give(from(&house, app, CommandName::MoveItems, body)).await;
    let told = sync(&house, app, Collection::new(to.clone(), begun.sync_key)).await;
    let is_change = matches!(&told.commands[..], [ServerCommand::Change { .. }]);
    // What others file there is new to it, and what it moved is on the books.
    house.mail_to(trash.id, "two").await;
    house.recalls("one").await;
    let next = sync(&house, app, Collection::new(to, told.sync_key.clone())).await;
    assert_eq!((deletes(&next).len(), adds(&next)), (1, vec!["two".to_owned()]));
    (is_change, emails(&told).into_iter().map(|email| email.subject).collect())
}

#[tokio::test]
async fn a_mail_that_outlook_moved_is_not_added_beside_it() {
    let whole = vec![Some("one".to_owned())];
    assert_eq!(after_a_move(OUTLOOK).await, (true, whole.clone()));
    assert_eq!(after_a_move(IPHONE).await, (false, whole));
}

#[tokio::test]
async fn a_folder_that_outlook_begins_after_a_move_has_the_mail_added() {
    let house = House::new().await;
    let item = house.mail("one").await;
    house.catch_up(house.begin().await).await;
    let trash = house.folder_of_kind(FolderKind::DeletedItems).await;
    let to = CollectionId::new(trash.number.to_string()).unwrap();
    let way = move_items::Move {
        src_msg_id: server_id(item),
        src_fld_id: CollectionId::new(INBOX).unwrap(),
        dst_fld_id: to.clone(),
    };
    let body = move_items::Request { moves: vec![way] }.encode(V);
    house.give(from(&house, OUTLOOK, CommandName::MoveItems, body)).await;
    for _ in 0..2 {
        let begun = sync(&house, OUTLOOK, Collection::new(to.clone(), SyncKey::initial())).await;
        let told = sync(&house, OUTLOOK, Collection::new(to.clone(), begun.sync_key)).await;
        assert_eq!(adds(&told), ["one"]);
    }
}

async fn windows(app: App) -> Vec<usize> {
    let house = House::new().await;
    for n in 0..30 {
        house.mail(&format!("m{n}")).await;
    }
    let key = house.begin().await;
    let asked = Collection { window_size: Some(512), ..inbox(key.as_str()) };
    let (mut got, mut last) = (Vec::new(), key);
    for _ in 0..6 {
        let answer = sync(&house, app, asked.clone()).await;
        got.push(answer.commands.len());
        last = answer.sync_key;
    }
    got.push(sync(&house, app, Collection { sync_key: last, ..asked }).await.commands.len());
    got
}

#[tokio::test]
async fn a_window_that_outlook_cannot_take_in_grows_smaller() {
    assert_eq!(windows(OUTLOOK).await, [30, 30, 25, 25, 25, 1, 29]);
    let house = House::new().await;
    house.mail("one").await;
    let key = house.begin().await;
    for _ in 0..6 {
        assert_eq!(sync(&house, IPHONE, inbox(key.as_str())).await.commands.len(), 1);
    }
}

// --- what all of them may do

#[tokio::test]
async fn a_heartbeat_without_folders_is_held_and_answered_with_nothing() {
    let house = House::new().await;
    let none = Request { wait_min: Some(5), ..Request::default() };
    let waiting = house.wait(CommandName::Sync, none.encode(V)).await;
    house.clock.advance(Duration::from_secs(300));
    assert!(ends(waiting).await.body.is_empty());
}

#[tokio::test]
async fn the_outbox_may_be_watched_and_synced() {
    let house = House::new().await;
    house.catch_up(house.begin().await).await;
    let outbox = house.folder_of_kind(FolderKind::Outbox).await.number.to_string();
    house.wait(CommandName::Ping, watching(&[INBOX, &outbox], 480)).await;
    let id = CollectionId::new(outbox).unwrap();
    let begun = house.sync_one(Collection::new(id.clone(), SyncKey::initial())).await;
    let waits =
        Request { wait_min: Some(5), ..just(Collection::new(id, begun.sync_key)) }.encode(V);
    house.wait(CommandName::Sync, waits).await;
}

#[tokio::test]
async fn a_folder_that_never_was_is_told_once_and_one_never_synced_keeps_silent() {
    let house = House::new().await;
    house.catch_up(house.begin().await).await;
    let drafts = house.folder_of_kind(FolderKind::Drafts).await;
    house.mail_to(drafts.id, "unfinished").await;
    let drafts = drafts.number.to_string();
    house.wait(CommandName::Ping, watching(&[INBOX, &drafts], 480)).await;
    let nowhere = [INBOX, "4711"];
    let said = async |body| {
        let told: ping::Response = house.send(CommandName::Ping, body).await.read();
        told.status
    };
    assert_eq!(said(watching(&nowhere, 480)).await, ping_status::FOLDER_SYNC_REQUIRED);
    // It has looked, and its folders are what they were: told the same again it would never wait.
    let waiting = house.wait(CommandName::Ping, watching(&nowhere, 480)).await;
    let answer = tokio::spawn(ends(waiting));
    house.mail("one").await;
    let told: ping::Response = answer.await.unwrap().read();
    assert_eq!((told.status, told.folders.len()), (ping_status::CHANGES, 1));
    assert_eq!(said(watching(&["4711"], 480)).await, ping_status::FOLDER_SYNC_REQUIRED);
    assert_eq!(said(watching(&["4711"], 480)).await, ping_status::FOLDER_SYNC_REQUIRED);
}

#[tokio::test]
async fn a_sync_in_between_leaves_what_pings_repeat() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.wait(CommandName::Ping, watching(&[INBOX], 480)).await;
    house.mail("one").await;
    house.catch_up(key).await;
    house.wait(CommandName::Ping, Vec::new()).await;
}

#[tokio::test]
async fn a_mail_that_changes_before_it_is_told_comes_once() {
    let house = House::new().await;
    let key = house.begin().await;
    let item = house.mail("one").await;
    let read = StateChange { read: Some(true), ..StateChange::default() };
    house.store.set_state(house.inbox_folder().await, item, read).await.unwrap();
    let told = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(told.commands.len(), 1, "{told:?}");
    assert_eq!(emails(&told)[0].read, Some(true));
}

#[tokio::test]
async fn a_filter_that_goes_to_and_fro_settles_each_time() {
    let house = House::new().await;
    let mut key = house.begin().await;
    house.mail("one").await;
    house.clock.advance(Duration::from_secs(10 * 24 * 60 * 60));
    for filter in [5, 3, 5, 3] {
        let options = vec![Options { filter_type: Some(filter), ..Options::default() }];
        let told = house.sync_one(Collection { options, ..inbox(key.as_str()) }).await;
        assert_eq!(told.commands.len(), 1, "{filter}: {told:?}");
        key = told.sync_key;
        let next = house.send(CommandName::Sync, just(inbox(key.as_str())).encode(V)).await;
        assert!(next.body.is_empty(), "{filter}");
    }
}

#[tokio::test]
async fn short_messages_nobody_offered_are_refused_and_spoil_nothing() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let sms = Options { class: ClassName::new("SMS").ok(), ..Options::default() };
    let mail = Options { class: Some(ClassName::email()), ..Options::default() };
    let data = Email { subject: Some("text".into()), ..Email::default() }.into();
    let commands = vec![
        ClientCommand::Add(Add {
            class: ClassName::new("SMS").ok(),
            client_id: ClientId::new("1").unwrap(),
            send: false,
            data,
        }),
        ClientCommand::Delete(Delete { server_id: server_id(item), instance_id: None }),
    ];
    let asked = Collection { options: vec![mail, sms], commands, ..inbox(key.as_str()) };
    let told = house.sync_one(asked).await;
    assert_eq!((told.status, told.replies.len()), (status::SUCCESS, 1));
    assert_eq!(told.replies[0].status, status::CONVERSION_ERROR);
    assert_eq!(house.lying_in(FolderKind::DeletedItems).await.len(), 1, "the mail is deleted");
    house.mail("two").await;
    assert_eq!(adds(&house.sync_one(inbox(told.sync_key.as_str())).await), ["two"]);
}

#[tokio::test]
async fn read_mark_and_flag_come_in_one_change_and_an_empty_flag_clears_it() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    let change = |key: &SyncKey, flag: Flag, read| {
        let data = Email { read, flag: Some(flag), ..Email::default() }.into();
        let server_id = server_id(item);
        let change = Change { server_id, instance_id: None, send: false, data };
        Collection { commands: vec![ClientCommand::Change(change)], ..inbox(key.as_str()) }
    };
    let flagged = Flag { status: Some(2), flag_type: Some("Flag".into()), ..Flag::default() };
    let told = house.sync_one(change(&key, flagged, Some(true))).await;
    assert!(told.replies.is_empty(), "{told:?}");
    let folder = house.inbox_folder().await;
    let now = house.store.items(folder, &[item]).await.unwrap().remove(0);
    assert!(now.read && now.flag.is_some());
    house.sync_one(change(&told.sync_key, Flag::default(), None)).await;
    let now = house.store.items(folder, &[item]).await.unwrap().remove(0);
    assert!(now.read && now.flag.is_none());
}

#[tokio::test]
async fn a_fetch_that_forgets_to_decline_changes_gets_them() {
    let house = House::new().await;
    let item = house.mail("one").await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.mail("two").await;
    let commands = vec![ClientCommand::Fetch(server_id(item))];
    let told = house.sync_one(Collection { commands, ..inbox(key.as_str()) }).await;
    assert_eq!((told.replies[0].status, adds(&told)), (status::SUCCESS, vec!["two".to_owned()]));
}

#[tokio::test]
async fn a_device_is_the_same_whatever_it_calls_itself() {
    let house = House::new().await;
    let (key, _) = house.catch_up(house.begin().await).await;
    house.mail("one").await;
    let told = sync(&house, ("", "WP8"), inbox(key.as_str())).await;
    assert_eq!(adds(&told), ["one"]);
    let next = just(inbox(told.sync_key.as_str())).encode(V);
    let next = from(&house, ("", "android40"), CommandName::Sync, next);
    assert!(house.give(next).await.body.is_empty());
    let mailbox = house.mailbox;
    let devices = house.engine.database.read(move |tx| device::of_mailbox(tx, mailbox)).await;
    let devices = devices.unwrap();
    assert_eq!((devices.len(), &devices[0].device_type[..]), (1, "android40"));
}

#[tokio::test]
async fn options_are_answered_whatever_else_the_request_says() {
    let house = House::new().await;
    let mut request = house.incoming(CommandName::Sync, "9.9", b"junk".to_vec());
    (request.method, request.query) = (Method::OPTIONS, "Cmd=&DeviceId=%%%".to_owned());
    let seen = house.give(request).await;
    assert_eq!(seen.status, StatusCode::OK);
    assert!(seen.headers.iter().any(|(name, _)| name == "ms-asprotocolversions"));
}

#[tokio::test]
async fn folders_have_short_numbers_for_ids() {
    let house = House::new().await;
    let told = house.folder_sync("0").await.changes.unwrap();
    assert!(!told.adds.is_empty());
    for folder in told.adds {
        assert!(folder.server_id.as_str().parse::<u32>().is_ok(), "{:?}", folder.server_id);
    }
}

#[tokio::test]
async fn a_folder_without_a_parent_is_made_at_the_top() {
    let house = House::new().await;
    let request = folder_create::Request {
        sync_key: house.folder_sync("0").await.sync_key.unwrap(),
        parent_id: WireId::default(),
        display_name: "Receipts".into(),
        folder_type: activesync::command::folder_sync::FolderType::USER_MAIL,
    };
    let told: folder_create::Response =
        house.send(CommandName::FolderCreate, request.encode(V)).await.read();
    assert_eq!(told.status, activesync::status::folder_create::SUCCESS);
    let made = house.folder_of_kind(FolderKind::User).await;
    assert_eq!((&made.name[..], made.parent.0), ("Receipts", 0));
}

#[tokio::test]
async fn a_policy_has_a_key_and_says_nothing_of_what_it_does_not_limit() {
    let house = House::new().await;
    let policy = provision::PolicyRequest {
        policy_type: provision::POLICY_TYPE_WBXML.to_owned(),
        policy_key: None,
        status: None,
    };
    let request = provision::Request { policy: Some(policy), ..provision::Request::default() };
    let old = activesync::ProtocolVersion::V14_0;
    let body = request.encode(old);
    let seen = house.give(house.incoming(CommandName::Provision, old.as_str(), body)).await;
    let told = provision::Response::decode(old, &seen.body).unwrap().policy.unwrap();
    assert!(told.policy_key.is_some_and(|key| key != "0"));
    assert!(!seen.body.windows(2).any(|octets| octets == b"-1"), "some read it as very much");
}

/// The only mail a fresh phone gets, its body as HTML.
async fn shown(house: &House, raw: &str) -> Email {
    house.raw(raw).await;
    let mut begin = inbox("0");
    let wish = BodyPreference::new(BodyType::Html);
    begin.options = vec![Options { body_preferences: vec![wish], ..Options::default() }];
    let key = house.sync_one(begin).await.sync_key;
    emails(&house.sync_one(inbox(key.as_str())).await).remove(0)
}

#[tokio::test]
async fn what_a_mail_does_not_say_is_told_all_the_same() {
    let email = shown(&House::new().await, "From: bob@b.example\n\n").await;
    assert_eq!(email.from.as_deref(), Some("\"bob@b.example\" <bob@b.example>"));
    assert!(email.date_received.is_some(), "else some show the time of the sync");
    assert_eq!((email.importance, email.read), (Some(1), Some(false)));
    assert_eq!(email.flag, Some(Flag::default()));
    assert!(email.conversation_index.is_some());
    let body = email.body.unwrap();
    assert!(body.body_type.is_some() && body.estimated_data_size.is_some(), "never empty");
}

#[tokio::test]
async fn a_multipart_of_a_kind_nobody_knows_is_shown() {
    let raw = "From: bob@b.example\nMIME-Version: 1.0\nContent-Type: multipart/relative; boundary=a\n\n\
        --a\nContent-Type: text/html\n\n<p>Hello</p>\n--a\nContent-Type: image/png; name=x.png\n\
        Content-ID: <x>\nContent-Transfer-Encoding: base64\n\niVBORw==\n--a--\n";
    let email = shown(&House::new().await, raw).await;
    let text = email.body.unwrap().data.unwrap();
    assert!(String::from_utf8_lossy(text.as_bytes()).contains("Hello"));
    let files = email.attachments.unwrap().attachments;
    assert_eq!(files[0].display_name.as_deref(), Some("x.png"));
    assert!(files[0].estimated_data_size.is_some());
}

#[tokio::test]
async fn people_are_found_in_any_range_with_a_first_name_a_range_and_a_total() {
    let house = House::new().await;
    house.neighbour("anton").await;
    for range in ["0-50", "0-99", "0-0"] {
        let options = search::Options {
            range: RangeText::new(range).ok(),
            picture: Some(PictureOptions::default()),
            ..search::Options::default()
        };
        let query = search::Query::Text("an".into());
        let request = search::Request { options, ..search::Request::new("GAL", query) };
        let told: search::Response =
            house.send(CommandName::Search, request.encode(V)).await.read();
        let store = told.store.unwrap();
        assert_eq!((store.status.0, store.total), (1, Some(2)), "{range}");
        assert_eq!(store.range.map(|range| range.first), Some(0));
        let Some(search::HitProperties::Person(person)) = &store.results[0].properties else {
            panic!("{store:?}")
        };
        assert_eq!(person.first_name.as_deref(), Some("ann"));
        assert!(person.picture.is_some(), "a status stands for it");
    }
}

#[tokio::test]
async fn a_mail_too_large_to_be_taken_in_has_a_status() {
    let house = House::new().await;
    let request = house.incoming(CommandName::SendMail, "16.1", Vec::new());
    let told: send_mail::Response = house.too_large(request).await.read();
    assert_eq!(told.status, common::ATTACHMENT_IS_TOO_LARGE);
}
