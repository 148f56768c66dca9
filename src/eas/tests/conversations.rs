//! Conversations ([MS-ASCON]): which one a mail belongs to and where it stands there, what of it a phone moves, marks and finds, and
//! the part of a body that the conversation does not repeat.

use activesync::command::item_operations::{self, Fetch, FetchOptions, Operation};
use activesync::command::search as searching;
use activesync::command::smart_forward;
use activesync::command::smart_reply::{self, Source, SourceItem};
use activesync::command::sync::{
    Change, ClientCommand, Collection, Delete, Options, ServerCommand,
};
use activesync::command::{CommandName as C, move_items, send_mail, sync};
use activesync::item::body::{BodyPreference, BodyType};
use activesync::item::email::{Email, Flag};
use activesync::types::{ClientId, CollectionId, DateTime, ServerId};
use activesync::{Document, ProtocolVersion};
use conformance::conforms;

use super::house::*;
use super::wire::{complaint, document, e, t};
use crate::ids::{CollectionNumber, ItemNumber};
use crate::mailbox::{Cursor, FolderKind, Item, Mailbox};

const HTML: &str = "From: bob@b.example\nTo: ann@a.example\nSubject: plan\nMessage-ID: <plan@b.example>\n\
    Date: Tue, 24 Nov 2026 08:00:00 +0000\nContent-Type: text/html; charset=utf-8\n\n\
    <html><body><p>The plan, and all that is in it.</p></body></html>\n";

/// A mail of the conversation of `plan`, which lies in the Inbox.
async fn another(house: &House, name: &str) -> ItemNumber {
    let raw = format!(
        "From: bob@b.example\nTo: ann@a.example\nSubject: Re: plan\nMessage-ID: <{name}@b.example>\n\
         References: <plan@b.example>\nDate: Tue, 24 Nov 2026 09:00:00 +0000\n\nAnd {name}.\n"
    );
    house.raw(&raw).await
}

fn folder(number: impl ToString) -> CollectionId {
    CollectionId::new(number.to_string()).unwrap()
}

fn id(item: ItemNumber) -> ServerId {
    ServerId::new(format!("{INBOX}:{item}")).unwrap()
}

/// What a Sync brings of a folder, from its beginning.
async fn mails_in(house: &House, collection: CollectionId, options: Vec<Options>) -> Vec<Email> {
    let begun = Collection::new(collection.clone(), inbox("0").sync_key);
    let key = house.sync_one(Collection { options, ..begun }).await.sync_key;
    let answer = house.sync_one(Collection::new(collection, key)).await;
    let added = answer.commands.into_iter().filter_map(|command| match command {
        ServerCommand::Add { data, .. } => data.email().cloned(),
        _ => None,
    });
    added.collect()
}

async fn inbox_mails(house: &House) -> Vec<Email> {
    mails_in(house, folder(INBOX), Vec::new()).await
}

fn conversation(mail: &Email) -> Vec<u8> {
    mail.conversation_id.clone().expect("a conversation")
}

#[tokio::test]
async fn every_mail_says_which_conversation_it_is_of_and_where_it_stands_in_it() {
    for version in ProtocolVersion::ALL {
        let house = House::new().await;
        house.raw(HTML).await;
        another(&house, "second").await;
        let give = async |key: &str| {
            let body = just(inbox(key)).encode(version);
            house.give(house.incoming(C::Sync, version.as_str(), body)).await.body
        };
        let begun = sync::Response::decode(version, &give("0").await).unwrap();
        let octets = give(begun.collections[0].sync_key.as_str()).await;
        assert!(octets.starts_with(b"\x03\x01\x6a\x00"));
        let answer = sync::Response::decode(version, &octets).unwrap();
        conforms!("MS-ASCON_R5", "MS-ASCON_R7", "MS-ASCON_R188");
        let of = |command: &ServerCommand| match command {
            ServerCommand::Add { data, .. } => data.email().cloned().unwrap(),
            other => panic!("{other:?}"),
        };
        let mails: Vec<Email> = answer.collections[0].commands.iter().map(of).collect();
        if version < ProtocolVersion::V14_0 {
            assert!(mails.iter().all(|mail| mail.conversation_id.is_none()));
            continue;
        }
        assert_eq!(conversation(&mails[0]), conversation(&mails[1]));
        assert_eq!(conversation(&mails[0]).len(), 16);
        let index = mails[1].conversation_index.as_ref().unwrap();
        assert_eq!(index.len(), 5);
        conforms!("MS-ASCON_R74", "MS-ASCON_R79", "MS-ASCON_R195", "MS-ASCON_R196");
        conforms!("MS-ASCON_R5033", "MS-ASCON_R501", "MS-ASCON_R502", "MS-ASCON_R503");
        // Both are opaque data: the octets themselves, behind their length.
        for bytes in [&conversation(&mails[0]), index] {
            let opaque = [&[0xC3, bytes.len() as u8][..], bytes].concat();
            assert!(octets.windows(opaque.len()).any(|window| window == opaque));
        }
        conforms!("MS-ASCON_R76", "MS-ASCON_R81", "MS-ASCON_R93");
        conforms!("MS-ASEMAIL_R343", "MS-ASEMAIL_R348", "MS-ASEMAIL_R350", "MS-ASEMAIL_R1003");
    }
}

