//! Addresses: lists as headers carry them, read leniently, written the way phones expect.

use super::headers::{decode_words, one_line};

/// A mailbox: `"Name" <local@domain>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The display name, if there is one.
    pub name: Option<String>,
    /// The address; empty where a header names a person without one.
    pub address: String,
}

impl Address {
    /// An address without a name.
    pub fn new(address: impl Into<String>) -> Address {
        Address { name: None, address: address.into() }
    }

    /// What to call the person: the name, or else the address.
    pub fn display(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.address)
    }

    /// Whether mail can be sent there: `local@domain`, no blanks or brackets, at most 320 octets, and no route (RFC 5322 4.4), which others
    /// would read as another address.
    pub fn is_sendable(&self) -> bool {
        let clean = |c: char| c.is_control() || c.is_whitespace() || "<>,;\"()\\".contains(c);
        match self.address.rsplit_once('@') {
            Some((local, domain)) => {
                !local.is_empty()
                    && !local.starts_with('@')
                    && !domain.is_empty()
                    && !domain.starts_with('.')
                    && !domain.ends_with('.')
                    && self.address.len() <= ADDRESS_OCTETS_MAX
                    && !self.address.contains(clean)
            }
            None => false,
        }
    }

    /// `"Name" <a@b>`; the address stands in for a missing name, because some clients show an error without one.
    pub fn formatted(&self) -> String {
        let name = self.display().replace('\\', "\\\\").replace('"', "\\\"");
        if self.address.is_empty() {
            return format!("\"{name}\"");
        }
        format!("\"{name}\" <{}>", self.address)
    }

    /// Reads a list of addresses separated by commas or semicolons, group names and comments removed.
    pub fn parse_list(text: &str) -> Vec<Address> {
        let mut reader = Reader::default();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if reader.found.len() >= ADDRESSES_MAX {
                return reader.found;
            }
            reader.take(c, &mut chars);
        }
        reader.finish();
        reader.found
    }
}

/// Joins formatted addresses, stopping at an address boundary before `octets_max` is passed.
pub fn join(addresses: &[Address], separator: &str, octets_max: usize) -> String {
    join_with(addresses, separator, octets_max, Address::formatted)
}

/// Joins what `text` makes of each address under the same limit.
pub(crate) fn join_with(
    addresses: &[Address],
    separator: &str,
    octets_max: usize,
    text: impl Fn(&Address) -> String,
) -> String {
    let mut joined = String::new();
    for address in addresses {
        let next = text(address);
        let gap = if joined.is_empty() { "" } else { separator };
        if joined.len() + gap.len() + next.len() > octets_max {
            break;
        }
        joined.push_str(gap);
        joined.push_str(&next);
    }
    joined
}

#[derive(Default)]
struct Reader {
    found: Vec<Address>,
    words: String,
    quoted: bool,
    angle: Option<String>,
    comment: String,
}

impl Reader {
    fn take(&mut self, c: char, rest: &mut std::str::Chars<'_>) {
        match c {
            '"' => {
                self.quoted = true;
                read_quoted(rest, &mut self.words);
            }
            '(' => read_comment(rest, &mut self.comment),
            '<' => {
                let text = rest.as_str();
                let end = text.find(['>', '<']).unwrap_or_else(|| unclosed_end(text));
                self.angle = Some(text[..end].to_owned());
                *rest = text[end..].strip_prefix('>').unwrap_or(&text[end..]).chars();
            }
            ',' | ';' => self.finish(),
            // A group's name; the colon of an IPv6 literal or of a URL stands after an at sign or a slash.
            ':' if !self.words.contains(['@', '[']) && !rest.as_str().starts_with("//") => {
                self.words.clear();
                self.quoted = false;
            }
            _ => self.words.push(c),
        }
    }

    fn finish(&mut self) {
        let words = std::mem::take(&mut self.words);
        let comment = std::mem::take(&mut self.comment);
        let quoted = std::mem::take(&mut self.quoted);
        let (name, address) = match self.angle.take() {
            Some(angle) => (words, angle),
            None if words.contains('@') && !(quoted && words.trim().contains(' ')) => {
                (comment, words)
            }
            None => (words, String::new()),
        };
        let name = one_line(decode_words(name.trim()));
        let name = collapse(&name);
        let address: String =
            address.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
        // A source route, long obsolete: <@relay:user@host>.
        let address = match address.strip_prefix('@').and_then(|route| route.split_once(':')) {
            Some((_, routed)) => routed.to_owned(),
            None => address,
        };
        let name = Some(name).filter(|name| !name.is_empty() && *name != address);
        if name.is_some() || !address.is_empty() {
            self.found.push(Address { name, address });
        }
    }
}

