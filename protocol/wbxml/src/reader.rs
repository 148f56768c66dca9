//! The reader: pulls tokens out of a borrowed document, one at a time, without allocating.
//!
//! Guarantees: whatever the octets, it ends, never panics and never copies; at every point the elements begun are those
//! ended plus those open; and a tag it yields has a name. After an error it stays where it is: asking again gives the same.

use crate::code_page::CodePages;
use crate::error::{Error, ErrorKind};
use crate::header::{self, Header, Profile};
use crate::limits::Limits;
use crate::mb_u32;
use crate::token::*;

/// A walk over one document.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    pages: &'a CodePages,
    limits: Limits,
    profile: Profile,
    header: Header<'a>,
    /// Where the next token starts.
    position: usize,
    /// Where the token yielded last starts.
    offset: usize,
    /// In force until the next SWITCH_PAGE; END does not restore it.
    page: u8,
    depth: usize,
    elements: usize,
    /// The innermost open element is a bare tag, so its end is not in the input.
    bare: bool,
}

impl<'a> Reader<'a> {
    /// Begins a document as ActiveSync has them: reads the header.
    pub fn new(input: &'a [u8], pages: &'a CodePages, limits: Limits) -> Result<Self, Error> {
        Self::with_profile(input, pages, limits, Profile::ActiveSync)
    }

    /// Begins a document of `profile`.
    pub fn with_profile(
        input: &'a [u8],
        pages: &'a CodePages,
        limits: Limits,
        profile: Profile,
    ) -> Result<Self, Error> {
        if input.len() > limits.total_bytes_max {
            return Err(Error::new(ErrorKind::TooLong, limits.total_bytes_max));
        }
        let (header, position) = Header::decode(input, profile)?;
        Ok(Self {
            input,
            pages,
            limits,
            profile,
            header,
            position,
            offset: position,
            page: 0,
            depth: 0,
            elements: 0,
            bare: false,
        })
    }

