//! What stands in what, how often, and of which type: the elements of every response, over any values of the types.

use std::collections::{BTreeMap, BTreeSet};

use activesync::autodiscover::{self, Action, ActionError, FrameworkError, MobileSync, Server};
use activesync::check::any_response;
use activesync::code_pages::PAGES;
use activesync::command::folder_sync::FolderType;
use activesync::command::{CommandName, get_hierarchy};
use activesync::types::{DateTime, ServerId};
use activesync::{Document, ProtocolVersion};
use conformance::shown;
use quick_xml::events::Event;
use wbxml::{Limits, Reader, Token};

use crate::facts::rows;

/// What was seen of an element in one place.
#[derive(Default)]
struct Seen {
    /// In how many parents it stood, and how often in one of them at most.
    in_parents: usize,
    most: usize,
    /// How many parents there were, with it or without.
    of_parents: usize,
    children: BTreeSet<&'static str>,
    /// Its texts, where it had no children.
    texts: BTreeSet<Vec<u8>>,
}

/// A command, a parent, which is empty for the root, and an element.
type Place = (&'static str, &'static str, &'static str);

/// What was seen: by command, parent and element.
#[derive(Default)]
struct Sight {
    seen: BTreeMap<Place, Seen>,
    /// How many of each parent there were.
    parents: BTreeMap<(&'static str, &'static str), usize>,
}

/// An element that is open.
struct Open {
    name: &'static str,
    counts: BTreeMap<&'static str, usize>,
    content: Vec<u8>,
}

impl Sight {
    fn look(&mut self, octets: &[u8]) {
        let mut reader = Reader::new(octets, &PAGES, Limits::default()).unwrap();
        let mut open: Vec<Open> = Vec::new();
        let mut command = None;
        while let Some(token) = reader.next_token().unwrap() {
            match token {
                Token::Start { tag, name, .. } => {
                    command =
                        command.or_else(|| CommandName::from_root(tag).map(CommandName::as_str));
                    if let Some(parent) = open.last_mut() {
                        *parent.counts.entry(name).or_default() += 1;
                    }
                    open.push(Open { name, counts: BTreeMap::new(), content: Vec::new() });
                }
                Token::End => {
                    let done = open.pop().unwrap();
                    let parent = open.last().map_or("", |parent| parent.name);
                    self.leave(command.unwrap(), parent, done);
                }
                Token::Text(text) => open.last_mut().unwrap().content.extend(text.bytes()),
                Token::Opaque(octets) => open.last_mut().unwrap().content.extend(octets),
                Token::Entity(_) => panic!("no entities"),
            }
        }
    }

    /// The same over XML, as Autodiscover has it.
    fn look_at_xml(&mut self, xml: &str) {
        let mut reader = quick_xml::Reader::from_str(xml);
        let mut open: Vec<Open> = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => {
                    let name: &'static str = tag.local_name().as_ref().to_owned().leak();
                    if let Some(parent) = open.last_mut() {
                        *parent.counts.entry(name).or_default() += 1;
                    }
                    open.push(Open { name, counts: BTreeMap::new(), content: Vec::new() });
                }
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    let parent = open.last().map_or("", |parent| parent.name);
                    self.leave("Autodiscover", parent, done);
                }
                Event::Text(text) => {
                    let Some(parent) = open.last_mut() else { continue };
                    parent.content.extend(text.xml10_content().bytes());
                }
                Event::Eof => return,
                _ => {}
            }
        }
    }

    /// Takes note of an element that has ended.
    fn leave(&mut self, command: &'static str, parent: &'static str, done: Open) {
        let seen = self.seen.entry((command, parent, done.name)).or_default();
        seen.children.extend(done.counts.keys());
        if done.counts.is_empty() {
            seen.texts.insert(done.content);
        }
        if parent.is_empty() {
            (seen.in_parents, seen.most) = (1, 1);
        }
        *self.parents.entry((command, done.name)).or_default() += 1;
        for (child, count) in &done.counts {
            let seen = self.seen.entry((command, done.name, *child)).or_default();
            seen.in_parents += 1;
            seen.most = seen.most.max(*count);
        }
    }

    /// Counts the parents, once everything was seen.
    fn count(&mut self) {
        for ((command, parent, _), seen) in &mut self.seen {
            seen.of_parents = self.parents.get(&(*command, *parent)).copied().unwrap_or(1);
        }
    }

    /// The places of an element: in the parents that are named, or in all.
    fn places(&self, command: &str, element: &str, within: &str) -> Vec<&Seen> {
        let within: Vec<_> = within.split(',').filter(|name| !name.is_empty()).collect();
        let is_here = |(of, parent, name): &Place| {
            **of == *command && *name == element && (within.is_empty() || within.contains(parent))
        };
        self.seen.iter().filter(|(place, _)| is_here(place)).map(|(_, seen)| seen).collect()
    }
}

/// Enough values of every response in every version to see every element.
fn sight() -> Sight {
    let mut sight = Sight::default();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    for round in 0..ROUNDS {
        let mut input: Vec<u8> = (0..TAPE_OCTETS).map(|_| next()).collect();
        (input[0], input[1]) = ((round % 5) as u8, (round / 5 % 19) as u8);
        if let Some(octets) = any_response(&input) {
            sight.look(&octets);
        }
    }
    sight.look(&hierarchy());
    for answer in autodiscovered() {
        sight.look_at_xml(&answer.encode());
    }
    sight.count();
    sight
}

