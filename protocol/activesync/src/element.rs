//! A cursor over the elements of a document, for decoding commands by recursive descent.
//!
//! [`Cursor::next_child`] enters the next child of the element one is in, or leaves that element.
//! A child that was entered must be consumed: by descending into it, by a leaf reader such as
//! [`Cursor::text`], or by [`Cursor::skip`]. Nothing unknown passes unnoticed: an element that is
//! not expected is an error, as is one that the spoken version does not have.

use std::borrow::Cow;
use std::str::FromStr;

use wbxml::{Limits, Reader, Tag, Token};

use crate::code_pages;
use crate::encoder::Encoder;
use crate::error::{Error, Problem};
use crate::types::{DateTime, Invalid};
use crate::version::ProtocolVersion;

/// The result of decoding.
pub type Result<T> = std::result::Result<T, Error>;

/// A cursor over the elements of one document.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    reader: Reader<'a>,
    version: ProtocolVersion,
    depth: usize,
    element: Tag,
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// Begins a document that was sent in `version`.
    pub fn new(document: &'a [u8], version: ProtocolVersion) -> Result<Self> {
        let reader = Reader::new(document, &code_pages::PAGES, Limits::default())?;
        Ok(Self { reader, version, depth: 0, element: Tag::new(0, 0), offset: 0 })
    }

    /// The version that is spoken.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The element entered last.
    pub fn element(&self) -> Tag {
        self.element
    }

    /// How many elements are open.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Enters the root element, which must be `tag`.
    pub fn root(&mut self, tag: Tag) -> Result<()> {
        if self.any_root()? == tag { Ok(()) } else { Err(self.problem(Problem::Root)) }
    }

    /// Enters the root element, whatever it is.
    pub fn any_root(&mut self) -> Result<Tag> {
        match self.token()? {
            Some(Token::Start { tag, .. }) => {
                self.enter(tag);
                self.require_version().map(|()| tag)
            }
            _ => Err(self.problem(Problem::Root)),
        }
    }

    /// Reads on to the end of the document, after the root was left: nothing may follow it.
    pub fn finish(mut self) -> Result<()> {
        match self.token()? {
            None => Ok(()),
            Some(_) => Err(self.problem(Problem::Misplaced)),
        }
    }

    /// Enters the next child of the current element, or leaves the element and says `None`.
    pub fn next_child(&mut self) -> Result<Option<Tag>> {
        let child = self.next_child_any_version()?;
        if child.is_some() {
            self.require_version()?;
        }
        Ok(child)
    }

    /// As [`Cursor::next_child`], but the spoken version need not have the child.
    pub fn next_child_any_version(&mut self) -> Result<Option<Tag>> {
        loop {
            match self.token()? {
                Some(Token::Start { tag, .. }) => {
                    self.enter(tag);
                    return Ok(Some(tag));
                }
                Some(Token::End) | None => return Ok(None),
                Some(Token::Text(text)) if is_blank(text.bytes()) => {}
                Some(_) => return Err(self.problem(Problem::Content)),
            }
        }
    }

    /// Consumes the element entered last as a container: calls `child` for each of its children.
    pub fn children(&mut self, mut child: impl FnMut(&mut Self, Tag) -> Result<()>) -> Result<()> {
        while let Some(tag) = self.next_child()? {
            child(self, tag)?;
        }
        Ok(())
    }

    /// Consumes a leaf: its octets, from as many pieces as it has ([MS-ASWBXML] 2.1.1).
    pub fn bytes(&mut self) -> Result<Cow<'a, [u8]>> {
        self.content().map(|(octets, _)| octets)
    }

    /// Consumes a leaf: its octets, and whether any of them came as an opaque value.
    pub fn content(&mut self) -> Result<(Cow<'a, [u8]>, bool)> {
        let mut content = Cow::Borrowed(&[][..]);
        let mut opaque = false;
        loop {
            let piece = match self.token()? {
                Some(Token::Text(text)) => text.bytes(),
                Some(Token::Opaque(octets)) => {
                    opaque = true;
                    octets
                }
                Some(Token::End) | None => return Ok((content, opaque)),
                Some(_) => return Err(self.problem(Problem::Content)),
            };
            if content.is_empty() {
                content = Cow::Borrowed(piece);
            } else {
                content.to_mut().extend_from_slice(piece);
            }
        }
    }

    /// Consumes a leaf that must be UTF-8: ids, keys, whatever is compared.
    pub fn text(&mut self) -> Result<Cow<'a, str>> {
        let utf8 = match self.bytes()? {
            Cow::Borrowed(octets) => std::str::from_utf8(octets).ok().map(Cow::Borrowed),
            Cow::Owned(octets) => String::from_utf8(octets).ok().map(Cow::Owned),
        };
        utf8.ok_or_else(|| self.problem(Problem::Utf8))
    }

    /// Consumes a leaf for people: broken UTF-8 becomes replacement characters, because some
    /// phones send it and a name with a wrong letter is better than no synchronisation.
    pub fn text_lossy(&mut self) -> Result<String> {
        Ok(match self.bytes()? {
            Cow::Borrowed(octets) => String::from_utf8_lossy(octets).into_owned(),
            Cow::Owned(octets) => match String::from_utf8(octets) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
        })
    }

    /// Consumes a leaf that is a value of one of the text types.
    pub fn value<T: FromStr<Err = Invalid>>(&mut self) -> Result<T> {
        self.text()?.parse().map_err(|invalid| {
            self.problem(match invalid {
                Invalid::TooLong => Problem::TooLong,
                Invalid::Spelling => Problem::Value,
            })
        })
    }

    /// Consumes a leaf that is a number ([MS-ASDTYPE] 2.5, 2.8).
    pub fn number<T: FromStr>(&mut self) -> Result<T> {
        self.text()?.trim().parse().map_err(|_| self.problem(Problem::Value))
    }

    /// Consumes a leaf that is a boolean; an empty one counts as true ([MS-ASDTYPE] 2.1).
    pub fn boolean(&mut self) -> Result<bool> {
        match self.text()?.trim() {
            "0" => Ok(false),
            "1" | "" => Ok(true),
            _ => Err(self.problem(Problem::Value)),
        }
    }

    /// Consumes a leaf that is a time, in either spelling.
    pub fn time(&mut self) -> Result<DateTime> {
        DateTime::parse(&self.text()?).map_err(|_| self.problem(Problem::DateTime))
    }

    /// Consumes an empty tag, which says what it says by being there.
    pub fn empty(&mut self) -> Result<()> {
        if is_blank(&self.bytes()?) { Ok(()) } else { Err(self.problem(Problem::Content)) }
    }

    /// Consumes the element entered last with all that is in it, unread. What versions have which
    /// tags is not checked in there.
    pub fn skip(&mut self) -> Result<()> {
        self.leave(self.depth)
    }

    /// Reads on until the element that was the `depth`th to be open is closed: for going on with
    /// the next item after one that could not be decoded.
    pub fn leave(&mut self, depth: usize) -> Result<()> {
        while self.depth >= depth && self.depth > 0 {
            if self.token()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Reads a child that may stand once into its slot.
    pub fn once<T>(
        &mut self,
        slot: &mut Option<T>,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<()> {
        if slot.is_some() {
            return Err(self.problem(Problem::Duplicate));
        }
        *slot = Some(read(self)?);
        Ok(())
    }

    /// Reads a tag that may stand once and says what it says by being there; some clients put the
    /// value of a boolean in it, which is then believed.
    pub fn flag(&mut self, slot: &mut bool) -> Result<()> {
        if *slot {
            return Err(self.problem(Problem::Duplicate));
        }
        *slot = self.boolean()?;
        Ok(())
    }

    /// The value of a child that has to be there, after the children of `parent` were read.
    pub fn required<T>(&self, slot: Option<T>, parent: Tag, child: Tag) -> Result<T> {
        let problem = Problem::Missing(child);
        slot.ok_or_else(|| Error::Schema { offset: self.reader.offset(), tag: parent, problem })
    }

    /// An error about the element entered last.
    pub fn problem(&self, problem: Problem) -> Error {
        Error::Schema { offset: self.offset, tag: self.element, problem }
    }

    /// The error that the element entered last does not belong where it stands.
    pub fn misplaced<T>(&self) -> Result<T> {
        Err(self.problem(Problem::Misplaced))
    }

    /// The error that there is more of something than is served.
    pub fn over_limit(&self, limit: &'static str) -> Error {
        Error::Limit { offset: self.offset, limit }
    }

    /// Refuses the element entered last if the spoken version does not have it.
    pub fn require_version(&self) -> Result<()> {
        if code_pages::versions(self.element).contain(self.version) {
            return Ok(());
        }
        Err(Error::Version { offset: self.offset, tag: self.element, version: self.version })
    }

    /// Takes note of an element that begins.
    fn enter(&mut self, tag: Tag) {
        self.element = tag;
        self.offset = self.reader.offset();
    }

    /// The next token; keeps count of the elements that are open.
    fn token(&mut self) -> Result<Option<Token<'a>>> {
        let token = self.reader.next_token()?;
        match token {
            Some(Token::Start { .. }) => self.depth += 1,
            Some(Token::End) => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Ok(token)
    }
}

/// The children of an element, kept as they came and given back as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subtree(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Start(Tag),
    End,
    Text(String),
    Opaque(Vec<u8>),
}

impl Subtree {
    /// Consumes the element entered last and keeps what is in it.
    pub fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let depth = cursor.depth();
        let mut pieces = Vec::new();
        while let Some(token) = cursor.token()? {
            pieces.push(match token {
                Token::Start { tag, .. } => Piece::Start(tag),
                Token::End if cursor.depth() < depth => break,
                Token::End => Piece::End,
                Token::Text(text) if text.bytes().is_empty() => continue,
                Token::Text(text) => Piece::Text(text.to_str_lossy().into_owned()),
                Token::Opaque([]) => continue,
                Token::Opaque(octets) => Piece::Opaque(octets.to_vec()),
                Token::Entity(_) => return Err(cursor.problem(Problem::Content)),
            });
        }
        Ok(Self(pieces))
    }

    /// Writes what was kept, whatever version has it.
    pub fn write(&self, encoder: &mut Encoder) {
        for piece in &self.0 {
            match piece {
                Piece::Start(tag) => encoder.raw_start(*tag),
                Piece::End => encoder.raw_end(),
                Piece::Text(text) => encoder.raw_text(text),
                Piece::Opaque(octets) => encoder.raw_opaque(octets),
            }
        }
    }
}

