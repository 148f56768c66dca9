//! Known answers: every document of the shared test data, through the types and back.
//!
//! A document of a typed command has to come back with everything that was in it, and octet by
//! octet unless it is listed as spelt another way. Documents of commands without a type are listed
//! too, so that nothing is passed over in silence.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use activesync::code_pages::{PAGES, air_sync, email};
use activesync::command::{CommandName, Request, item_operations, sync};
use activesync::error::Problem;
use activesync::http::Query;
use activesync::{Document, Error, ProtocolVersion};
use wbxml::{Limits, Reader, Tag, Token};

/// Fixtures that are spelt another way: empty for true, or not in the order of Exchange, which is ours.
const REORDERED: &[&str] =
    &["12-sync-getchanges-request", "19-sync-draft-add-request", "20-sync-draft-add-response"];

/// Commands that have no type yet, and in which direction.
const UNTYPED: &[(&str, CommandName)] = &[
    ("request", CommandName::Find),
    ("request", CommandName::FolderCreate),
    ("request", CommandName::FolderSync),
    ("request", CommandName::GetItemEstimate),
    ("request", CommandName::MeetingResponse),
    ("request", CommandName::MoveItems),
    ("request", CommandName::Ping),
    ("request", CommandName::Provision),
    ("request", CommandName::ResolveRecipients),
    ("request", CommandName::Search),
    ("request", CommandName::SendMail),
    ("request", CommandName::Settings),
    ("request", CommandName::SmartForward),
    ("request", CommandName::SmartReply),
    ("request", CommandName::ValidateCert),
    ("response", CommandName::Find),
    ("response", CommandName::FolderCreate),
    ("response", CommandName::FolderSync),
    ("response", CommandName::GetItemEstimate),
    ("response", CommandName::MeetingResponse),
    ("response", CommandName::MoveItems),
    ("response", CommandName::Ping),
    ("response", CommandName::Provision),
    ("response", CommandName::ResolveRecipients),
    ("response", CommandName::Search),
    ("response", CommandName::SendMail),
    ("response", CommandName::Settings),
    ("response", CommandName::ValidateCert),
];

/// Variants of commands that have no type yet.
const UNTYPED_VARIANTS: &[&str] = &["v04-padded-mbuint", "v06-mixed-opaque-and-string"];

/// Variants that are no whole answer, and what they lack.
const INCOMPLETE: [(&str, &str); 1] =
    [("v05-opaque-as-text", "at 48, AirSync:Add: lacks ClientId")];

/// Requests of the corpus that are wrong on purpose, and what is wrong with them.
const WRONG: &[(&str, &str)] = &[
    ("ms-interop-FolderSync-a95de260.wbxml", "octet 7: the tag carries attributes"),
    (
        "ms-interop-ItemOperations-26adb276.wbxml",
        "at 39, AirSyncBase:FileReference: stands more than once",
    ),
    (
        "ms-interop-ItemOperations-d0d71e2d.wbxml",
        "at 7, ItemOperations:EmptyFolderContents: lacks CollectionId",
    ),
    ("ms-interop-ItemOperations-f679ac17.wbxml", "at 12, ItemOperations:Move: lacks DstFldId"),
    ("ms-interop-Sync-121897a7.wbxml", "at 12, AirSync:Collection: lacks CollectionId"),
    ("ms-interop-Sync-1771bc9c.wbxml", "at 19, AirSync:Collection: lacks SyncKey"),
    ("ms-interop-Sync-5558475d.wbxml", "at 185, AirSync:Collection: lacks SyncKey"),
    ("ms-interop-Sync-71ae3555.wbxml", "at 22365: more than 200 commands for a collection"),
    (
        "ms-interop-Sync-a1bca890.wbxml",
        "at 80, AirSync:Class: excludes something else that is there",
    ),
    (
        "ms-interop-Sync-e8b0e2e1.wbxml",
        "at 34, AirSync:HeartbeatInterval: excludes something else that is there",
    ),
];

/// Requests of the corpus that say the same thing twice, of which the last counts.
const REPEATING: &[&str] = &[
    "ms-interop-Sync-24cffd2f.wbxml",
    "ms-interop-Sync-a436e5bb.wbxml",
    "ms-interop-Sync-abda1d15.wbxml",
    "ms-interop-Sync-ce30f15b.wbxml",
    "ms-interop-Sync-ce3b2f58.wbxml",
];

