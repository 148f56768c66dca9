//! How text is spelt: atom, quoted string or literal (RFC 9051 4).

use zeroize::Zeroizing;

use crate::mailbox::Mailbox;

/// The longest text that goes as a quoted string, in octets; some servers read no longer line than 8,192.
const QUOTED_BYTES_MAX: usize = 1_000;

/// Text that no spelling can carry: a NUL where none may be, or a word with a blank in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("text that IMAP cannot carry")
    }
}

impl std::error::Error for Unspeakable {}

/// A piece of a spelt command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text.
    Text(Zeroizing<Vec<u8>>),
    /// Octets that go as a literal; `binary` makes it a literal8.
    Literal { octets: Zeroizing<Vec<u8>>, binary: bool },
}

/// Spells a command piece by piece.
#[derive(Debug)]
pub(crate) struct Encoder {
    pieces: Vec<Piece>,
    text: Zeroizing<Vec<u8>>,
    utf8: bool,
}

impl Encoder {
    pub(crate) fn new(utf8: bool) -> Encoder {
        Encoder { pieces: Vec::new(), text: Zeroizing::new(Vec::new()), utf8 }
    }

    pub(crate) fn finish(mut self) -> Vec<Piece> {
        self.flush();
        self.pieces
    }

    /// Is UTF8=ACCEPT enabled?
    pub(crate) fn is_utf8(&self) -> bool {
        self.utf8
    }

    /// Text of ours, as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// A word that must be an atom.
    pub(crate) fn atom(&mut self, word: &str) -> Result<(), Unspeakable> {
        if !is_atom(word.as_bytes()) {
            return Err(Unspeakable);
        }
        self.raw(word);
        Ok(())
    }

    /// A flag: an atom, or one after a backslash.
    pub(crate) fn flag(&mut self, flag: &str) -> Result<(), Unspeakable> {
        let word = flag.strip_prefix('\\').unwrap_or(flag);
        // Keywords with `]` in them exist, and servers take them.
        if word.is_empty() || !word.bytes().all(|c| is_atom_octet(c) || c == b']') {
            return Err(Unspeakable);
        }
        self.raw(flag);
        Ok(())
    }

    /// Text where an atom will do.
    pub(crate) fn astring(&mut self, octets: &[u8]) -> Result<(), Unspeakable> {
        if is_atom(octets) && !octets.eq_ignore_ascii_case(b"NIL") {
            self.text.extend_from_slice(octets);
            return Ok(());
        }
        self.string(octets)
    }

    /// Text where an atom will not do.
    pub(crate) fn string(&mut self, octets: &[u8]) -> Result<(), Unspeakable> {
        if octets.contains(&0) {
            return Err(Unspeakable);
        }
        let utf8 = self.utf8 && std::str::from_utf8(octets).is_ok();
        let fits = |&c: &u8| (b' '..=b'~').contains(&c) || (utf8 && c >= 0x80);
        if octets.len() > QUOTED_BYTES_MAX || !octets.iter().all(fits) {
            self.literal(octets, false);
            return Ok(());
        }
        self.text.push(b'"');
        for &octet in octets {
            if matches!(octet, b'"' | b'\\') {
                self.text.push(b'\\');
            }
            self.text.push(octet);
        }
        self.text.push(b'"');
        Ok(())
    }

    /// A mailbox name.
    pub(crate) fn mailbox(&mut self, mailbox: &Mailbox) -> Result<(), Unspeakable> {
        let wire = mailbox.to_wire(self.utf8);
        if wire.iter().any(|&c| matches!(c, 0 | b'\r' | b'\n')) {
            return Err(Unspeakable);
        }
        self.astring(&wire)
    }

    /// Octets as a literal.
    pub(crate) fn literal(&mut self, octets: &[u8], binary: bool) {
        self.flush();
        self.pieces.push(Piece::Literal { octets: Zeroizing::new(octets.to_vec()), binary });
    }

    /// Values in parentheses.
    pub(crate) fn list<T>(
        &mut self,
        values: &[T],
        mut one: impl FnMut(&mut Encoder, &T) -> Result<(), Unspeakable>,
    ) -> Result<(), Unspeakable> {
        self.raw("(");
        for (nth, value) in values.iter().enumerate() {
            if nth > 0 {
                self.raw(" ");
            }
            one(self, value)?;
        }
        self.raw(")");
        Ok(())
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }
}

fn is_atom(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().copied().all(is_atom_octet)
}

fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"(){%*\"\\]".contains(&octet)
}
