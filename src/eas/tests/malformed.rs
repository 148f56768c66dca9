//! What no phone should send: every malformed shape of the fixtures and the corpus, to every command, answered in HTTP 200 with the
//! status that the specification names; and more of something than is served.

use std::path::{Path, PathBuf};

use activesync::ProtocolVersion;
use activesync::command::{CommandName, Request, item_operations, ping, sync};
use activesync::element::Cursor;
use activesync::http::Query;
use activesync::types::{ClassName, CollectionId, SyncKey};
use activesync::{Document, code_pages};
use conformance::conforms;

use super::house::*;
use crate::eas::{COMMANDS, VERSIONS};

/// Common statuses ([MS-ASCMD] 2.2.2).
const INVALID_CONTENT: u16 = 101;
const INVALID_WBXML: u16 = 102;
const INVALID_XML: u16 = 103;

/// What a command says of a document that breaks its rules ([MS-ASCMD] 2.2.3.177).
fn protocol_error(command: CommandName) -> u16 {
    match command {
        CommandName::Sync | CommandName::Ping => 4,
        CommandName::FolderSync
        | CommandName::FolderCreate
        | CommandName::FolderDelete
        | CommandName::FolderUpdate => 10,
        CommandName::ItemOperations
        | CommandName::Provision
        | CommandName::Settings
        | CommandName::ValidateCert => 2,
        CommandName::ResolveRecipients => 5,
        _ => INVALID_XML,
    }
}

/// Requests of the corpus that break a rule, and what is said to them.
const WRONG: &[(&str, u16)] = &[
    ("ms-interop-0x05-b61c6618.wbxml", 2),
    ("ms-interop-FolderSync-a95de260.wbxml", INVALID_WBXML),
    ("ms-interop-GetItemEstimate-513ab758.wbxml", INVALID_XML),
    ("ms-interop-GetItemEstimate-8168e254.wbxml", INVALID_XML),
    ("ms-interop-GetItemEstimate-b3a3dd97.wbxml", INVALID_XML),
    ("ms-interop-ItemOperations-26adb276.wbxml", 2),
    ("ms-interop-ItemOperations-d0d71e2d.wbxml", 2),
    ("ms-interop-ItemOperations-f679ac17.wbxml", 2),
    ("ms-interop-MoveItems-45139035.wbxml", INVALID_XML),
    ("ms-interop-MoveItems-bdfb7e7b.wbxml", INVALID_XML),
    ("ms-interop-Provision-17d977f0.wbxml", 2),
    ("ms-interop-ResolveRecipients-4ae20efb.wbxml", 5),
    ("ms-interop-ResolveRecipients-e7ace72b.wbxml", 5),
    ("ms-interop-SendMail-dd7fb933.wbxml", INVALID_XML),
    ("ms-interop-Settings-b79bf773.wbxml", 2),
    ("ms-interop-Sync-121897a7.wbxml", 4),
    ("ms-interop-Sync-1771bc9c.wbxml", 4),
    ("ms-interop-Sync-5558475d.wbxml", 4),
    ("ms-interop-Sync-71ae3555.wbxml", 4),
    ("ms-interop-Sync-a1bca890.wbxml", 4),
    ("ms-interop-Sync-e8b0e2e1.wbxml", 4),
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/activesync/tests/data").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(data(name)).unwrap()
}