/// What is wrong with the malformed documents; nothing with those that may be tolerated.
const MALFORMED: [(&str, &str); 28] = [
    ("m01-truncated-header", "octet 3: the input ends too early"),
    ("m02-empty-document", "octet 4: there is no root element"),
    ("m03-missing-end", "octet 12: the input ends too early"),
    ("m04-extra-end", "octet 13: END without an open element"),
    ("m05-second-root", "octet 13: a second root element"),
    ("m06-text-outside-root", "octet 4: text outside the root element"),
    ("m07-unterminated-string", "octet 9: the input ends too early"),
    ("m08-invalid-utf8-string", "at 5, AirSync:Status: is not UTF-8"),
    ("m09-opaque-past-end", "octet 14: the input ends too early"),
    ("m10-opaque-length-overflow", "octet 9: the integer does not fit 32 bits in five octets"),
    ("m11-opaque-length-unterminated", "octet 10: the input ends too early"),
    ("m12-attribute-bit", "octet 4: the tag carries attributes"),
    ("m13-unknown-page", "octet 4: there is no code page 26"),
    ("m14-retired-page-3", "octet 4: there is no code page 3"),
    ("m15-unknown-token", "octet 7: token 0x3F has no name on code page 13"),
    ("m16-token-below-5", "octet 5: literal tags are not used"),
    ("m17-entity", "octet 6: character entities are not used"),
    ("m18-string-table-reference", "octet 6: the reference into the string table has no meaning"),
    ("m19-processing-instruction", "octet 4: processing instructions are not used"),
    ("m20-extension-token", "octet 5: extension token 0x40 is not used"),
    ("m21-nonempty-string-table", "octet 3: the string table is not empty"),
    ("m22-wrong-charset", "octet 2: character set 3 is not UTF-8 (106)"),
    (
        "m23-public-id-in-string-table",
        "octet 1: the public identifier points into the string table",
    ),
    ("m24-xml-not-wbxml", "octet 0: version octet 0x3C is not WBXML 1.1 to 1.3"),
    ("m25-switch-page-at-end", "octet 7: the input ends too early"),
    ("m26-version-1.2", ""),
    ("m27-trailing-bytes", ""),
    ("m28-deep-nesting", "at 6, AirSync:Collections: does not belong here"),
];

#[test]
fn fixtures_come_back() {
    let (mut reordered, mut untyped) = (BTreeSet::new(), BTreeSet::new());
    let manifest = text("fixtures/manifest.tsv");
    for row in rows(&manifest) {
        let [name, direction, command, versions, ..] = row[..] else { panic!("{row:?}") };
        let octets = hex(&format!("fixtures/{name}.hex"));
        let command = command.parse().unwrap();
        let version = versions.trim_end_matches('+').parse().unwrap();
        let Some(again) = again(direction, command, version, &octets) else {
            untyped.insert((direction.to_owned(), command.as_str()));
            continue;
        };
        let again = again.unwrap_or_else(|error| panic!("{name}: {error}"));
        if again != octets {
            reordered.insert(name);
        }
        let xml = text(&format!("fixtures/{name}.xml"));
        let expected = wbxml::xml::from_xml(&xml, &PAGES, Limits::default()).unwrap();
        assert_eq!(tree(&again), tree(&expected), "{name}");
    }
    assert_eq!(reordered, REORDERED.iter().copied().collect());
    let known = UNTYPED.iter().map(|(way, name)| ((*way).to_owned(), name.as_str())).collect();
    assert_eq!(untyped, known);
}

#[test]
fn other_spellings_mean_the_same() {
    let manifest = text("fixtures/variants/manifest.tsv");
    let (mut incomplete, mut untyped) = (Vec::new(), Vec::new());
    for row in rows(&manifest) {
        let name = row[0];
        let octets = hex(&format!("fixtures/variants/{name}.hex"));
        let xml = text(&format!("fixtures/variants/{name}.xml"));
        let expected = wbxml::xml::from_xml(&xml, &PAGES, Limits::default()).unwrap();
        assert_eq!(tree(&octets), tree(&expected), "{name}");
        let is_response = RESPONSES.iter().any(|tag| holds(&octets, *tag));
        let direction = if is_response { "response" } else { "request" };
        let command = CommandName::from_root(root(&octets)).unwrap();
        match again(direction, command, ProtocolVersion::V16_1, &octets) {
            Some(Ok(again)) => assert_eq!(tree(&again), tree(&expected), "{name}"),
            Some(Err(error)) => incomplete.push((name, error.to_string())),
            None => untyped.push(name),
        }
    }
    assert_eq!(incomplete, INCOMPLETE.map(|(name, error)| (name, error.to_owned())));
    assert_eq!(untyped, UNTYPED_VARIANTS);
}

#[test]
fn requests_of_other_clients_come_back() {
    let index = text("corpus/index.tsv");
    let (mut wrong, mut repeating, mut untyped) = (Vec::new(), Vec::new(), BTreeSet::new());
    for row in rows(&index) {
        let [file, _, version, uri] = row[..] else { panic!("{row:?}") };
        let octets = fs::read(path(&format!("corpus/{file}"))).unwrap();
        let query = Query::decode(uri.split_once('?').unwrap().1).unwrap();
        let version = query.version.unwrap_or_else(|| version.parse().unwrap());
        match again("request", query.command, version, &octets) {
            None => {
                untyped.insert(query.command.as_str());
            }
            Some(Ok(again)) if tree(&again) == tree(&octets) => {}
            Some(Ok(_)) => repeating.push(file),
            Some(Err(error)) => wrong.push((file, error.to_string())),
        }
    }
    let known: Vec<_> = WRONG.iter().map(|(file, error)| (*file, (*error).to_owned())).collect();
    assert_eq!(wrong, known);
    assert_eq!(repeating, REPEATING);
    let known = UNTYPED.iter().filter(|(way, _)| *way == "request").map(|(_, name)| name.as_str());
    assert!(untyped.is_subset(&known.collect()), "{untyped:?}");
}

