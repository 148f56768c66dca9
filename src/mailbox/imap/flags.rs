//! Flags both ways: what a server's flags say of an item, and which flags say what a phone did.
//!
//! A phone knows more than a flag can say: when a flag is due, which reply it was, a category's exact name. So what the server
//! told last is kept beside the item, and only where it tells something else now does the item change ([`Flags::news`]).

use std::collections::BTreeSet;

use imap_sans::Flag as Wire;

use crate::clock::Timestamp;
use crate::mailbox::{Flag, Item, StateChange};

/// The keyword of a message that was sent on (RFC 5788).
const FORWARDED: &str = "$Forwarded";

/// Keywords of programs, which are no categories: all that begin with `$`, and these.
const OF_PROGRAMS: [&str; 6] = ["Junk", "NonJunk", "NotJunk", "Forwarded", "Old", "unknown-0"];

/// The longest keyword that goes out; Dovecot takes no more. A category that would be longer stays with us.
const KEYWORD_BYTES_MAX: usize = 50;

/// The follow-up text of a flag that says no more.
const FOLLOW_UP: &str = "Follow up";

/// The flags of a message as a server told them, sorted, without `\Recent`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(String);

impl Flags {
    pub(super) fn new(flags: &[Wire]) -> Flags {
        let names: BTreeSet<String> = flags
            .iter()
            .filter(|flag| !matches!(flag, Wire::Recent | Wire::Any))
            .map(Wire::to_string)
            .collect();
        Flags(names.into_iter().collect::<Vec<_>>().join(" "))
    }