#[tokio::test]
async fn a_mail_that_is_sent_has_both_and_an_answer_is_one_level_further() {
    let house = House::new().await;
    let item = house.raw(HTML).await;
    let mime = b"To: bob@b.example\r\nSubject: s\r\n\r\nhi\r\n".to_vec();
    let name = |name: &str| ClientId::new(name).unwrap();
    let fresh = send_mail::Request {
        client_id: name("1"),
        account_id: None,
        save_in_sent_items: true,
        mime: mime.clone(),
        template_id: None,
    };
    assert_eq!(house.send(C::SendMail, fresh.encode(V)).await.status, 200);
    house.clock.advance(std::time::Duration::from_hours(1));
    let source = || Source {
        item: SourceItem::Item { folder_id: folder(INBOX), item_id: id(item) },
        instance_id: None,
    };
    let reply = smart_reply::Request {
        client_id: name("2"),
        source: source(),
        account_id: None,
        save_in_sent_items: true,
        replace_mime: false,
        mime: mime.clone(),
        template_id: None,
    };
    assert_eq!(house.send(C::SmartReply, reply.encode(V)).await.status, 200);
    let forward = smart_forward::Request {
        client_id: name("3"),
        source: source(),
        account_id: None,
        save_in_sent_items: true,
        replace_mime: false,
        mime: Some(mime),
        template_id: None,
        forwardees: Vec::new(),
        body: None,
    };
    assert_eq!(house.send(C::SmartForward, forward.encode(V)).await.status, 200);
    let sent = house.folder_of_kind(FolderKind::SentItems).await;
    let [forwarded, replied, fresh] = &mails_in(&house, folder(sent.number), Vec::new()).await[..]
    else {
        panic!("three were sent")
    };
    assert_eq!(conversation(fresh).len(), 16);
    assert_eq!(fresh.conversation_index.as_ref().unwrap().len(), 5);
    conforms!("MS-ASCON_R192", "MS-ASCON_R194", "MS-ASEMAIL_R351");
    let original = &inbox_mails(&house).await[0];
    let first = original.conversation_index.as_ref().unwrap();
    for (mail, ids) in [
        (
            replied,
            ["MS-ASCON_R87", "MS-ASCON_R91", "MS-ASCON_R306", "MS-ASCON_R307", "MS-ASEMAIL_R1054"],
        ),
        (
            forwarded,
            ["MS-ASCON_R88", "MS-ASCON_R259", "MS-ASCON_R305", "MS-ASCON_R92", "MS-ASEMAIL_R352"],
        ),
    ] {
        assert_eq!(conversation(mail), conversation(original));
        let index = mail.conversation_index.as_ref().unwrap();
        assert_eq!((index.len(), &index[..5]), (10, &first[..]));
        ids.iter().for_each(|id| conformance::shown(id, file!()));
    }
}

async fn operates(house: &House, operations: Vec<Operation>) -> Vec<u16> {
    let body = item_operations::Request { operations }.encode(V);
    let response: item_operations::Response = house.send(C::ItemOperations, body).await.read();
    let status = |outcome: &item_operations::Outcome| match outcome {
        item_operations::Outcome::Move { status, .. } => status.0,
        other => panic!("{other:?}"),
    };
    response.outcomes.iter().map(status).collect()
}

fn moves(conversation: &[u8], to: impl ToString) -> Operation {
    let conversation_id = conversation.to_vec();
    Operation::Move { conversation_id, dst_fld_id: folder(to), move_always: true }
}