    /// The next token; `None` once the root element has ended and the input with it.
    #[inline]
    pub fn next_token(&mut self) -> Result<Option<Token<'a>>, Error> {
        if self.bare {
            self.bare = false;
            self.depth -= 1;
            return Ok(Some(Token::End));
        }
        // Position and page are set only when a token is found, so that an error leaves them where they are.
        let (mut at, mut page) = (self.position, self.page);
        loop {
            let Some(&octet) = self.input.get(at) else { return self.end_of_input(at) };
            if octet != SWITCH_PAGE {
                return self.token(octet, at, page).map(Some);
            }
            page = self.switched(at)?;
            at += 2;
        }
    }

    /// Where the token yielded last starts; before the first, where the body starts.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// How many elements are open.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// What the header says.
    pub const fn header(&self) -> &Header<'a> {
        &self.header
    }

    /// The code pages it was given.
    pub const fn pages(&self) -> &'a CodePages {
        self.pages
    }

    /// The token that `octet`, which stands at `at`, begins.
    #[inline(always)]
    fn token(&mut self, octet: u8, at: usize, page: u8) -> Result<Token<'a>, Error> {
        let (token, behind) = match octet {
            END => {
                let depth = self.depth.checked_sub(1);
                self.depth = depth.ok_or(Error::new(ErrorKind::UnbalancedEnd, at))?;
                (Token::End, at + 1)
            }
            STR_I => {
                self.inside(at)?;
                let bytes = until_nul(self.input, at + 1)?;
                (self.text(bytes, at + 1, at)?, at + bytes.len() + 2)
            }
            _ if octet & HAS_ATTRIBUTES == 0 && octet & TOKEN_MASK >= TOKEN_MIN => {
                (self.start(octet, at, page)?, at + 1)
            }
            OPAQUE => self.opaque(at)?,
            _ => self.rare(octet, at)?,
        };
        (self.offset, self.position, self.page) = (at, behind, page);
        Ok(token)
    }

    #[cold]
    fn end_of_input(&self, at: usize) -> Result<Option<Token<'a>>, Error> {
        match (self.depth, self.elements) {
            (0, 0) => Err(Error::new(ErrorKind::EmptyDocument, at)),
            (0, _) => Ok(None),
            _ => Err(Error::new(ErrorKind::UnexpectedEnd, at)),
        }
    }

    /// The page that the SWITCH_PAGE at `at` switches to.
    #[inline]
    fn switched(&self, at: usize) -> Result<u8, Error> {
        let page = *self.input.get(at + 1).ok_or(Error::new(ErrorKind::UnexpectedEnd, at + 1))?;
        match self.pages.namespace(page) {
            Some(_) => Ok(page),
            None => Err(Error::new(ErrorKind::UnknownPage(page), at)),
        }
    }

    #[inline(always)]
    fn start(&mut self, octet: u8, at: usize, page: u8) -> Result<Token<'a>, Error> {
        let tag = Tag::new(page, octet & TOKEN_MASK);
        let second_root = self.depth == 0 && self.elements > 0;
        let name = self.pages.name(tag);
        let (Some(name), false) = (name, second_root) else { return Err(self.refused(tag, at)) };
        if self.depth >= self.limits.depth_max || self.elements >= self.limits.elements_max {
            return Err(self.refused(tag, at));
        }
        let has_content = octet & HAS_CONTENT != 0;
        self.bare = !has_content;
        self.depth += 1;
        self.elements += 1;
        Ok(Token::Start { tag, name, has_content })
    }

    /// Why an element may not begin.
    #[cold]
    fn refused(&self, tag: Tag, at: usize) -> Error {
        let kind = if self.depth == 0 && self.elements > 0 {
            ErrorKind::SecondRoot
        } else if self.depth >= self.limits.depth_max {
            ErrorKind::TooDeep
        } else if self.elements >= self.limits.elements_max {
            ErrorKind::TooManyElements
        } else {
            ErrorKind::UnknownToken(tag)
        };
        Error::new(kind, at)
    }

    fn opaque(&self, at: usize) -> Result<(Token<'a>, usize), Error> {
        self.inside(at)?;
        let (length, start) = mb_u32::decode(self.input, at + 1)?;
        let bytes = header::slice(self.input, start, length)?;
        self.within(bytes, at)?;
        Ok((Token::Opaque(bytes), start + bytes.len()))
    }

    #[cold]
    fn rare(&self, octet: u8, at: usize) -> Result<(Token<'a>, usize), Error> {
        let kind = match octet {
            ENTITY if self.profile == Profile::Wbxml => return self.entity(at),
            STR_T if self.profile == Profile::Wbxml => return self.table_string(at),
            ENTITY => ErrorKind::Entity,
            STR_T => ErrorKind::StringTableReference,
            LITERAL | LITERAL_C | LITERAL_A | LITERAL_AC => ErrorKind::LiteralTag,
            PI => ErrorKind::ProcessingInstruction,
            EXT_I_0..=EXT_I_2 | EXT_T_0..=EXT_T_2 | EXT_0..=EXT_2 => ErrorKind::Extension(octet),
            _ => ErrorKind::Attributes,
        };
        Err(Error::new(kind, at))
    }

    fn entity(&self, at: usize) -> Result<(Token<'a>, usize), Error> {
        self.inside(at)?;
        let (number, behind) = mb_u32::decode(self.input, at + 1)?;
        let character =
            char::from_u32(number).ok_or(Error::new(ErrorKind::NotACharacter(number), at))?;
        Ok((Token::Entity(character), behind))
    }

    fn table_string(&self, at: usize) -> Result<(Token<'a>, usize), Error> {
        self.inside(at)?;
        let table = self.header.string_table;
        let (index, behind) = mb_u32::decode(self.input, at + 1)?;
        let outside = Error::new(ErrorKind::StringTableReference, at);
        let index = usize::try_from(index).map_err(|_| outside)?;
        let bytes = until_nul(table, index).map_err(|_| outside)?;
        Ok((self.text(bytes, at, at)?, behind))
    }

    #[inline(always)]
    fn text(&self, bytes: &'a [u8], start: usize, at: usize) -> Result<Token<'a>, Error> {
        self.within(bytes, at)?;
        Ok(Token::Text(Text::new(bytes, start)))
    }

    #[inline(always)]
    fn inside(&self, at: usize) -> Result<(), Error> {
        if self.depth == 0 { Err(Error::new(ErrorKind::TextOutsideRoot, at)) } else { Ok(()) }
    }

    #[inline(always)]
    fn within(&self, bytes: &[u8], at: usize) -> Result<(), Error> {
        let fits = bytes.len() <= self.limits.string_bytes_max;
        if fits { Ok(()) } else { Err(Error::new(ErrorKind::StringTooLong, at)) }
    }
}

/// The octets from `start` up to the next NUL.
#[inline]
fn until_nul(input: &[u8], start: usize) -> Result<&[u8], Error> {
    let rest = input.get(start..).unwrap_or_default();
    let length = first_nul(rest).ok_or(Error::new(ErrorKind::UnexpectedEnd, input.len()))?;
    Ok(&rest[..length])
}

