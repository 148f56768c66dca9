//! What people type into a search field: words, phrases and restrictions of the Keyword Query Language ([MS-KQL]), as Search
//! ([MS-ASCMD] 2.2.3.74.2) and Find ([MS-ASCMD] 2.2.3.74.1) carry them.
//!
//! Reading never fails: what is no restriction is a word. Words are found by how they begin and all of them have to be there, unless
//! `OR`, `NOT` and parentheses say otherwise. At most [`TOKENS_MAX`] words and signs of one query count, [`DEPTH_MAX`] deep.

use std::cell::OnceCell;
use std::iter::Peekable;
use std::vec::IntoIter;

use activesync::types::DateTime;

use crate::clock::Timestamp;
use crate::mailbox::{SearchIn, Word};
use crate::message::{ADDRESS_LIST_OCTETS_MAX, Message, join};

/// What a mail has to hold.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::eas) struct Terms(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
enum Term {
    /// A word, or words next to each other, in lower case.
    Text(Field, String),
    HasAttachment(bool),
    Read(bool),
    /// Received from the first millisecond on and before the second.
    Received(i64, i64),
    /// So many octets or more, and fewer than the second number.
    Size(u64, u64),
    /// 0 low, 1 normal, 2 high.
    Importance(u8),
    All(Vec<Term>),
    Any(Vec<Term>),
    Not(Box<Term>),
}

/// Where a word is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Anywhere,
    Subject,
    From,
    To,
    Cc,
    Bcc,
    Recipients,
    Participants,
    Body,
    AttachmentNames,
}

impl Terms {
    /// Reads what was typed; `now` is what today and yesterday are counted from.
    pub(in crate::eas) fn read(text: &str, now: Timestamp) -> Terms {
        let mut tokens = tokens(text, now);
        tokens.truncate(TOKENS_MAX);
        let mut reader = Reader { tokens: tokens.into_iter().peekable(), depth: 0 };
        let mut terms = Vec::new();
        while reader.tokens.peek().is_some() {
            terms.extend(reader.any());
            // A parenthesis that closes nothing.
            reader.tokens.next_if_eq(&Token::Close);
        }
        Terms(terms)
    }

    /// Whether nothing is asked for.
    pub(in crate::eas) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Words without which nothing is what was asked for: a store that searches finds with them what may be.
    pub(super) fn necessary(&self) -> Vec<Word> {
        let mut words = Vec::new();
        self.0.iter().for_each(|term| term.necessary(&mut words));
        words
    }

    /// How many terms there are, those in groups and the groups counted.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(Term::count).sum()
    }

    /// Whether a mail is what was asked for.
    pub(in crate::eas) fn hold(&self, message: &Message, received: Timestamp, read: bool) -> bool {
        let (head, body) = (OnceCell::new(), OnceCell::new());
        let mail = Mail { message, received, read, head, body };
        self.0.iter().all(|term| term.holds(&mail))
    }
}

/// A mail that is looked at; its text is made once, and that of the body only where the head does not say enough.
struct Mail<'a> {
    message: &'a Message,
    received: Timestamp,
    read: bool,
    head: OnceCell<String>,
    body: OnceCell<String>,
}

impl Mail<'_> {
    fn has(&self, field: Field, wanted: &str) -> bool {
        let message = self.message;
        let from = || message.header("From").unwrap_or_default();
        let bcc = || join(&message.bcc(), ", ", ADDRESS_LIST_OCTETS_MAX);
        let recipients = || [message.to_text(), message.cc_text(), bcc()].join("\n");
        let text = match field {
            Field::Anywhere => {
                let all = || folded(&[message.subject(), from(), recipients()].join("\n"));
                return begins(self.head.get_or_init(all), wanted) || self.has(Field::Body, wanted);
            }
            Field::Body => {
                let body = self.body.get_or_init(|| folded(&message.plain_text()));
                return begins(body, wanted);
            }
            Field::Subject => message.subject(),
            Field::From => from(),
            Field::To => message.to_text(),
            Field::Cc => message.cc_text(),
            Field::Bcc => bcc(),
            Field::Recipients => recipients(),
            Field::Participants => [from(), recipients()].join("\n"),
            Field::AttachmentNames => {
                let names = message.attachments().iter().map(|file| file.display_name.as_str());
                names.collect::<Vec<_>>().join("\n")
            }
        };
        begins(&folded(&text), wanted)
    }
}

