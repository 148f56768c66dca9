//! What phones send that the schema does not say, and what is refused although they might.

use wbxml::Tag;

use super::*;
use crate::code_pages::{air_sync::*, air_sync_base, email, email2};
use crate::document::Document;
use crate::encoder::Encoder;
use crate::error::{Error, Problem};
use crate::item::ItemData;
use crate::status::{self, Status};
use crate::types::{CollectionId, ServerId, SyncKey};
use crate::version::ProtocolVersion;

fn sync(version: ProtocolVersion, write: impl FnOnce(&mut Encoder)) -> Result<Request, Error> {
    let mut encoder = Encoder::new(ProtocolVersion::V16_1);
    encoder.container(SYNC, write);
    Request::decode(version, &encoder.finish())
}

/// One collection with a key and an id, and what else is written.
fn collection(write: impl FnOnce(&mut Encoder)) -> Result<Collection, Error> {
    let request = sync(ProtocolVersion::V16_1, |e| {
        e.container(COLLECTIONS, |e| {
            e.container(COLLECTION, |e| {
                e.text(SYNC_KEY, "5");
                e.text(COLLECTION_ID, "1");
                write(e);
            });
        });
    });
    request.map(|mut request| request.collections.remove(0))
}

fn change(write: impl FnOnce(&mut Encoder)) -> ItemData {
    let collection = collection(|e| {
        e.container(COMMANDS, |e| {
            e.container(CHANGE, |e| {
                e.text(SERVER_ID, "1:1");
                e.container(APPLICATION_DATA, write);
            });
            e.container(DELETE, |e| e.text(SERVER_ID, "1:2"));
        });
    })
    .unwrap();
    assert!(matches!(&collection.commands[1], ClientCommand::Delete(_)), "the next one counts");
    match collection.commands.into_iter().next() {
        Some(ClientCommand::Change(change)) => change.data,
        other => panic!("{other:?}"),
    }
}

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> (Tag, Problem) {
    match result {
        Err(Error::Schema { tag, problem, .. }) => (tag, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn booleans_come_empty_or_with_a_value() {
    let empty = collection(|e| {
        e.empty(DELETES_AS_MOVES);
        e.text(GET_CHANGES, "0");
        e.empty(CONVERSATION_MODE);
    });
    let empty = empty.unwrap();
    assert_eq!((empty.deletes_as_moves, empty.get_changes), (Some(true), Some(false)));
    assert_eq!(empty.conversation_mode, Some(true));
}

#[test]
fn changes_are_wanted_unless_it_is_the_first_key_or_said_otherwise() {
    let mut one = collection(|_| {}).unwrap();
    assert!(one.wants_changes());
    one.sync_key = SyncKey::initial();
    assert!(!one.wants_changes());
    one.get_changes = Some(true);
    assert!(one.wants_changes());
}

#[test]
fn a_heartbeat_with_all_folders_off_has_empty_collections() {
    let request = sync(ProtocolVersion::V14_1, |e| {
        e.empty(COLLECTIONS);
        e.number(HEARTBEAT_INTERVAL, 480);
    });
    assert_eq!(request.unwrap().collections, []);
}

#[test]
fn containers_come_empty() {
    let one = collection(|e| {
        e.empty(SUPPORTED);
        e.empty(OPTIONS);
        e.empty(COMMANDS);
    });
    let one = one.unwrap();
    assert_eq!((one.supported, one.commands.len()), (Some(Vec::new()), 0));
    assert_eq!(one.options, [Options::default()]);
}

#[test]
fn a_supported_property_that_the_version_does_not_have_is_passed_over() {
    // RTFTruncation (0x1A), which no version has, and Class (0x10), which all have.
    let body =
        b"\x03\x01\x6A\x00\x45\x5C\x4F\x4B\x030\0\x01\x52\x039\0\x01\x60\x1A\x10\x01\x01\x01\x01";
    let request = Request::decode(ProtocolVersion::V14_1, body).unwrap();
    assert_eq!(request.collections[0].supported, Some(vec![CLASS]));
}

#[test]
fn an_empty_server_id_is_an_item_nobody_has() {
    let one = collection(|e| e.container(COMMANDS, |e| e.container(FETCH, |e| e.empty(SERVER_ID))));
    assert_eq!(one.unwrap().commands, [ClientCommand::Fetch(ServerId::default())]);
}

#[test]
fn the_order_of_a_collection_is_kept() {
    let wrong = collection(|e| {
        e.number(WINDOW_SIZE, 5);
        e.boolean(GET_CHANGES, true);
    });
    assert_eq!(problem(wrong), (GET_CHANGES, Problem::Order));
}

#[test]
fn waits_exclude_each_other_and_partial_is_not_alone() {
    let both = sync(ProtocolVersion::V16_1, |e| {
        e.number(WAIT, 5);
        e.number(HEARTBEAT_INTERVAL, 480);
    });
    assert_eq!(problem(both).1, Problem::Combination);
    let alone = sync(ProtocolVersion::V16_1, |e| e.empty(PARTIAL));
    assert_eq!(problem(alone), (PARTIAL, Problem::Combination));
    let less_than_nothing = sync(ProtocolVersion::V16_1, |e| e.number(WAIT, -5));
    assert_eq!(less_than_nothing.unwrap().wait_min, Some(0), "to be answered with a limit");
}

#[test]
fn what_a_version_lacks_fails_the_request() {
    let version = ProtocolVersion::V12_1;
    let error = sync(version, |e| e.number(HEARTBEAT_INTERVAL, 480)).unwrap_err();
    assert_eq!(error, Error::Version { offset: 5, tag: HEARTBEAT_INTERVAL, version });
    assert_eq!(error.status(crate::command::CommandName::Sync), status::sync::PROTOCOL_ERROR);
}

#[test]
fn a_broken_item_spoils_no_other() {
    let broken = [
        change(|e| e.text(email::READ, "true")),
        change(|e| e.container(email::FLAG, |e| e.text(email::STATUS, "on"))),
        change(|e| e.container(air_sync_base::BODY, |e| e.text(air_sync_base::TYPE, "9"))),
        change(|e| e.text(STATUS, "1")),
        change(|e| {
            e.text(email::SUBJECT, "a");
            e.text(email::SUBJECT, "b");
        }),
    ];
    assert!(broken.iter().all(|data| matches!(data, ItemData::Broken(_))), "{broken:?}");
}

#[test]
fn items_of_other_classes_are_kept_as_they_came() {
    let data = change(|e| {
        e.container(air_sync_base::BODY, |e| e.text(air_sync_base::TYPE, "1"));
        e.text(crate::code_pages::contacts::LAST_NAME, "Kerry");
    });
    assert!(matches!(data, ItemData::Other(other) if other.page == 1));
}

#[test]
fn a_draft_is_sent_as_it_is() {
    let one = collection(|e| {
        e.container(COMMANDS, |e| {
            e.container(CHANGE, |e| {
                e.text(SERVER_ID, "2:9");
                e.empty(email2::SEND);
            });
        });
    });
    match &one.unwrap().commands[..] {
        [ClientCommand::Change(change)] => {
            assert!(change.send && change.data.email().is_some_and(|email| email.is_state_only()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_hundred_commands_and_two_blocks_of_options_are_the_limit() {
    let fetches = |count: usize| {
        collection(|e| {
            e.container(COMMANDS, |e| {
                (0..count).for_each(|_| e.container(FETCH, |e| e.text(SERVER_ID, "1:1")));
            });
        })
    };
    assert_eq!(fetches(CLIENT_COMMANDS_MAX).unwrap().commands.len(), CLIENT_COMMANDS_MAX);
    assert!(matches!(fetches(CLIENT_COMMANDS_MAX + 1), Err(Error::Limit { .. })));
    let blocks = |classes: &[&str]| {
        collection(|e| {
            for class in classes {
                e.container(OPTIONS, |e| e.text(CLASS, class));
            }
        })
    };
    assert_eq!(blocks(&["Email", "SMS"]).unwrap().options.len(), 2);
    assert_eq!(problem(blocks(&["Email", "Email"])).1, Problem::Combination);
    assert!(matches!(blocks(&["Email", "SMS", "Notes"]), Err(Error::Limit { .. })));
}

#[test]
fn an_answer_never_has_an_empty_container_and_more_available_stands_first() {
    let id = CollectionId::new("1").unwrap();
    let mut answer = CollectionAnswer::new(id, SyncKey::new("6").unwrap(), Status(1));
    answer.more_available = true;
    answer.commands.push(ServerCommand::SoftDelete { server_id: ServerId::new("1:1").unwrap() });
    let response = Response { collections: vec![answer], ..Response::default() };
    let octets = response.encode(ProtocolVersion::V14_1);
    let more = octets.iter().position(|octet| *octet == MORE_AVAILABLE.token);
    let commands = octets.iter().position(|octet| *octet == COMMANDS.token | 0x40);
    assert!(more.is_some() && more < commands);
    assert!(!octets.contains(&RESPONSES.token) && !octets.contains(&(RESPONSES.token | 0x40)));
    assert_eq!(
        Response::failure(Status(13)).encode(ProtocolVersion::V14_1)[4..],
        [0x45, 0x4E, 3, b'1', b'3', 0, 1, 1]
    );
}