#[test]
fn malformed_documents_name_what_and_where() {
    let manifest = text("fixtures/malformed/manifest.tsv");
    let mut found = Vec::new();
    for row in rows(&manifest) {
        let octets = hex(&format!("fixtures/malformed/{}.hex", row[0]));
        let command = first_tag(&octets).and_then(CommandName::from_root);
        let command = command.unwrap_or(CommandName::Sync);
        let result = Request::decode(command, ProtocolVersion::V16_1, &octets);
        let result = match result {
            Err(Error::Schema { tag: air_sync::STATUS, problem: Problem::Misplaced, .. }) => {
                sync::Response::decode(ProtocolVersion::V16_1, &octets).err()
            }
            other => other.err(),
        };
        found.push((row[0], result.map_or(String::new(), |error| error.to_string())));
    }
    assert_eq!(found, MALFORMED.map(|(name, error)| (name, error.to_owned())));
}

/// What is in a document, written again from its type; `None` if it has no type.
fn again(
    direction: &str,
    command: CommandName,
    version: ProtocolVersion,
    octets: &[u8],
) -> Option<Result<Vec<u8>, Error>> {
    if direction == "request" {
        let request = match Request::decode(command, version, octets) {
            Ok(Request::Untyped(_)) => return None,
            Ok(request) => request,
            Err(error) => return Some(Err(error)),
        };
        let octets = request.encode(version);
        assert_eq!(Request::decode(command, version, &octets), Ok(request));
        return Some(Ok(octets));
    }
    Some(match command {
        CommandName::Sync => response::<sync::Response>(version, octets),
        CommandName::ItemOperations => response::<item_operations::Response>(version, octets),
        _ => return None,
    })
}

fn response<D>(version: ProtocolVersion, octets: &[u8]) -> Result<Vec<u8>, Error>
where
    D: Document + PartialEq + Debug,
{
    let value = D::decode(version, octets)?;
    let octets = value.encode(version);
    assert_eq!(D::decode(version, &octets).as_ref(), Ok(&value));
    Ok(octets)
}

/// An element, its content and its children, in an order of its own.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    name: String,
    content: Vec<u8>,
    children: Vec<Node>,
}

/// The tree of a document, whatever the order of siblings and the spelling of true.
fn tree(octets: &[u8]) -> Vec<Node> {
    let mut reader = Reader::new(octets, &PAGES, Limits::default()).unwrap();
    let mut open = vec![Node::default()];
    while let Some(token) = reader.next_token().unwrap() {
        match token {
            Token::Start { tag, name, .. } => {
                open.push(Node { name: format!("{}:{name}", tag.page), ..Node::default() });
            }
            Token::End => {
                let mut node = open.pop().unwrap();
                node.children.sort();
                if BOOLEANS.contains(&node.name.as_str()) && node.content.is_empty() {
                    node.content.push(b'1');
                }
                open.last_mut().unwrap().children.push(node);
            }
            Token::Text(text) => open.last_mut().unwrap().content.extend(text.bytes()),
            Token::Opaque(octets) => open.last_mut().unwrap().content.extend(octets),
            Token::Entity(_) => panic!("no entities"),
        }
    }
    open.pop().unwrap().children
}

/// Booleans that clients send empty: DeletesAsMoves, GetChanges, ConversationMode.
const BOOLEANS: &[&str] = &["0:DeletesAsMoves", "0:GetChanges", "0:ConversationMode"];

/// Elements that only answers have.
const RESPONSES: &[Tag] = &[air_sync::STATUS, email::SUBJECT];

fn root(octets: &[u8]) -> Tag {
    first_tag(octets).unwrap()
}

fn first_tag(octets: &[u8]) -> Option<Tag> {
    match Reader::new(octets, &PAGES, Limits::default()).ok()?.next_token() {
        Ok(Some(Token::Start { tag, .. })) => Some(tag),
        _ => None,
    }
}

/// Whether an element stands anywhere in a document.
fn holds(octets: &[u8], wanted: Tag) -> bool {
    let mut reader = Reader::new(octets, &PAGES, Limits::default()).unwrap();
    while let Some(token) = reader.next_token().unwrap() {
        if matches!(token, Token::Start { tag, .. } if tag == wanted) {
            return true;
        }
    }
    false
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().skip(1).map(|row| row.split('\t').collect())
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn hex(name: &str) -> Vec<u8> {
    let digits: Vec<u8> = text(name).bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}