impl Term {
    fn count(&self) -> usize {
        match self {
            Term::All(terms) | Term::Any(terms) => 1 + terms.iter().map(Term::count).sum::<usize>(),
            Term::Not(term) => 1 + term.count(),
            _ => 1,
        }
    }

    fn necessary(&self, words: &mut Vec<Word>) {
        let (field, wanted) = match self {
            Term::Text(field, wanted) => (field, wanted),
            Term::All(terms) => return terms.iter().for_each(|term| term.necessary(words)),
            _ => return,
        };
        let place = match field {
            Field::Subject => SearchIn::Subject,
            Field::From => SearchIn::From,
            Field::To => SearchIn::To,
            Field::Body => SearchIn::Body,
            // A name as it is shown need not stand in the message so.
            Field::AttachmentNames => return,
            _ => SearchIn::Anywhere,
        };
        let each = wanted.split(' ').filter(|word| !word.is_empty());
        words.extend(each.map(|word| Word { text: word.to_owned(), place }));
    }

    fn holds(&self, mail: &Mail<'_>) -> bool {
        match self {
            Term::Text(field, wanted) => mail.has(*field, wanted),
            Term::HasAttachment(wanted) => {
                mail.message.attachments().iter().any(|file| !file.inline) == *wanted
            }
            Term::Read(wanted) => mail.read == *wanted,
            Term::Received(from, to) => (*from..*to).contains(&mail.received.ms()),
            Term::Size(from, to) => (*from..*to).contains(&(mail.message.size() as u64)),
            Term::Importance(wanted) => mail.message.importance() == *wanted,
            Term::All(terms) => terms.iter().all(|term| term.holds(mail)),
            Term::Any(terms) => terms.iter().any(|term| term.holds(mail)),
            Term::Not(term) => !term.holds(mail),
        }
    }
}

/// In lower case, with one blank where there are many.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded
}

/// Whether a word of the text, or a row of words, begins so.
fn begins(text: &str, wanted: &str) -> bool {
    text.match_indices(wanted)
        .any(|(at, _)| !text[..at].chars().next_back().is_some_and(char::is_alphanumeric))
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Term(Term),
}

/// From tokens to terms: `OR` binds less than standing side by side, `NOT` more.
struct Reader {
    tokens: Peekable<IntoIter<Token>>,
    depth: usize,
}

impl Reader {
    fn any(&mut self) -> Option<Term> {
        let mut choices: Vec<Term> = self.all().into_iter().collect();
        while self.tokens.next_if_eq(&Token::Or).is_some() {
            choices.extend(self.all());
        }
        if choices.len() > 1 { Some(Term::Any(choices)) } else { choices.pop() }
    }

    fn all(&mut self) -> Option<Term> {
        let mut parts = Vec::new();
        while !matches!(self.tokens.peek(), None | Some(Token::Or | Token::Close)) {
            parts.extend(self.one());
        }
        if parts.len() > 1 { Some(Term::All(parts)) } else { parts.pop() }
    }

    fn one(&mut self) -> Option<Term> {
        match self.tokens.next()? {
            Token::Term(term) => Some(term),
            Token::Not if !matches!(self.tokens.peek(), Some(Token::Or | Token::Close)) => {
                if self.depth >= DEPTH_MAX {
                    return None;
                }
                self.depth += 1;
                let term = self.one();
                self.depth -= 1;
                term.map(|term| Term::Not(Box::new(term)))
            }
            Token::Open if self.depth < DEPTH_MAX => {
                self.depth += 1;
                let inner = self.any();
                self.depth -= 1;
                self.tokens.next_if_eq(&Token::Close);
                inner
            }
            _ => None,
        }
    }
}