#[tokio::test]
async fn conversations_are_moved_in_the_order_they_are_named() {
    let house = House::new().await;
    house.raw(HTML).await;
    another(&house, "second").await;
    let conversation = conversation(&inbox_mails(&house).await[0]);
    let root = CollectionNumber(0);
    let one = house.store.create_folder(house.mailbox, root, "One").await.unwrap();
    let two = house.store.create_folder(house.mailbox, root, "Two").await.unwrap();
    let both = vec![moves(&conversation, one.number), moves(&conversation, two.number)];
    assert_eq!(operates(&house, both).await, [1, 1]);
    let there = house.store.changes_since(two.id, Cursor(0), 9).await.unwrap();
    assert_eq!(there.changes.len(), 2);
    conforms!("MS-ASCON_R327", "MS-ASCON_R143", "MS-ASCON_R142");
    for (to, ids, status) in [
        ("RI".to_owned(), "MS-ASCON_R262", 105),
        ("999".to_owned(), "MS-ASCON_R317", 6),
        (house.folder_of_kind(FolderKind::Drafts).await.number.to_string(), "MS-ASCON_R338", 156),
    ] {
        assert_eq!(operates(&house, vec![moves(&conversation, to)]).await, [status]);
        conformance::shown(ids, file!());
    }
    assert_eq!(operates(&house, vec![moves(&[7; 16], one.number)]).await, [6]);
    conforms!("MS-ASCON_R146");
    // What has to be named is not.
    let of = |children| e("ItemOperations:ItemOperations", [e("Move", children)]);
    let told = async |node| complaint(&house.send(C::ItemOperations, document(&node)).await.body);
    assert_eq!(told(of(vec![t("DstFldId", "2")])).await, Some(2));
    conforms!("MS-ASCON_R68", "MS-ASCON_R144");
    assert_eq!(told(of(vec![t("ConversationId", "x")])).await, Some(2));
    conforms!("MS-ASCON_R118", "MS-ASCON_R70");
}

/// 0 without a flag, 1 with one that is complete, 2 with one that is not.
fn flag_of(item: &Item) -> u8 {
    item.flag.as_ref().map_or(0, |flag| flag.status)
}

/// A phone names each mail of the conversation ([MS-ASCON] 3.1.4).
#[tokio::test]
async fn what_is_done_to_all_mails_of_a_conversation_is_done_to_them_alone() {
    let house = House::new().await;
    let (one, two) = (house.raw(HTML).await, another(&house, "second").await);
    let (key, _) = house.catch_up(house.begin().await).await;
    let inbox_id = house.inbox_folder().await;
    let changes = |data: Email, items: &[ItemNumber]| -> Vec<ClientCommand> {
        let change = |item: &ItemNumber| {
            let data = data.clone().into();
            ClientCommand::Change(Change {
                server_id: id(*item),
                instance_id: None,
                send: false,
                data,
            })
        };
        items.iter().map(change).collect()
    };
    let mut key = key;
    let mut does = async |commands: Vec<ClientCommand>| {
        let answer = house.sync_one(Collection { commands, ..inbox(key.as_str()) }).await;
        assert_eq!(answer.status.0, 1);
        assert!(answer.replies.is_empty(), "{:?}", answer.replies);
        key = answer.sync_key;
    };
    let state = async |item| house.store.items(inbox_id, &[item]).await.unwrap().remove(0);
    let read = |read| Email { read: Some(read), ..Email::default() };
    does(changes(read(true), &[one, two])).await;
    assert!(state(one).await.read && state(two).await.read);
    conforms!("MS-ASCON_R326", "MS-ASCON_R203", "MS-ASCON_R204");
    does(changes(read(false), &[one, two])).await;
    assert!(!state(one).await.read && !state(two).await.read);
    conforms!("MS-ASCON_R337", "MS-ASCON_R284");

    let flagged = |status: u8| {
        let flag_type = Some("Flag for follow up".to_owned());
        let time = DateTime::parse("2026-11-24T12:00:00.000Z").ok().filter(|_| status == 1);
        let (date_completed, complete_time) = (time, time);
        let status = Some(status);
        let flag = Flag { status, flag_type, date_completed, complete_time, ..Flag::default() };
        Email { flag: Some(flag), ..Email::default() }
    };
    does(changes(flagged(2), &[two])).await;
    let statuses = async || (flag_of(&state(one).await), flag_of(&state(two).await));
    assert_eq!(statuses().await, (0, 2));
    conforms!("MS-ASCON_R324", "MS-ASCON_R206", "MS-ASCON_R209");
    does(changes(flagged(1), &[two])).await;
    assert_eq!(statuses().await, (0, 1));
    conforms!("MS-ASCON_R162", "MS-ASCON_R208");
    does(changes(Email { flag: Some(Flag::default()), ..Email::default() }, &[one, two])).await;
    assert_eq!(statuses().await, (0, 0));
    conforms!("MS-ASCON_R325", "MS-ASCON_R207");

    let delete = |item| ClientCommand::Delete(Delete { server_id: id(item), instance_id: None });
    does(vec![delete(one), delete(two)]).await;
    assert_eq!(house.lying_in(FolderKind::DeletedItems).await.len(), 2);
    conforms!("MS-ASCON_R157", "MS-ASCON_R199", "MS-ASCON_R201");
    another(&house, "third").await;
    assert_eq!(house.lying_in(FolderKind::Inbox).await.len(), 1, "what comes later stays");
    conforms!("MS-ASCON_R158", "MS-ASCON_R200");
}