/// An angle bracket that never closes ends at the next separator.
fn unclosed_end(text: &str) -> usize {
    text.find([',', ';']).unwrap_or(text.len())
}

fn read_quoted(rest: &mut std::str::Chars<'_>, out: &mut String) {
    while let Some(c) = rest.next() {
        match c {
            '"' => return,
            '\\' => out.extend(rest.next()),
            _ => out.push(c),
        }
    }
}

fn read_comment(rest: &mut std::str::Chars<'_>, out: &mut String) {
    let mut depth = 1;
    while let Some(c) = rest.next() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '\\' => {
                out.extend(rest.next());
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
        out.push(c);
    }
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Addresses of one header that are read.
const ADDRESSES_MAX: usize = 5_000;
/// Octets of one address (RFC 5321 4.5.3.1: 64 + 1 + 255).
const ADDRESS_OCTETS_MAX: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> (Option<String>, String) {
        let list = Address::parse_list(text);
        assert_eq!(list.len(), 1, "{text:?} -> {list:?}");
        (list[0].name.clone(), list[0].address.clone())
    }

    fn named(name: &str, address: &str) -> (Option<String>, String) {
        (Some(name.to_owned()), address.to_owned())
    }

    #[test]
    fn addresses_in_every_style() {
        assert_eq!(one("a@b.example"), (None, "a@b.example".to_owned()));
        assert_eq!(one("\"Doe, Jane\" <j@b.example>"), named("Doe, Jane", "j@b.example"));
        assert_eq!(one("Jane Doe <j@b.example>"), named("Jane Doe", "j@b.example"));
        assert_eq!(one("j@b.example (Jane (J.) Doe)"), named("Jane (J.) Doe", "j@b.example"));
        assert_eq!(
            one("=?utf-8?Q?Doe=2C_J=C3=BC?= <j@b.example>"),
            named("Doe, Jü", "j@b.example")
        );
        assert_eq!(one("\"=?utf-8?Q?J=C3=BC?=\" <j@b.example>"), named("Jü", "j@b.example"));
        assert_eq!(one("Jane <j@b.example"), named("Jane", "j@b.example"));
        assert_eq!(one("<@r.example:j@b.example>"), (None, "j@b.example".to_owned()));
        assert_eq!(one("Jane"), named("Jane", ""));
        assert_eq!(one("\"a@b.example\" <a@b.example>"), (None, "a@b.example".to_owned()));
        assert_eq!(
            one("\"Jane at a@b.example\" <a@b.example>"),
            named("Jane at a@b.example", "a@b.example")
        );
    }

    #[test]
    fn lists_and_groups() {
        let list = Address::parse_list(
            "a@x.example; B <b@x.example>, Team: c@x.example, d@x.example;, ,e@x.example",
        );
        let addresses: Vec<_> = list.iter().map(|a| a.address.as_str()).collect();
        assert_eq!(
            addresses,
            ["a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"]
        );
        assert!(Address::parse_list("undisclosed-recipients:;").is_empty());
    }

    #[test]
    fn a_list_is_cut_between_addresses() {
        let list = Address::parse_list("a@x.example, b@x.example");
        assert_eq!(
            join(&list, ", ", 100),
            "\"a@x.example\" <a@x.example>, \"b@x.example\" <b@x.example>"
        );
        assert_eq!(join(&list, ", ", 50), "\"a@x.example\" <a@x.example>");
    }

    #[test]
    fn only_whole_addresses_are_sendable() {
        assert!(Address::new("a@b").is_sendable());
        for wrong in ["", "a", "@b", "a@", "a b@c", "a@b\r\nRCPT TO:<x@y>", "<a@b>", "a@.b"] {
            assert!(!Address::new(wrong).is_sendable(), "{wrong}");
        }
    }
}