/// Keeps the children of a sequence in order: each step must not go back.
#[derive(Default)]
pub struct Order(u8);

impl Order {
    /// Steps on to the child of rank `rank`, which must not be lower than the one before.
    pub fn step(&mut self, cursor: &Cursor<'_>, rank: u8) -> Result<()> {
        if rank < self.0 {
            return Err(cursor.problem(Problem::Order));
        }
        self.0 = rank;
        Ok(())
    }
}

/// Layout between elements, which some encoders leave in.
fn is_blank(octets: &[u8]) -> bool {
    octets.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_pages::air_sync::*;

    fn document(write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
        let mut encoder = Encoder::new(ProtocolVersion::V16_1);
        encoder.container(SYNC, write);
        encoder.finish()
    }

    fn inside<T>(
        octets: &[u8],
        version: ProtocolVersion,
        read: impl FnOnce(&mut Cursor<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut cursor = Cursor::new(octets, version)?;
        cursor.root(SYNC)?;
        cursor.next_child()?;
        read(&mut cursor)
    }

    fn leaf<T>(text: &str, read: impl FnOnce(&mut Cursor<'_>) -> Result<T>) -> Result<T> {
        inside(&document(|e| e.text(WAIT, text)), ProtocolVersion::V16_1, read)
    }

    fn problem(problem: Problem) -> Error {
        Error::Schema { offset: 5, tag: WAIT, problem }
    }

    #[test]
    fn leaves_are_read_as_what_they_are() {
        assert_eq!(leaf("8", |c| c.number::<u32>()), Ok(8));
        assert_eq!(leaf("300", |c| c.number::<u8>()), Err(problem(Problem::Value)));
        assert_eq!(leaf("", |c| c.boolean()), Ok(true));
        assert_eq!(leaf("0", |c| c.boolean()), Ok(false));
        assert_eq!(leaf("true", |c| c.boolean()), Err(problem(Problem::Value)));
        assert_eq!(leaf("soon", |c| c.time()), Err(problem(Problem::DateTime)));
        assert_eq!(leaf("x", |c| c.empty()), Err(problem(Problem::Content)));
    }

    #[test]
    fn what_the_version_lacks_is_an_error_with_its_place() {
        let octets = document(|e| {
            e.empty(PARTIAL);
            e.number(HEARTBEAT_INTERVAL, 60);
        });
        let version = ProtocolVersion::V12_1;
        let read = |c: &mut Cursor<'_>| c.empty().and_then(|()| c.next_child());
        let error = Error::Version { offset: 6, tag: HEARTBEAT_INTERVAL, version };
        assert_eq!(inside(&octets, version, read), Err(error));
        assert_eq!(inside(&octets, ProtocolVersion::V14_0, read), Ok(Some(HEARTBEAT_INTERVAL)));
    }

    #[test]
    fn what_the_version_lacks_is_not_written() {
        let mut encoder = Encoder::new(ProtocolVersion::V12_1);
        encoder.container(SYNC, |e| {
            e.container(HEARTBEAT_INTERVAL, |e| e.text(STATUS, "1"));
            e.number(STATUS, -15);
        });
        assert_eq!(encoder.finish(), b"\x03\x01\x6A\x00\x45\x4E\x03-15\x00\x01\x01");
    }

    #[test]
    fn one_can_go_on_after_a_broken_item() {
        let octets = document(|e| {
            e.container(COLLECTIONS, |e| e.container(ADD, |e| e.text(STATUS, "x")));
            e.text(STATUS, "1");
        });
        let next = inside(&octets, ProtocolVersion::V16_1, |c| {
            let depth = c.depth();
            c.next_child()?;
            c.next_child()?;
            assert!(c.number::<u8>().is_err());
            c.leave(depth)?;
            c.next_child()
        });
        assert_eq!(next, Ok(Some(STATUS)));
    }

    #[test]
    fn a_child_that_stands_once_stands_once() {
        let octets = document(|e| {
            e.text(STATUS, "1");
            e.text(STATUS, "1");
        });
        let mut slot = None::<u8>;
        let read = |c: &mut Cursor<'_>| {
            c.once(&mut slot, Cursor::number)?;
            c.next_child()?;
            c.once(&mut slot, Cursor::number)
        };
        let error = Error::Schema { offset: 10, tag: STATUS, problem: Problem::Duplicate };
        assert_eq!(inside(&octets, ProtocolVersion::V16_1, read), Err(error));
    }
}