#[tokio::test]
async fn all_mails_of_a_conversation_are_moved_and_found_wherever_they_lie() {
    let house = House::new().await;
    let (one, two) = (house.raw(HTML).await, another(&house, "second").await);
    house.mail("other").await;
    let mails = inbox_mails(&house).await;
    assert_eq!(mails.len(), 3);
    conforms!("MS-ASCON_R180");
    let attic = house.store.create_folder(house.mailbox, CollectionNumber(0), "Attic").await;
    let attic = attic.unwrap();
    let way = |item| move_items::Move {
        src_msg_id: id(item),
        src_fld_id: folder(INBOX),
        dst_fld_id: folder(attic.number),
    };
    let body = move_items::Request { moves: vec![way(one), way(two)] }.encode(V);
    let moved: move_items::Response = house.send(C::MoveItems, body).await.read();
    assert!(moved.responses.iter().all(|moved| moved.status.0 == 3));
    let there = house.store.changes_since(attic.id, Cursor(0), 9).await.unwrap();
    assert_eq!(there.changes.len(), 2);
    conforms!("MS-ASCON_R170", "MS-ASCON_R217", "MS-ASCON_R218");

    another(&house, "third").await;
    let found = finds(&house, &conversation(&mails[2]), searching::Options::default()).await;
    assert_eq!(found.len(), 3, "in the Inbox and elsewhere");
    conforms!("MS-ASCON_R176", "MS-ASCON_R220", "MS-ASCON_R221");
}

async fn search(
    house: &House,
    conversation: &[u8],
    options: searching::Options,
) -> searching::StoreAnswer {
    let query = searching::MailboxQuery {
        conversation_id: Some(conversation.to_vec()),
        ..searching::MailboxQuery::default()
    };
    let request = searching::Request {
        store: "Mailbox".to_owned(),
        query: searching::Query::Mailbox(Box::new(query)),
        options: searching::Options { deep_traversal: true, ..options },
    };
    let response: searching::Response = house.send(C::Search, request.encode(V)).await.read();
    response.store.unwrap()
}

async fn finds(house: &House, conversation: &[u8], options: searching::Options) -> Vec<Email> {
    let hits = search(house, conversation, options).await.results.into_iter();
    let mail = |hit: searching::Hit| match hit.properties {
        Some(searching::HitProperties::Item(data)) => data.email().cloned(),
        _ => None,
    };
    hits.filter_map(mail).collect()
}

fn wish(kind: BodyType, octets: Option<u32>) -> Vec<BodyPreference> {
    vec![BodyPreference { truncation_size: octets, ..BodyPreference::new(kind) }]
}

/// What a phone that asks for a body, for a part, for both, or for neither is given.
fn is_as_asked(mail: &Email, wants_body: bool, wants_part: bool) {
    assert_eq!(mail.body.is_some(), wants_body || !wants_part);
    assert_eq!(mail.body_parts.len(), usize::from(wants_part));
    for part in &mail.body_parts {
        assert_eq!((part.status.unwrap().0, part.body_type), (1, Some(BodyType::Html)));
        assert!(part.estimated_data_size.unwrap() > 0 && part.data.is_some());
    }
}

const WISHES: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

fn wishes(wants_body: bool, wants_part: bool) -> (Vec<BodyPreference>, Vec<BodyPreference>) {
    let of = |wanted: bool, kind| if wanted { wish(kind, None) } else { Vec::new() };
    (of(wants_body, BodyType::Html), of(wants_part, BodyType::Html))
}

