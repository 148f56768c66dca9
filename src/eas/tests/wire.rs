//! Documents element by element, right or wrong, for what no type of ours would write.

use activesync::code_pages::PAGES;
use wbxml::{Limits, Reader, Token, Writer};

use super::house::INBOX;

/// An element with text, or with elements. A name without a namespace is of its parent's.
pub(super) enum Node {
    Text(&'static str, String),
    Holds(&'static str, Vec<Node>),
}

pub(super) fn t(name: &'static str, text: impl Into<String>) -> Node {
    Node::Text(name, text.into())
}

pub(super) fn e(name: &'static str, children: impl IntoIterator<Item = Node>) -> Node {
    Node::Holds(name, children.into_iter().collect())
}

pub(super) fn document(root: &Node) -> Vec<u8> {
    let mut writer = Writer::new(&PAGES);
    write(&mut writer, root, "");
    writer.finish()
}

fn write(writer: &mut Writer<'_>, node: &Node, namespace: &'static str) {
    let (Node::Text(name, _) | Node::Holds(name, _)) = node;
    let (namespace, name) = name.split_once(':').unwrap_or((namespace, name));
    let tag = PAGES.tag(namespace, name).unwrap_or_else(|| panic!("{namespace}:{name}"));
    match node {
        Node::Holds(_, children) if children.is_empty() => writer.empty(tag),
        Node::Holds(_, children) => {
            writer.start(tag);
            for child in children {
                write(writer, child, namespace);
            }
            writer.end();
        }
        Node::Text(_, text) => {
            writer.start(tag);
            writer.text(text);
            writer.end();
        }
    }
}

/// So many of a letter.
pub(super) fn x(count: usize) -> String {
    "x".repeat(count)
}

/// So many elements.
pub(super) fn many(count: usize, one: impl Fn(usize) -> Node) -> Vec<Node> {
    (1..=count).map(one).collect()
}

/// The elements of one, and then of the other.
pub(super) fn both(mut one: Vec<Node>, other: Vec<Node>) -> Vec<Node> {
    one.extend(other);
    one
}

/// A Sync of one collection, which has begun if the key says so.
pub(super) fn one_sync(collection: Vec<Node>) -> Node {
    e("AirSync:Sync", [e("Collections", [e("Collection", collection)])])
}

pub(super) fn in_inbox(more: Vec<Node>) -> Node {
    one_sync(both(vec![t("SyncKey", "0"), t("CollectionId", INBOX)], more))
}

pub(super) fn estimate(collection: Vec<Node>) -> Node {
    e("GetItemEstimate:GetItemEstimate", [e("Collections", [e("Collection", collection)])])
}

pub(super) fn search(store: &str, text: &str, options: Vec<Node>) -> Node {
    let parts = [t("Name", store), t("Query", text), e("Options", options)];
    e("Search:Search", [e("Store", parts)])
}

/// The first Status that is no success, wherever it stands.
pub(super) fn complaint(octets: &[u8]) -> Option<u16> {
    if octets.is_empty() {
        return None;
    }
    let mut reader = Reader::new(octets, &PAGES, Limits::default()).unwrap();
    let mut is_status = false;
    while let Some(token) = reader.next_token().unwrap() {
        match token {
            Token::Start { name, .. } => is_status = name == "Status",
            Token::Text(text) if is_status && text.to_str().unwrap() != "1" => {
                return text.to_str().unwrap().parse().ok();
            }
            _ => {}
        }
    }
    None
}

/// Each element of a document: the names of those it stands in and its own, and its text.
pub(super) fn elements(octets: &[u8]) -> Vec<(String, String)> {
    let mut reader = Reader::new(octets, &PAGES, Limits::default()).unwrap();
    let (mut open, mut found) = (Vec::new(), Vec::new());
    while let Some(token) = reader.next_token().unwrap() {
        match token {
            Token::Start { name, .. } => {
                open.push((name, found.len()));
                let path: Vec<_> = open.iter().map(|(name, _)| *name).collect();
                found.push((path.join("/"), String::new()));
            }
            Token::Text(text) => found[open.last().unwrap().1].1 += text.to_str().unwrap(),
            Token::End => drop(open.pop()),
            _ => {}
        }
    }
    found
}

/// What stands below an element, by its path: the path from there, and the text.
pub(super) fn below(octets: &[u8], path: &str) -> Vec<(String, String)> {
    let path = format!("{path}/");
    let elements = elements(octets).into_iter();
    elements.filter_map(|(at, text)| Some((at.strip_prefix(&path)?.to_owned(), text))).collect()
}