fn tokens(text: &str, now: Timestamp) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '(' => {
                tokens.push(Token::Open);
                after
            }
            ')' => {
                tokens.push(Token::Close);
                after
            }
            '"' => {
                let (phrase, after) = quoted(after);
                tokens.extend(text_term(Field::Anywhere, phrase));
                after
            }
            '-' if after.starts_with(|c: char| !c.is_whitespace()) => {
                tokens.push(Token::Not);
                after
            }
            '+' => after,
            _ => bare(rest, now, &mut tokens),
        };
        rest = rest.trim_start();
    }
    tokens
}

/// What stands up to the closing quote, and what comes after it.
fn quoted(text: &str) -> (&str, &str) {
    text.split_once('"').unwrap_or((text, ""))
}

/// Takes one word, operator or restriction; gives what is left.
fn bare<'a>(text: &'a str, now: Timestamp, tokens: &mut Vec<Token>) -> &'a str {
    let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"');
    let (word, mut rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    match word {
        "AND" | "&" => tokens.push(Token::And),
        "OR" | "||" => tokens.push(Token::Or),
        "NOT" => tokens.push(Token::Not),
        _ => match restriction(word) {
            Some((property, sign, value)) => {
                let mut value = value;
                if let Some(open) = rest.strip_prefix('"').filter(|_| value.is_empty()) {
                    (value, rest) = quoted(open);
                }
                let (sign, value) = closer(property, sign, value);
                tokens.extend(restricted(property, sign, value, now).map(Token::Term));
            }
            None => {
                for part in word.split('*') {
                    let part = part.trim_end_matches([',', ';']);
                    tokens.extend(text_term(Field::Anywhere, part));
                }
            }
        },
    }
    rest
}

fn text_term(field: Field, text: &str) -> Option<Token> {
    let text = folded(text);
    (!text.is_empty()).then_some(Token::Term(Term::Text(field, text)))
}

/// Name, sign and value, where a word is a restriction of ours: `subject:budget`, `received>=2026-11-01`.
fn restriction(word: &str) -> Option<(Property, &str, &str)> {
    let (name, rest) = word.split_at(word.find([':', '=', '<', '>'])?);
    let property = PROPERTIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1;
    let sign = ["<>", "<=", ">=", ":", "=", "<", ">"].into_iter().find(|s| rest.starts_with(s))?;
    Some((property, sign, &rest[sign.len()..]))
}

/// The sign that the value of something measured begins with, as mail programs have it: `size:>1MB`.
fn closer<'a>(property: Property, sign: &'a str, value: &'a str) -> (&'a str, &'a str) {
    let is_measured = matches!(property, Property::Size | Property::Received) && sign == ":";
    let comparisons = ["<>", "<=", ">=", "<", ">"].into_iter().filter(|_| is_measured);
    match comparisons.into_iter().find(|sign| value.starts_with(sign)) {
        Some(closer) => (closer, value[closer.len()..].trim_start()),
        None => (sign, value),
    }
}

fn restricted(property: Property, sign: &str, value: &str, now: Timestamp) -> Option<Term> {
    let term = match property {
        Property::Field(field) => {
            let value = folded(value.trim_end_matches('*'));
            Some(value).filter(|value| !value.is_empty()).map(|value| Term::Text(field, value))
        }
        Property::HasAttachment => truth(value).map(Term::HasAttachment),
        Property::Has => value
            .to_ascii_lowercase()
            .starts_with("attachment")
            .then_some(Term::HasAttachment(true)),
        Property::Read => truth(value).map(Term::Read),
        Property::Received => received(sign, value, now),
        Property::Size => size(sign, value),
        Property::Importance => importance(value),
    };
    match term {
        Some(term) if sign == "<>" => Some(Term::Not(Box::new(term))),
        term => term,
    }
}

fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn received(sign: &str, value: &str, now: Timestamp) -> Option<Term> {
    if let Some((from, to)) = value.split_once("..") {
        return Some(Term::Received(span(from, now)?.0, span(to, now)?.1));
    }
    let (from, to) = span(value, now)?;
    Some(match sign {
        "<" => Term::Received(i64::MIN, from),
        "<=" => Term::Received(i64::MIN, to),
        ">" => Term::Received(to, i64::MAX),
        ">=" => Term::Received(from, i64::MAX),
        _ => Term::Received(from, to),
    })
}