async fn fetches(house: &House, item: ItemNumber, options: FetchOptions) -> (u16, Option<Email>) {
    let fetch = Fetch {
        store: Some("Mailbox".to_owned()),
        collection_id: Some(folder(INBOX)),
        server_id: Some(id(item)),
        options: Some(options),
        ..Fetch::default()
    };
    let operations = vec![Operation::Fetch(Box::new(fetch))];
    let body = item_operations::Request { operations }.encode(V);
    let response: item_operations::Response = house.send(C::ItemOperations, body).await.read();
    match response.outcomes.into_iter().next() {
        Some(item_operations::Outcome::Fetch(fetched)) => {
            let item = fetched.properties.as_ref().and_then(|found| found.item.as_ref());
            (fetched.status.unwrap().0, item.and_then(|item| item.email().cloned()))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_part_comes_if_it_is_asked_for_and_beside_the_body_if_that_is_too() {
    for (wants_body, wants_part) in WISHES {
        let house = House::new().await;
        let item = house.raw(HTML).await;
        let (body_preferences, body_part_preferences) = wishes(wants_body, wants_part);
        let options = Options {
            body_preferences: body_preferences.clone(),
            body_part_preferences: body_part_preferences.clone(),
            ..Options::default()
        };
        let mails = mails_in(&house, folder(INBOX), vec![options]).await;
        is_as_asked(&mails[0], wants_body, wants_part);
        let options = FetchOptions {
            body_preferences: body_preferences.clone(),
            body_part_preferences: body_part_preferences.clone(),
            ..FetchOptions::default()
        };
        let fetched = fetches(&house, item, options).await;
        is_as_asked(&fetched.1.unwrap(), wants_body, wants_part);
        let options = searching::Options {
            body_preferences,
            body_part_preferences,
            ..searching::Options::default()
        };
        let found = finds(&house, &conversation(&mails[0]), options).await;
        is_as_asked(&found[0], wants_body, wants_part);
    }
    conforms!("MS-ASCON_R38", "MS-ASCON_R39", "MS-ASCON_R40", "MS-ASCON_R46", "MS-ASCON_R47");
    conforms!("MS-ASCON_R234", "MS-ASCON_R235", "MS-ASCON_R236", "MS-ASCON_R237");
    conforms!("MS-ASCON_R339", "MS-ASCON_R340", "MS-ASCON_R243", "MS-ASCON_R245");
    conforms!("MS-ASCON_R246", "MS-ASCON_R247", "MS-ASCON_R248");
}

#[tokio::test]
async fn a_part_is_cut_where_it_is_asked_for_and_is_html_or_nothing() {
    let house = House::new().await;
    let item = house.raw(HTML).await;
    let parts =
        |kind, octets| Options { body_part_preferences: wish(kind, octets), ..Options::default() };
    let mails = mails_in(&house, folder(INBOX), vec![parts(BodyType::Html, Some(20))]).await;
    let part = &mails[0].body_parts[0];
    assert!(part.data.as_ref().unwrap().as_bytes().len() <= 20);
    assert_eq!(part.truncated, Some(true));
    assert!(part.estimated_data_size.unwrap() > 20);
    conforms!("MS-ASCON_R239", "MS-ASCON_R240");
    for kind in [BodyType::Plain, BodyType::Mime] {
        let options = vec![parts(kind, None)];
        let said = house.sync_one(Collection { options, ..inbox("0") }).await;
        assert_eq!(said.status.0, 164, "{kind:?}");
        let body_part_preferences = wish(kind, None);
        let options = FetchOptions { body_part_preferences, ..FetchOptions::default() };
        assert_eq!(fetches(&house, item, options).await, (164, None));
        let body_part_preferences = wish(kind, None);
        let options = searching::Options { body_part_preferences, ..searching::Options::default() };
        assert_eq!(search(&house, &conversation(&mails[0]), options).await.status.0, 164);
    }
    conforms!("MS-ASCON_R241", "MS-ASCMD_R5412");
}

/// What grows older than the filter goes from the phone without being deleted ([MS-ASCON] 3.2.5.6).
#[tokio::test]
async fn what_grows_too_old_for_the_filter_is_taken_off_softly() {
    let house = House::new().await;
    house.mail("one").await;
    let options = vec![Options { filter_type: Some(1), ..Options::default() }];
    let key = house.sync_one(Collection { options, ..inbox("0") }).await.sync_key;
    let first = house.sync_one(inbox(key.as_str())).await;
    assert_eq!(adds(&first), ["one"]);
    house.clock.advance(std::time::Duration::from_hours(49));
    let later = house.sync_one(inbox(first.sync_key.as_str())).await;
    assert!(matches!(&later.commands[..], [ServerCommand::SoftDelete { .. }]), "{later:?}");
    conforms!("MS-ASCON_R228", "MS-ASCON_R229");
    assert_eq!(house.lying_in(FolderKind::Inbox).await.len(), 1);
}