    pub(super) fn from_column(text: &str) -> Flags {
        Flags(text.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    fn has(&self, name: &str) -> bool {
        self.names().any(|one| one.eq_ignore_ascii_case(name))
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.has("\\Deleted")
    }

    /// The same with or without the mark for deletion.
    pub(super) fn deleted(&self, on: bool) -> Flags {
        let mut edit = Edit::default();
        edit.set(Wire::Deleted, on);
        self.after(&edit)
    }

    pub(super) fn is_draft(&self) -> bool {
        self.has("\\Draft")
    }

    pub(super) fn is_seen(&self) -> bool {
        self.has("\\Seen")
    }

    fn is_flagged(&self) -> bool {
        self.has("\\Flagged")
    }

    /// The last verb that they tell of: a reply before a forward, since we cannot know the order.
    pub(super) fn verb(&self) -> u8 {
        match (self.has("\\Answered"), self.has(FORWARDED)) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }

    /// The categories that they tell of.
    pub(super) fn categories(&self) -> Vec<String> {
        self.names().filter(|name| is_category(name)).map(category_of).collect()
    }

    /// The follow-up flag that they tell of.
    pub(super) fn flag(&self) -> Option<Flag> {
        let flag = || Flag { status: 2, flag_type: Some(FOLLOW_UP.to_owned()), ..Flag::default() };
        self.is_flagged().then(flag)
    }

    /// The change that the server's telling these after `before` means for an item; at `now` it was noticed.
    pub(super) fn news(&self, before: &Flags, item: &Item, now: Timestamp) -> StateChange {
        let mut change = StateChange::default();
        if self.is_seen() != before.is_seen() {
            change.read = Some(self.is_seen());
        }
        if self.is_flagged() != before.is_flagged() {
            // One that is complete is not flagged either.
            let is_said = self.is_flagged() == item.flag.as_ref().is_some_and(|f| f.status == 2);
            change.flag = (!is_said).then(|| self.flag());
        }
        if self.verb() != before.verb() {
            change.verb = Some((self.verb(), now));
        }
        if self.keywords() != before.keywords() {
            change.categories = Some(self.categories());
        }
        change
    }

    fn keywords(&self) -> BTreeSet<&str> {
        self.names().filter(|name| is_category(name)).collect()
    }

    /// The flags after a change of ours: which to add and which to take off, and what there is then.
    pub(super) fn with(&self, change: &StateChange) -> Edit {
        let mut edit = Edit::default();
        if let Some(read) = change.read {
            edit.set(Wire::Seen, read);
        }
        if let Some(flag) = &change.flag {
            edit.set(Wire::Flagged, flag.as_ref().is_some_and(|flag| flag.status == 2));
        }
        match change.verb {
            Some((1 | 2, _)) => edit.set(Wire::Answered, true),
            Some((3, _)) => edit.set(Wire::Keyword(FORWARDED.to_owned()), true),
            _ => {}
        }
        if let Some(categories) = &change.categories {
            let wanted: BTreeSet<String> =
                categories.iter().filter_map(|c| keyword_of(c)).collect();
            for gone in self.keywords() {
                if !wanted.iter().any(|one| one.eq_ignore_ascii_case(gone)) {
                    edit.set(Wire::Keyword(gone.to_owned()), false);
                }
            }
            for one in wanted {
                edit.set(Wire::Keyword(one), true);
            }
        }
        edit.add.retain(|flag| !self.has(&flag.to_string()));
        edit.remove.retain(|flag| self.has(&flag.to_string()));
        edit
    }

    /// What there is after an edit.
    pub(super) fn after(&self, edit: &Edit) -> Flags {
        let gone =
            |name: &str| edit.remove.iter().any(|flag| flag.to_string().eq_ignore_ascii_case(name));
        let mut flags: Vec<Wire> = self.names().filter(|name| !gone(name)).map(Wire::new).collect();
        flags.extend(edit.add.iter().cloned());
        Flags::new(&flags)
    }

    /// The flags as they go into an APPEND.
    pub(super) fn to_wire(&self) -> Vec<Wire> {
        self.names().map(Wire::new).collect()
    }
}

/// Which flags to add and to take off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) add: Vec<Wire>,
    pub(super) remove: Vec<Wire>,
}

impl Edit {
    fn set(&mut self, flag: Wire, on: bool) {
        if on { self.add.push(flag) } else { self.remove.push(flag) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

fn is_category(name: &str) -> bool {
    !name.starts_with(['\\', '$']) && !OF_PROGRAMS.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// A category as a keyword: what an atom cannot hold goes as `=` and two hexadecimal digits an octet.
pub(super) fn keyword_of(category: &str) -> Option<String> {
    let mut keyword = String::with_capacity(category.len());
    let is_taken = !is_category(category);
    for (at, octet) in category.bytes().enumerate() {
        let is_plain = octet.is_ascii_graphic() && !b"(){%*\"\\]=".contains(&octet);
        if is_plain && !(at == 0 && is_taken) {
            keyword.push(char::from(octet));
        } else {
            keyword.push_str(&format!("={octet:02X}"));
        }
    }
    (!keyword.is_empty() && keyword.len() <= KEYWORD_BYTES_MAX).then_some(keyword)
}

/// The category a keyword stands for; a keyword that none of us wrote is its own name.
fn category_of(keyword: &str) -> String {
    let mut octets = Vec::with_capacity(keyword.len());
    let mut rest = keyword.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        let escaped = (octet == b'=')
            .then(|| after.get(..2).and_then(|two| std::str::from_utf8(two).ok()))
            .flatten()
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        match escaped {
            Some(meant) => {
                octets.push(meant);
                rest = &after[2..];
            }
            None => {
                octets.push(octet);
                rest = after;
            }
        }
    }
    String::from_utf8(octets).unwrap_or_else(|_| keyword.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{IdentityId, ItemNumber};
    use proptest::prelude::*;

    fn item() -> Item {
        Item {
            item: ItemNumber(1),
            seq: 1,
            arrived: 1,
            received: Timestamp(0),
            size: 0,
            read: false,
            flag: None,
            categories: Vec::new(),
            verb: 0,
            verb_at: None,
            draft: false,
            identity: IdentityId(1),
        }
    }

    fn flags(text: &str) -> Flags {
        Flags::new(&text.split_whitespace().map(Wire::new).collect::<Vec<_>>())
    }

    #[test]
    fn only_what_the_server_tells_anew_changes_the_item() {
        let due = Flag { status: 2, due: Some(Timestamp(9)), ..Flag::default() };
        let item = Item { flag: Some(due), verb: 2, ..item() };
        let (before, now) = (flags("\\Flagged \\Answered"), flags("\\Answered \\Flagged \\Seen"));
        let news = now.news(&before, &item, Timestamp(5));
        assert_eq!(news, StateChange { read: Some(true), ..StateChange::default() });
        let unflagged = flags("\\Answered").news(&before, &item, Timestamp(5));
        assert_eq!(unflagged.flag, Some(None));
    }

    #[test]
    fn a_flag_that_is_complete_stays_complete() {
        let done = Item { flag: Some(Flag { status: 1, ..Flag::default() }), ..item() };
        let news = flags("").news(&flags("\\Flagged"), &done, Timestamp(5));
        assert_eq!(news.flag, None);
        let again = flags("\\Flagged").news(&flags(""), &done, Timestamp(5));
        assert_eq!(again.flag.flatten().map(|flag| flag.status), Some(2));
    }

    #[test]
    fn an_edit_says_no_more_than_is_new() {
        let change = StateChange {
            read: Some(true),
            categories: Some(vec!["Red thing".into(), "$x".into()]),
            verb: Some((3, Timestamp(1))),
            ..StateChange::default()
        };
        let before = flags("\\Seen Old Blue $Forwarded");
        let edit = before.with(&change);
        let spelt = |flags: &[Wire]| flags.iter().map(Wire::to_string).collect::<Vec<_>>();
        assert_eq!(spelt(&edit.add), ["=24x", "Red=20thing"]);
        assert_eq!(spelt(&edit.remove), ["Blue"], "Old is a program's");
        let after = before.after(&edit);
        assert_eq!(after.categories(), ["$x", "Red thing"]);
        assert!(after.with(&change).is_empty());
    }

    proptest! {
        #[test]
        fn a_category_comes_back(category in "\\PC{1,16}") {
            if let Some(keyword) = keyword_of(&category) {
                prop_assert!(keyword.bytes().all(|c| c.is_ascii_graphic()));
                prop_assert!(is_category(&keyword));
                prop_assert_eq!(category_of(&keyword), category);
            }
        }
    }
}