/// Where the first NUL is: short strings a word at a time, bodies a block at a time, which the compiler makes vectors of.
#[inline]
fn first_nul(octets: &[u8]) -> Option<usize> {
    let near = octets.len().min(NEAR_OCTETS);
    let (words, _) = octets[..near].as_chunks::<WORD_OCTETS>();
    for (at, word) in words.iter().enumerate() {
        let nuls = nuls_in(u64::from_le_bytes(*word));
        if nuls != 0 {
            return Some(at * WORD_OCTETS + nuls.trailing_zeros() as usize / 8);
        }
    }
    far_nul(octets, words.len() * WORD_OCTETS)
}

/// As [`first_nul`], when there is none before `start`.
fn far_nul(octets: &[u8], start: usize) -> Option<usize> {
    let (blocks, _) = octets[start..].as_chunks::<BLOCK_OCTETS>();
    let clear =
        blocks.iter().take_while(|block| !block.iter().fold(false, |any, &o| any | (o == 0)));
    let start = start + clear.count() * BLOCK_OCTETS;
    octets[start..].iter().position(|&octet| octet == 0).map(|at| start + at)
}

/// A word whose lowest bit that is set stands in the first octet that is zero; zero if none is.
const fn nuls_in(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; WORD_OCTETS]);
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

