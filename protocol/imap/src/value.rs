//! Values: the tree under every response, before anybody asks what it means.
//!
//! Atoms, strings and lists borrow from the response. Reading is tolerant: an atom is whatever stands between blanks and
//! parentheses, so that a keyword with `]` in it, 8-bit text or an extension unknown to us is a value like any other.

use std::borrow::Cow;

use crate::frame::{Frame, Literal};
use crate::limits::Limits;

/// Why a response could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A list, a string or a section is not closed.
    Unclosed,
    /// It has more values or ranges than [`Limits`] allow.
    TooMany,
    /// It is larger than [`Limits`] allow.
    TooLarge,
    /// It is not what such a response looks like; which part is wrong.
    Malformed(&'static str),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Unclosed => f.write_str("not closed"),
            Fault::TooMany => f.write_str("too many values"),
            Fault::TooLarge => f.write_str("too large"),
            Fault::Malformed(what) => write!(f, "malformed {what}"),
        }
    }
}

impl std::error::Error for Fault {}

/// One value of a response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A word without quotes; `NIL` is one.
    Atom(&'a [u8]),
    /// A quoted string or a literal.
    Text(Cow<'a, [u8]>),
    /// A literal that went by in pieces.
    Streamed { id: u64, length: u64 },
    /// Values in parentheses.
    List(Vec<Value<'a>>),
    /// `BODY[1.HEADER.FIELDS (To)]<0>` and its like.
    Section { name: &'a [u8], parts: Vec<Value<'a>>, origin: Option<u64> },
    /// A list that lies too deep to be read.
    TooDeep,
}

impl<'a> Value<'a> {
    /// Is this the atom, whatever its case?
    pub(crate) fn is_atom(&self, word: &str) -> bool {
        matches!(self, Value::Atom(atom) if atom.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// An atom or a string, but not NIL.
    pub(crate) fn octets(&self) -> Option<&[u8]> {
        match self {
            Value::Atom(atom) if atom.eq_ignore_ascii_case(b"NIL") => None,
            Value::Atom(atom) => Some(atom),
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same as text, with what is not UTF-8 replaced.
    pub(crate) fn string(&self) -> Option<String> {
        self.octets().map(|octets| String::from_utf8_lossy(octets).into_owned())
    }

    /// A number without sign.
    pub(crate) fn number<N: std::str::FromStr>(&self) -> Option<N> {
        let octets = self.octets()?;
        if !octets.first()?.is_ascii_digit() {
            return None;
        }
        std::str::from_utf8(octets).ok()?.parse().ok()
    }

    /// The values of a list.
    pub(crate) fn list(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }
}

/// Reads values from the text of a frame.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    literals: &'a [(usize, Literal)],
    at: usize,
    /// Values left before there are too many.
    left: usize,
    depth_max: usize,
    /// Is the end of the frame still to come? Then open lists end where it ends.
    partial: bool,
    /// Are we between the brackets of a section?
    in_section: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(frame: &'a Frame, limits: &Limits) -> Lexer<'a> {
        Lexer {
            text: &frame.text,
            literals: &frame.literals,
            at: 0,
            left: limits.values_max,
            depth_max: limits.depth_max,
            partial: false,
            in_section: false,
        }
    }

    /// The same for a response whose end has not come yet.
    pub(crate) fn partial(frame: &'a Frame, limits: &Limits) -> Lexer<'a> {
        Lexer { partial: true, ..Lexer::new(frame, limits) }
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Goes past blanks.
    pub(crate) fn skip_blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Goes past one octet if it is the next.
    pub(crate) fn accept(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    /// The word up to the next blank.
    pub(crate) fn word(&mut self) -> &'a [u8] {
        self.skip_blanks();
        let rest = self.rest();
        let end = rest.iter().position(|&c| c == b' ').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// All values to the end.
    pub(crate) fn values(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Ok(values),
                // A stray parenthesis says nothing about the values before it.
                Some(b')') => self.at += 1,
                Some(_) => values.push(self.value(0)?),
            }
        }
    }

    /// The values of a response code, up to the `]` that ends it.
    pub(crate) fn code(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Err(Fault::Unclosed),
                Some(b']') => {
                    self.at += 1;
                    return Ok(values);
                }
                Some(b')') => return Err(Fault::Malformed("response code")),
                Some(b'(' | b'"') => values.push(self.value(0)?),
                Some(_) => values.push(self.code_atom()?),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.left = self.left.checked_sub(1).ok_or(Fault::TooMany)?;
        Ok(())
    }

    /// An atom in a code: a `]` ends it where the text goes on with a blank or not at all.
    fn code_atom(&mut self) -> Result<Value<'a>, Fault> {
        self.count()?;
        let rest = self.rest();
        let ends = |at: usize| match rest[at] {
            b' ' => true,
            b']' => matches!(rest.get(at + 1), None | Some(b' ')),
            _ => false,
        };
        let end = (0..rest.len()).find(|&at| ends(at)).ok_or(Fault::Unclosed)?;
        self.at += end;
        Ok(Value::Atom(&rest[..end]))
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        self.count()?;
        match self.peek() {
            Some(b'(') if depth >= self.depth_max => self.skip_list(),
            Some(b'(') => {
                self.at += 1;
                Ok(Value::List(self.list(b')', depth + 1)?))
            }
            Some(b'"') => self.quoted(),
            Some(b'{' | b'~') => match self.literal() {
                Some(value) => Ok(value),
                None => self.atom(depth),
            },
            _ => self.atom(depth),
        }
    }

    fn list(&mut self, end: u8, depth: usize) -> Result<Vec<Value<'a>>, Fault> {
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(octet) if octet == end => {
                    self.at += 1;
                    return Ok(values);
                }
                // Only in a section: it ends at its bracket.
                Some(b')') => return Err(Fault::Malformed("section")),
                Some(_) => values.push(self.value(depth)?),
                None if self.partial => return Ok(values),
                None => return Err(Fault::Unclosed),
            }
        }
    }

    fn quoted(&mut self) -> Result<Value<'a>, Fault> {
        let from = self.at + 1;
        let mut at = from;
        let mut escaped = false;
        loop {
            match self.text.get(at) {
                None => return Err(Fault::Unclosed),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        let raw = &self.text[from..at];
        Ok(Value::Text(if escaped { Cow::Owned(unescaped(raw)) } else { Cow::Borrowed(raw) }))
    }

    fn literal(&mut self) -> Option<Value<'a>> {
        let (&(at, ref literal), others) = self.literals.split_first()?;
        let marker = self.text.get(self.at..at)?;
        if !marker.ends_with(b"}") || marker.len() > 24 || marker.contains(&b' ') {
            return None;
        }
        self.literals = others;
        self.at = at;
        Some(match literal {
            Literal::Kept(octets) => Value::Text(Cow::Borrowed(octets)),
            Literal::Streamed { id, length } => Value::Streamed { id: *id, length: *length },
        })
    }

    fn atom(&mut self, depth: usize) -> Result<Value<'a>, Fault> {
        let rest = self.rest();
        let mut end = 0;
        while let Some(&octet) = rest.get(end) {
            match octet {
                b' ' | b'(' | b')' => break,
                b'"' if end > 0 => break,
                // A section's own atom ends at its bracket; elsewhere `]` is an octet like any other.
                b']' if self.in_section => break,
                b'[' if has_section(&rest[..end]) => return self.section(end, depth),
                _ => end += 1,
            }
        }
        if end == 0 {
            return Err(Fault::Malformed("value"));
        }
        self.at += end;
        Ok(Value::Atom(&rest[..end]))
    }

    fn section(&mut self, name: usize, depth: usize) -> Result<Value<'a>, Fault> {
        let name = &self.text[self.at..self.at + name];
        self.at += name.len() + 1;
        self.in_section = true;
        let parts = self.list(b']', depth + 1);
        self.in_section = false;
        let origin = self.origin();
        Ok(Value::Section { name, parts: parts?, origin })
    }

    fn origin(&mut self) -> Option<u64> {
        let rest = self.rest().strip_prefix(b"<")?;
        let end = rest.iter().position(|&c| c == b'>')?;
        let origin = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        self.at += end + 2;
        Some(origin)
    }

    /// Goes past a list that lies too deep, counting parentheses instead of calling itself.
    fn skip_list(&mut self) -> Result<Value<'a>, Fault> {
        let mut open = 0usize;
        loop {
            match self.peek() {
                None if self.partial => return Ok(Value::TooDeep),
                None => return Err(Fault::Unclosed),
                Some(b'"') => {
                    self.quoted()?;
                }
                Some(b'{' | b'~') => {
                    if self.literal().is_none() {
                        self.at += 1;
                    }
                }
                Some(b'(') => {
                    open += 1;
                    self.at += 1;
                }
                Some(b')') => {
                    open -= 1;
                    self.at += 1;
                    if open == 0 {
                        return Ok(Value::TooDeep);
                    }
                }
                Some(_) => self.at += 1,
            }
        }
    }
}

/// Does a bracket after this word open a section?
fn has_section(word: &[u8]) -> bool {
    ["BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE"]
        .iter()
        .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut octets = raw.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' => text.extend(octets.next()),
            _ => text.push(octet),
        }
    }
    text
}