fn size(sign: &str, value: &str) -> Option<Term> {
    if let Some((from, to)) = value.split_once("..") {
        return Some(Term::Size(octets(from)?, octets(to)?.saturating_add(1)));
    }
    let octets = octets(value)?;
    let next = octets.saturating_add(1);
    Some(match sign {
        "<" => Term::Size(0, octets),
        "<=" => Term::Size(0, next),
        ">" => Term::Size(next, u64::MAX),
        ">=" => Term::Size(octets, u64::MAX),
        _ => Term::Size(octets, next),
    })
}

/// A number of octets, plain or in the units mail programs offer.
fn octets(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn importance(value: &str) -> Option<Term> {
    match value.to_ascii_lowercase().as_str() {
        "low" => Some(Term::Importance(0)),
        "normal" | "medium" => Some(Term::Importance(1)),
        "high" => Some(Term::Importance(2)),
        _ => None,
    }
}

/// The time a word names, from its first millisecond to the one after its last.
fn span(word: &str, now: Timestamp) -> Option<(i64, i64)> {
    let today = now.ms() - now.ms().rem_euclid(DAY_MS);
    // 1 January 1970 was a Thursday; weeks begin on Sunday, as in [MS-KQL].
    let week = today - (today / DAY_MS + 4).rem_euclid(7) * DAY_MS;
    match word.to_ascii_lowercase().as_str() {
        "today" => return Some((today, today + DAY_MS)),
        "yesterday" => return Some((today - DAY_MS, today)),
        "this week" => return Some((week, week + 7 * DAY_MS)),
        "last week" => return Some((week - 7 * DAY_MS, week)),
        _ => {}
    }
    if let Ok(time) = DateTime::parse(word) {
        return Some((time.ms(), time.ms().saturating_add(1)));
    }
    let day = match word.split('/').collect::<Vec<_>>()[..] {
        [month, day, year] => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => word.to_owned(),
    };
    let start = DateTime::parse(&format!("{day}T00:00:00.000Z")).ok()?.ms();
    Some((start, start.saturating_add(DAY_MS)))
}

/// What a restriction is about.
#[derive(Clone, Copy)]
enum Property {
    Field(Field),
    HasAttachment,
    Has,
    Read,
    Received,
    Size,
    Importance,
}

const PROPERTIES: &[(&str, Property)] = &[
    ("subject", Property::Field(Field::Subject)),
    ("from", Property::Field(Field::From)),
    ("sender", Property::Field(Field::From)),
    ("to", Property::Field(Field::To)),
    ("cc", Property::Field(Field::Cc)),
    ("bcc", Property::Field(Field::Bcc)),
    ("recipients", Property::Field(Field::Recipients)),
    ("participants", Property::Field(Field::Participants)),
    ("body", Property::Field(Field::Body)),
    ("attachment", Property::Field(Field::AttachmentNames)),
    ("attachments", Property::Field(Field::AttachmentNames)),
    ("hasattachment", Property::HasAttachment),
    ("hasattachments", Property::HasAttachment),
    ("has", Property::Has),
    ("read", Property::Read),
    ("isread", Property::Read),
    ("received", Property::Received),
    ("sent", Property::Received),
    ("size", Property::Size),
    ("importance", Property::Importance),
];
/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// Words, operators and parentheses of one query that count.
pub(super) const TOKENS_MAX: usize = 64;
/// How deep parentheses and NOT may lie in each other.
const DEPTH_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// 24 November 2026, a Tuesday, at noon.
    const NOW: Timestamp = Timestamp(1_795_521_600_000);

    fn holds(query: &str) -> bool {
        let raw = "From: Bob Gray <bob@b.example>\r\nTo: ann@a.example\r\nCc: cleo@c.example\r\n\
            Subject: Grüße und (Salaries) of  March\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\n\
            See the plan,\r\nunsalted.\r\n--a\r\nContent-Type: application/pdf\r\n\
            Content-Disposition: attachment; filename=plan.pdf\r\n\r\nx\r\n--a--\r\n";
        let message = Message::parse(Bytes::from(raw)).unwrap();
        Terms::read(query, NOW).hold(&message, Timestamp(NOW.ms() - DAY_MS), false)
    }

    #[test]
    fn words_are_found_by_how_they_begin_and_all_have_to_be_there() {
        for query in ["sal", "SALARIES march", "march)", "grü", "\"of march\"", "plan, see", "sal*"]
        {
            assert!(holds(query), "{query}");
        }
        for query in ["alaries", "salaries april", "\"march of\"", "salt"] {
            assert!(!holds(query), "{query}");
        }
    }

    #[test]
    fn restrictions_say_where() {
        for query in [
            "from:bob",
            "from:\"bob gray\"",
            "to:ann",
            "cc:cleo@c.example",
            "subject:sal*",
            "body:plan",
            "participants:cleo",
            "recipients:ann",
            "hasattachment:true",
            "has:attachment",
            "attachment:plan.pdf",
            "subject<>plan",
            "FROM=bob",
            "read:false",
        ] {
            assert!(holds(query), "{query}");
        }
        for query in [
            "from:ann",
            "to:bob",
            "cc:ann",
            "bcc:ann",
            "subject:plan",
            "body:bob",
            "hasattachment:no",
            "isread:true",
        ] {
            assert!(!holds(query), "{query}");
        }
        assert!(!holds("http://plan"), "no restriction of ours is a word");
    }

    #[test]
    fn times_are_days_and_ranges() {
        for query in [
            "received:yesterday",
            "received:2026-11-23",
            "received:11/23/2026",
            "received>=2026-11-23",
            "received<=2026-11-23",
            "received>11/22/2026",
            "received:2026-11-01..2026-11-30",
            "received:\"this week\"",
            "received>2026-11-22T12:00:00.000Z",
        ] {
            assert!(holds(query), "{query}");
        }
        for query in [
            "received:today",
            "received<2026-11-23",
            "received>2026-11-23",
            "received:\"last week\"",
        ] {
            assert!(!holds(query), "{query}");
        }
    }

    #[test]
    fn sizes_are_octets_or_in_units_and_importance_is_a_word() {
        for query in [
            "size>100",
            "size:>100",
            "size<1KB",
            "size:<=1mb",
            "size<>7",
            "size:1..1048576",
            "size>=0",
            "size:\"<2 GB\"",
            "importance:normal",
            "importance=MEDIUM",
            "importance<>high",
            "NOT importance:low",
            "received:>=2026-11-23",
        ] {
            assert!(holds(query), "{query}");
        }
        for query in [
            "size>1KB",
            "size:7",
            "size<100",
            "size:>1GB",
            "size:1..2",
            "importance:high",
            "importance:low",
        ] {
            assert!(!holds(query), "{query}");
        }
        for query in ["size:large", "size:", "size:99999999999999999999", "importance:very"] {
            assert!(Terms::read(query, NOW).is_empty(), "{query} says nothing");
        }
    }

    #[test]
    fn operators_bind_as_people_expect() {
        for query in [
            "salt OR salaries",
            "salaries NOT april",
            "salaries -april",
            "NOT (april OR may) AND plan",
            "(salt OR salaries) march",
            "salt march OR plan",
            "+plan",
            "plan OR",
            "OR plan",
            ") plan (",
        ] {
            assert!(holds(query), "{query}");
        }
        for query in ["NOT salaries", "salt OR (plan april)", "plan -salaries"] {
            assert!(!holds(query), "{query}");
        }
    }

    #[test]
    fn nothing_is_nothing_and_much_is_bounded() {
        for query in ["", " ", "()", "\"\"", "AND", "from:", "NOT", "*"] {
            assert!(Terms::read(query, NOW).is_empty(), "{query}");
        }
        assert!(holds(&"(".repeat(10_000)));
        assert!(holds(&"NOT ".repeat(10_000)));
        assert!(holds(&"plan ".repeat(10_000)));
    }
}