const WORD_OCTETS: usize = 8;
const BLOCK_OCTETS: usize = 64;
/// Ids, times and addresses end before this.
const NEAR_OCTETS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_page::CodePage;
    use std::vec::Vec;

    static PAGES: CodePages = CodePages::new(&[
        CodePage {
            number: 0,
            namespace: "AirSync",
            tags: &[(0x05, "Sync"), (0x0E, "Status"), (0x1E, "DeletesAsMoves")],
        },
        CodePage { number: 17, namespace: "AirSyncBase", tags: &[(0x0B, "Data")] },
    ]);

    fn tokens(input: &[u8], limits: Limits, profile: Profile) -> Result<Vec<Token<'_>>, Error> {
        let mut reader = Reader::with_profile(input, &PAGES, limits, profile)?;
        let mut tokens = Vec::new();
        while let Some(token) = reader.next_token()? {
            tokens.push(token);
        }
        Ok(tokens)
    }

    fn activesync(body: &[u8]) -> Result<Vec<Token<'static>>, Error> {
        let mut input = header::ACTIVESYNC.to_vec();
        input.extend_from_slice(body);
        tokens(input.leak(), Limits::default(), Profile::ActiveSync)
    }

    fn fault(body: &[u8]) -> (ErrorKind, usize) {
        let error = activesync(body).unwrap_err();
        (error.kind, error.offset)
    }

    const SYNC: Token<'_> = Token::Start { tag: Tag::new(0, 5), name: "Sync", has_content: true };

    #[test]
    fn the_first_nul_is_found_wherever_it_is() {
        for length in 0..300 {
            let mut octets = std::vec![0xFF; length];
            assert_eq!(first_nul(&octets), None);
            for at in (0..length).rev() {
                octets[at] = 0;
                assert_eq!(first_nul(&octets), Some(at));
                octets[at] = if at % 2 == 0 { 1 } else { 0x80 };
                assert_eq!(first_nul(&octets), None);
            }
        }
    }

    #[test]
    fn both_spellings_of_an_empty_element_look_alike() {
        for (octets, has_content) in [(&b"\x45\x1E\x01"[..], false), (b"\x45\x5E\x01\x01", true)] {
            let flag = Token::Start { tag: Tag::new(0, 0x1E), name: "DeletesAsMoves", has_content };
            assert_eq!(activesync(octets), Ok(std::vec![SYNC, flag, Token::End, Token::End]));
        }
    }

    #[test]
    fn a_page_stays_in_force_until_the_next_switch() {
        let octets = b"\x45\x00\x11\x4B\x03a\x00\xC3\x02bc\x01\x4B\x01\x00\x00\x0E\x01\x00\x11";
        let data = Token::Start { tag: Tag::new(17, 0x0B), name: "Data", has_content: true };
        let status = Token::Start { tag: Tag::new(0, 0x0E), name: "Status", has_content: false };
        let expected = [
            SYNC,
            data,
            Token::Text(Text::new(b"a", 9)),
            Token::Opaque(b"bc"),
            Token::End,
            data,
            Token::End,
            status,
            Token::End,
            Token::End,
        ];
        assert_eq!(activesync(octets).unwrap(), expected);
    }

    #[test]
    fn every_fault_has_its_name_and_offset() {
        let unknown = |page, token| ErrorKind::UnknownToken(Tag::new(page, token));
        let table: &[(&[u8], ErrorKind, usize)] = &[
            (b"", ErrorKind::EmptyDocument, 4),
            (b"\x00\x11", ErrorKind::EmptyDocument, 6),
            (b"\x45", ErrorKind::UnexpectedEnd, 5),
            (b"\x45\x00", ErrorKind::UnexpectedEnd, 6),
            (b"\x01", ErrorKind::UnbalancedEnd, 4),
            (b"\x05\x01", ErrorKind::UnbalancedEnd, 5),
            (b"\x05\x05", ErrorKind::SecondRoot, 5),
            (b"\x05\x03a\x00", ErrorKind::TextOutsideRoot, 5),
            (b"\xC3\x00", ErrorKind::TextOutsideRoot, 4),
            (b"\x45\x00\x03\x01", ErrorKind::UnknownPage(3), 5),
            (b"\x45\x07\x01", unknown(0, 7), 5),
            (b"\x45\x00\x11\x47\x01\x01", unknown(17, 7), 7),
            (b"\x85\x01", ErrorKind::Attributes, 4),
            (b"\xC5\x01", ErrorKind::Attributes, 4),
            (b"\x45\x03ab", ErrorKind::UnexpectedEnd, 8),
            (b"\x45\xC3\x05ab", ErrorKind::UnexpectedEnd, 9),
            (b"\x45\xC3\x80\x80\x80\x80\x80\x01", ErrorKind::BadMbU32, 6),
            (b"\x45\x02\x41\x01", ErrorKind::Entity, 5),
            (b"\x45\x83\x00\x01", ErrorKind::StringTableReference, 5),
            (b"\x43\x01", ErrorKind::ProcessingInstruction, 4),
            (b"\x45\x04\x00\x01", ErrorKind::LiteralTag, 5),
            (b"\x45\xC4\x00\x01", ErrorKind::LiteralTag, 5),
            (b"\x45\x82\x01", ErrorKind::Extension(0x82), 5),
        ];
        for (octets, kind, offset) in table {
            assert_eq!(fault(octets), (*kind, *offset), "{octets:02X?}");
        }
    }

    #[test]
    fn an_error_repeats_itself() {
        let input = b"\x03\x01\x6A\x00\x45\x00\x11\x07";
        let mut reader = Reader::new(input, &PAGES, Limits::default()).unwrap();
        reader.next_token().unwrap();
        let first = reader.next_token();
        assert_eq!(first, Err(Error::new(ErrorKind::UnknownToken(Tag::new(17, 7)), 7)));
        assert_eq!(reader.next_token(), first);
        assert_eq!(reader.depth(), 1);
    }

    #[test]
    fn each_limit_stops_at_the_octet_that_exceeds_it() {
        let input = b"\x03\x01\x6A\x00\x45\x45\x05\x03abcd\x00\x01\x01";
        let default = Limits::default();
        let fault = |limits| {
            let error = tokens(input, limits, Profile::ActiveSync).unwrap_err();
            (error.kind, error.offset)
        };
        assert!(tokens(input, default, Profile::ActiveSync).is_ok());
        assert_eq!(fault(Limits { depth_max: 2, ..default }), (ErrorKind::TooDeep, 6));
        assert_eq!(fault(Limits { elements_max: 1, ..default }), (ErrorKind::TooManyElements, 5));
        assert_eq!(fault(Limits { string_bytes_max: 3, ..default }), (ErrorKind::StringTooLong, 7));
        assert_eq!(fault(Limits { total_bytes_max: 14, ..default }), (ErrorKind::TooLong, 14));
    }

    #[test]
    fn the_wider_profile_decodes_tables_and_entities() {
        let input = b"\x03\x01\x6A\x04abc\x00\x45\x83\x01\x02\x81\x20\x01";
        let read = tokens(input, Limits::default(), Profile::Wbxml).unwrap();
        assert_eq!(
            read,
            [SYNC, Token::Text(Text::new(b"bc", 9)), Token::Entity('\u{A0}'), Token::End]
        );

        let outside = b"\x03\x01\x6A\x01\x00\x45\x83\x05\x01";
        let error = tokens(outside, Limits::default(), Profile::Wbxml).unwrap_err();
        assert_eq!(error, Error::new(ErrorKind::StringTableReference, 6));
        let surrogate = b"\x03\x01\x6A\x00\x45\x02\x83\xB0\x00\x01";
        let error = tokens(surrogate, Limits::default(), Profile::Wbxml).unwrap_err();
        assert_eq!(error, Error::new(ErrorKind::NotACharacter(0xD800), 5));
    }
}