/// Answers of Autodiscover, with everything there is in them.
fn autodiscovered() -> Vec<autodiscover::Response> {
    let text = || Some("text".to_owned());
    let act = |action| {
        let settings = MobileSync::settings("Anat Kerry", "anat@contoso.example", "https://x");
        autodiscover::Response::MobileSync(MobileSync { action: Some(action), ..settings })
    };
    let server = Server { kind: text(), url: text(), name: text(), server_data: text() };
    let error =
        ActionError { status: Some(2), message: text(), debug_data: text(), error_code: Some(1) };
    let bare = MobileSync { culture: None, action: None, ..MobileSync::default() };
    vec![
        act(Action::Settings(vec![server, Server::default()])),
        act(Action::Redirect("anat@fabrikam.example".to_owned())),
        act(Action::Error(error)),
        act(Action::Error(ActionError::default())),
        autodiscover::Response::MobileSync(bare),
        autodiscover::Response::Error(FrameworkError::new(601, "Provider is not available")),
    ]
}

/// The answer of 12.1 that has no request to choose it by.
fn hierarchy() -> Vec<u8> {
    let folder = |name: &str, number: &str| get_hierarchy::Folder {
        display_name: name.to_owned(),
        server_id: ServerId::new(number).unwrap(),
        folder_type: FolderType::INBOX,
        parent_id: ServerId::new("0").unwrap(),
    };
    let folders = vec![folder("Inbox", "1"), folder("Inbox of a group", "2")];
    get_hierarchy::Response { folders }.encode(ProtocolVersion::V12_1)
}

const ROUNDS: usize = 5 * 19 * 200;
const TAPE_OCTETS: usize = 1500;

/// Whether a fact holds of what was seen; `None` if nothing was seen of it.
fn holds(sight: &Sight, command: &str, row: &[String; 6]) -> Option<bool> {
    let [_, _, element, within, kind, value] = row;
    let listed: Vec<&str> = value.split(',').collect();
    if kind == "root" {
        let is_root =
            |(of, parent, name): &Place| *of == command && parent.is_empty() && name == element;
        return Some(sight.seen.keys().any(is_root));
    }
    if kind == "parent" {
        let seen: Vec<_> =
            listed.iter().filter(|p| !sight.places(command, element, p).is_empty()).collect();
        return if seen.is_empty() { None } else { Some(seen.len() == listed.len()) };
    }
    let places = sight.places(command, element, within);
    if kind == "child" {
        return child_holds(&places, value);
    }
    if places.is_empty() {
        return None;
    }
    Some(places.iter().all(|seen| match kind.as_str() {
        "children" => seen.children.iter().all(|child| listed.contains(child)),
        "haschildren" => listed.iter().all(|child| seen.children.contains(child)),
        "leaf" => seen.children.is_empty(),
        "type" => {
            seen.texts.iter().all(|text| is_of(value, text))
                && (value == "container" || seen.children.is_empty())
        }
        "number" => is_so_often(value, seen),
        _ => panic!("{kind}"),
    }))
}

/// Whether an element stands at most once in its parent, or once where it is required, and is of its type, if that is said.
fn child_holds(places: &[&Seen], value: &str) -> Option<bool> {
    let (need, kind) = value.split_once(':').unwrap();
    let often = if need == "required" { "1-1" } else { "0-1" };
    let is_so = |seen: &&Seen| {
        is_so_often(often, seen)
            && (kind.is_empty() || seen.texts.iter().all(|text| is_of(kind, text)))
            && (kind.is_empty() || kind == "container" || seen.children.is_empty())
    };
    if places.is_empty() { None } else { Some(places.iter().all(is_so)) }
}

fn is_of(value: &str, text: &[u8]) -> bool {
    if let Some(value) = value.strip_suffix("orempty") {
        return text.is_empty() || is_of(value, text);
    }
    let text = std::str::from_utf8(text);
    let number = |max: i64| text.is_ok_and(|text| text.parse::<i64>().is_ok_and(|n| n <= max));
    match value {
        "container" => text == Ok(""),
        "none" => text == Ok(""),
        "byte" | "byte array" => true,
        "compact" => text.is_ok_and(|text| text.len() == 16 && DateTime::parse(text).is_ok()),
        "string" | "uri" => text.is_ok(),
        "integer" | "unsigned" | "unsignedint" => number(i64::from(u32::MAX)),
        "unsignedbyte" => number(i64::from(u16::MAX)),
        "boolean" => matches!(text, Ok("" | "0" | "1")),
        "datetime" => text.is_ok_and(|text| text.len() == 24 && DateTime::parse(text).is_ok()),
        _ => false,
    }
}

fn is_so_often(value: &str, seen: &Seen) -> bool {
    let (min, max) = value.split_once('-').unwrap();
    let enough = min == "0" || seen.in_parents == seen.of_parents;
    enough && (max == "N" || seen.most <= max.parse().unwrap())
}

#[test]
fn responses_are_built_as_the_specification_says() {
    let sight = sight();
    let (mut wrong, mut unseen) = (Vec::new(), Vec::new());
    for row in rows::<6>("structure.tsv") {
        match holds(&sight, &row[1], &row) {
            Some(true) => shown(&row[0], file!()),
            Some(false) => wrong.push(row.join(" ")),
            None => unseen.push(row.join(" ")),
        }
    }
    assert!(wrong.is_empty() && unseen.is_empty(), "wrong: {wrong:#?}\nunseen: {unseen:#?}");
}