fn hex(name: &str) -> Vec<u8> {
    let digits: Vec<u8> = text(name).bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// The Status in the command's own root, where that is all or the first there is.
fn top_status(command: CommandName, body: &[u8]) -> Option<u16> {
    let mut cursor = Cursor::new(body, ProtocolVersion::V16_1).ok()?;
    cursor.root(command.root()?).ok()?;
    let tag = cursor.next_child().ok()??;
    (code_pages::name(tag) == "Status").then(|| cursor.number::<u16>().unwrap())
}

/// What is said to a body, in HTTP 200; nothing where there is nothing to be said.
async fn told(
    house: &House,
    command: CommandName,
    version: &'static str,
    body: &[u8],
) -> Option<u16> {
    let incoming = house.incoming(command, version, body.to_vec());
    let seen = house.answered(incoming).await?;
    assert_eq!(seen.status.as_u16(), 200, "{command}");
    top_status(command, &seen.body)
}

fn served() -> impl Iterator<Item = CommandName> {
    let has_documents = |command: &CommandName| command.root().is_some() && command.exists_in(V);
    COMMANDS.iter().copied().filter(has_documents)
}

#[tokio::test]
async fn what_other_clients_really_sent_is_answered() {
    let house = House::new().await;
    house.folder_sync("0").await;
    let mut found = Vec::new();
    for row in text("corpus/index.tsv").lines().skip(1) {
        let [file, _, version, uri] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let query = Query::decode(uri.split_once('?').unwrap().1).unwrap();
        let version = query.version.unwrap_or_else(|| version.parse().unwrap());
        if !VERSIONS.contains(&version) || !COMMANDS.contains(&query.command) {
            continue;
        }
        let body = std::fs::read(data(&format!("corpus/{file}"))).unwrap();
        let is_wrong = Request::decode(query.command, version, &body).is_err();
        let said = told(&house, query.command, version.as_str(), &body).await;
        if is_wrong {
            found.push((file.to_owned(), said));
        }
    }
    let known: Vec<(String, Option<u16>)> =
        WRONG.iter().map(|(file, status)| ((*file).to_owned(), Some(*status))).collect();
    assert!(found.iter().all(|row| known.contains(row)), "{found:#?}");
    assert!(found.len() >= 18, "{}", found.len());
    conforms!("MS-ASCMD_R5647", "MS-ASCMD_R5653", "MS-ASCMD_R5659", "MS-ASCMD_R7238");
}

#[tokio::test]
async fn malformed_documents_are_no_wbxml_or_break_the_schema() {
    let house = House::new().await;
    house.folder_sync("0").await;
    for row in text("fixtures/malformed/manifest.tsv").lines().skip(1) {
        let [name, expect, ..] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let octets = hex(&format!("fixtures/malformed/{name}.hex"));
        for command in served() {
            let said = told(&house, command, "16.1", &octets).await;
            let is_schema = said == Some(protocol_error(command)) || said == Some(INVALID_XML);
            let is_answer = expect != "must-fail";
            assert!(
                said == Some(INVALID_WBXML) || is_schema || is_answer,
                "{name} to {command}: {said:?}"
            );
        }
        // To the command they begin as: no WBXML, unless what breaks the schema comes first. The tests of the types pin which.
        let own = begun_as(&octets).filter(|own| COMMANDS.contains(own));
        let wrong = own.map(|own| (own, Request::decode(own, V, &octets).err()));
        let Some((own, Some(wrong))) = wrong else { continue };
        let expected = match wrong {
            activesync::Error::Wbxml(_) => INVALID_WBXML,
            _ => protocol_error(own),
        };
        assert_eq!(told(&house, own, "16.1", &octets).await, Some(expected), "{name}");
    }
}

/// What is no document of a command is HTTP 400 up to 12.1, or the command's own word for it; never anything else.
#[tokio::test]
async fn an_old_phone_hears_of_malformed_documents_in_http() {
    let house = House::new().await;
    for row in text("fixtures/malformed/manifest.tsv").lines().skip(1) {
        let [name, expect, ..] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        if expect != "must-fail" {
            continue;
        }
        let octets = hex(&format!("fixtures/malformed/{name}.hex"));
        for command in served().filter(|command| command.exists_in(ProtocolVersion::V12_1)) {
            let is_mail = matches!(
                command,
                CommandName::SendMail | CommandName::SmartReply | CommandName::SmartForward
            );
            if is_mail {
                continue;
            }
            let seen = house.give(house.incoming(command, "12.1", octets.clone())).await;
            let own = top_status(command, &seen.body);
            let is_told = match seen.status.as_u16() {
                400 => seen.body.is_empty(),
                200 => own == Some(protocol_error(command)),
                _ => false,
            };
            assert!(is_told, "{name} to {command}: {} {own:?}", seen.status);
        }
    }
}

/// The command whose root stands first.
fn begun_as(octets: &[u8]) -> Option<CommandName> {
    let (page, token) = match octets.get(4..)? {
        [0x00, page, token, ..] => (*page, *token),
        [token, ..] => (0, *token),
        [] => return None,
    };
    CommandName::from_root(wbxml::Tag { page, token: token & 0x3f })
}

/// A document of elements without a version: header, then tags with their pages.
fn document_of(tags: &[(wbxml::Tag, bool)], ends: usize) -> Vec<u8> {
    let mut octets = vec![0x03, 0x01, 0x6a, 0x00];
    let mut page = 0;
    for (tag, has_content) in tags {
        if tag.page != page {
            octets.extend([0x00, tag.page]);
            page = tag.page;
        }
        octets.push(tag.token | if *has_content { 0x40 } else { 0 });
    }
    octets.extend(vec![0x01; ends]);
    octets
}

#[tokio::test]
async fn each_command_says_what_is_wrong_in_its_own_words() {
    let house = House::new().await;
    house.folder_sync("0").await;
    let mut wrongly = Vec::new();
    for command in served() {
        let root = command.root().unwrap();
        let said = async |body: &[u8]| told(&house, command, "16.1", body).await;
        // No document. Sync and Ping mean "as last time", and there was none.
        let nothing = match command {
            CommandName::Sync => 13,
            CommandName::Ping => 3,
            // [MS-ASPROV] 3.1.5.1: it only looks whether a wipe waits.
            CommandName::Provision => 1,
            _ => INVALID_CONTENT,
        };
        assert_eq!(said(b"").await, Some(nothing), "{command}");
        let wrong = Some(protocol_error(command));
        let other =
            if command == CommandName::Ping { CommandName::Sync } else { CommandName::Ping };
        let foreign = document_of(&[(other.root().unwrap(), false)], 0);
        assert_eq!(said(&foreign).await, wrong, "{command}: another command's document");
        let strange = document_of(&[(root, true), (code_pages::email::SUBJECT, false)], 1);
        assert_eq!(said(&strange).await, wrong, "{command}: an element of elsewhere");
        let text = [&document_of(&[(root, true)], 0)[..], b"\x03text\0", &[0x01]].concat();
        assert_eq!(said(&text).await, wrong, "{command}: text for elements");
        let twice = document_of(&[(root, false), (root, false)], 0);
        let said_twice = said(&twice).await;
        assert!(
            said_twice == Some(INVALID_WBXML) || said_twice == wrong,
            "{command}: two roots: {said_twice:?}"
        );
        // What has to be there is not.
        let bare = match command {
            CommandName::Ping => Some(3),
            CommandName::Provision => Some(1),
            // Nothing is asked, and nothing fails.
            CommandName::Settings | CommandName::ItemOperations => Some(1),
            _ => wrong,
        };
        let said_bare = said(&document_of(&[(root, false)], 0)).await;
        if said_bare != bare {
            wrongly.push((command, said_bare, bare));
        }
    }
    assert!(wrongly.is_empty(), "with nothing in it: {wrongly:?}");
}

#[tokio::test]
async fn more_than_is_served_has_its_status() {
    let house = House::new().await;
    house.folder_sync("0").await;
    let collections = |count: u32| {
        let one = |number: u32| {
            sync::Collection::new(
                CollectionId::new(number.to_string()).unwrap(),
                SyncKey::initial(),
            )
        };
        sync::Request { collections: (1..=count).map(one).collect(), ..sync::Request::default() }
    };
    let response = house.sync(collections(301)).await;
    assert_eq!((response.status.unwrap().0, response.limit), (15, Some(300)));
    conforms!("MS-ASCMD_R3231");
    assert_ne!(house.sync(collections(300)).await.status.map(|status| status.0), Some(15));
    let folders = |count: u32| {
        let folder = |number: u32| ping::Folder {
            id: CollectionId::new(number.to_string()).unwrap(),
            class: ClassName::email(),
        };
        let folders = Some((1..=count).map(folder).collect());
        ping::Request { heartbeat_s: Some(60), folders }.encode(V)
    };
    let response: ping::Response = house.send(CommandName::Ping, folders(1001)).await.read();
    assert_eq!((response.status.0, response.folders_max), (6, Some(1000)));
    conforms!("MS-ASCMD_R3259");
    let response: ping::Response = house.send(CommandName::Ping, folders(1000)).await.read();
    assert_eq!(response.status.0, 7, "most of them are not there");
    let empties = |count: usize| {
        let empty = item_operations::Operation::EmptyFolderContents {
            collection_id: CollectionId::new("999").unwrap(),
            delete_sub_folders: false,
        };
        item_operations::Request { operations: vec![empty; count] }.encode(V)
    };
    for (count, status) in [(100, 1), (101, 11)] {
        let seen = house.send(CommandName::ItemOperations, empties(count)).await;
        let response: item_operations::Response = seen.read();
        assert_eq!(response.status.0, status);
    }
    conforms!("MS-ASCMD_R5643");
}

#[tokio::test]
async fn a_mail_cannot_be_moved_to_two_folders() {
    let house = House::new().await;
    house.folder_sync("0").await;
    use code_pages::move_items as tags;
    let leaf = |tag: wbxml::Tag, text: &str| {
        [&[tag.token | 0x40, 0x03][..], text.as_bytes(), &[0x00, 0x01]].concat()
    };
    let body = [
        document_of(&[(tags::MOVE_ITEMS, true), (tags::MOVE, true)], 0),
        leaf(tags::SRC_MSG_ID, "1:1"),
        leaf(tags::SRC_FLD_ID, "1"),
        leaf(tags::DST_FLD_ID, "2"),
        leaf(tags::DST_FLD_ID, "3"),
        vec![0x01, 0x01],
    ]
    .concat();
    assert_eq!(told(&house, CommandName::MoveItems, "16.1", &body).await, Some(5));
    conforms!("MS-ASCMD_R4222");
}
