//! Frames: where one response ends and the next begins, however the octets arrive.
//!
//! A response is text with literals in it (RFC 9051 4.3). [`Framer::push`] takes octets one read at a time and gives whole
//! responses, and long literals piece by piece. What goes beyond [`Limits`] is followed to its end without being kept, so that
//! the next response is read rightly.

use crate::limits::Limits;

/// Octets at the end of a line that is not kept, enough to see whether a literal follows.
const TAIL_BYTES: usize = 32;

/// Octets of a line that was not kept, for the report.
pub(crate) const HEAD_BYTES: usize = 120;

/// What a literal of a response turned into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// It is here.
    Kept(Vec<u8>),
    /// It went by in pieces.
    Streamed {
        /// Its number on this connection.
        id: u64,
        /// Its octets.
        length: u64,
    },
}

/// One response: its text with `{n}` where literals stood, and the literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The text without line ends.
    pub(crate) text: Vec<u8>,
    /// The literals and where in the text they stand, just after their `{n}`.
    pub(crate) literals: Vec<(usize, Literal)>,
}

/// What the framer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole response.
    Response(Frame),
    /// A long literal begins; the frame up to here, the literal included.
    LiteralStart {
        /// The response so far.
        so_far: Frame,
        /// Its number.
        id: u64,
        /// Its octets.
        length: u64,
    },
    /// A piece of a long literal.
    LiteralPiece {
        /// Its number.
        id: u64,
        /// The octets.
        octets: Vec<u8>,
        /// Was that the last piece?
        last: bool,
    },
    /// A response too large to keep went by; how it began.
    TooLarge(Vec<u8>),
}

#[derive(Debug)]
enum State {
    /// In the text.
    Text,
    /// In a literal that is kept.
    Keep { octets: Vec<u8>, left: usize },
    /// In a literal that is streamed.
    Stream { id: u64, piece: Vec<u8>, left: u64 },
    /// In a literal that is not kept.
    Drop { left: u64 },
}

/// Cuts octets into responses.
#[derive(Debug)]
pub(crate) struct Framer {
    limits: Limits,
    state: State,
    frame: Frame,
    /// Octets of kept literals in this frame.
    kept: usize,
    /// Where the line in progress begins in `frame.text`.
    line_start: usize,
    /// Is this response not being kept? Then `frame.text` holds its beginning and `tail` its end.
    dropping: bool,
    tail: Vec<u8>,
    next_literal: u64,
}

impl Framer {
    pub(crate) fn new(limits: Limits) -> Framer {
        Framer {
            limits,
            state: State::Text,
            frame: Frame::default(),
            kept: 0,
            line_start: 0,
            dropping: false,
            tail: Vec::new(),
            next_literal: 1,
        }
    }

    /// Takes octets up to and including the first thing found; gives how many it took.
    pub(crate) fn push(&mut self, input: &[u8]) -> (usize, Option<Found>) {
        let mut taken = 0;
        loop {
            let (n, found) = self.step(&input[taken..]);
            taken += n;
            if found.is_some() || (taken == input.len() && n == 0) {
                return (taken, found);
            }
        }
    }

    fn step(&mut self, input: &[u8]) -> (usize, Option<Found>) {
        match &mut self.state {
            State::Text => self.text(input),
            State::Keep { octets, left } => {
                let n = input.len().min(*left);
                octets.extend_from_slice(&input[..n]);
                *left -= n;
                if *left == 0 {
                    let octets = std::mem::take(octets);
                    self.kept += octets.len();
                    self.frame.literals.push((self.frame.text.len(), Literal::Kept(octets)));
                    self.state = State::Text;
                }
                (n, None)
            }
            State::Stream { id, piece, left } => {
                let room = self.limits.literal_kept_bytes.max(1) - piece.len();
                let n = input.len().min(room).min(usize::try_from(*left).unwrap_or(usize::MAX));
                piece.extend_from_slice(&input[..n]);
                *left -= n as u64;
                let last = *left == 0;
                if !last && n < room {
                    return (n, None);
                }
                let found = Found::LiteralPiece { id: *id, octets: std::mem::take(piece), last };
                if last {
                    self.state = State::Text;
                }
                (n, Some(found))
            }
            State::Drop { left } => {
                let n = input.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= n as u64;
                if *left == 0 {
                    self.state = State::Text;
                }
                (n, None)
            }
        }
    }

    fn text(&mut self, input: &[u8]) -> (usize, Option<Found>) {
        let end = input.iter().position(|&c| c == b'\n');
        let n = end.map_or(input.len(), |at| at + 1);
        self.keep_text(&input[..n]);
        if end.is_none() {
            return (n, None);
        }
        (n, self.line_ended())
    }

    fn keep_text(&mut self, octets: &[u8]) {
        if !self.dropping && self.frame.text.len() + octets.len() <= self.limits.line_bytes_max {
            self.frame.text.extend_from_slice(octets);
            return;
        }
        if !self.dropping {
            let from = self.frame.text.len().saturating_sub(TAIL_BYTES).max(self.line_start);
            self.tail = self.frame.text[from..].to_vec();
            self.drop_rest(octets);
        }
        let from = octets.len().saturating_sub(TAIL_BYTES);
        self.tail.extend_from_slice(&octets[from..]);
        let from = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..from);
    }

    /// From here on nothing of this response is kept but its beginning.
    fn drop_rest(&mut self, octets: &[u8]) {
        self.dropping = true;
        let missing = HEAD_BYTES.saturating_sub(self.frame.text.len()).min(octets.len());
        self.frame.text.extend_from_slice(&octets[..missing]);
        self.frame.text.truncate(HEAD_BYTES);
        self.frame.literals.clear();
    }

    /// A line feed has come: either a literal follows or the response is whole.
    fn line_ended(&mut self) -> Option<Found> {
        let line = if self.dropping { &self.tail[..] } else { &self.frame.text[self.line_start..] };
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let literal = if is_plain_text(&self.frame.text) { None } else { literal_at_end(line) };
        if !self.dropping {
            let end = self.line_start + line.len();
            self.frame.text.truncate(end);
        }
        self.tail.clear();
        match literal {
            Some(length) => self.literal_begins(length),
            None => self.response_ended(),
        }
    }

    fn literal_begins(&mut self, length: u64) -> Option<Found> {
        self.line_start = self.frame.text.len();
        let keep = usize::try_from(length).ok().filter(|&n| n <= self.limits.literal_kept_bytes);
        match keep {
            _ if self.dropping => self.state = State::Drop { left: length },
            Some(n) if self.kept + n > self.limits.literals_bytes_max => {
                self.drop_rest(b"");
                self.state = State::Drop { left: length };
            }
            Some(0) => {
                self.frame.literals.push((self.frame.text.len(), Literal::Kept(Vec::new())));
            }
            Some(n) => self.state = State::Keep { octets: Vec::new(), left: n },
            None => {
                let id = self.next_literal;
                self.next_literal += 1;
                let at = self.frame.text.len();
                self.frame.literals.push((at, Literal::Streamed { id, length }));
                self.state = State::Stream { id, piece: Vec::new(), left: length };
                return Some(Found::LiteralStart { so_far: self.frame.clone(), id, length });
            }
        }
        if let State::Drop { left: 0 } = self.state {
            self.state = State::Text;
        }
        None
    }

    fn response_ended(&mut self) -> Option<Found> {
        let frame = std::mem::take(&mut self.frame);
        self.line_start = 0;
        self.kept = 0;
        if std::mem::take(&mut self.dropping) {
            return Some(Found::TooLarge(frame.text));
        }
        if frame.text.is_empty() {
            return None;
        }
        Some(Found::Response(frame))
    }
}

/// Is this a response whose end is free text, in which `{5}` is nothing but text?
pub(crate) fn is_plain_text(line: &[u8]) -> bool {
    let mut words = line.splitn(3, |&c| c == b' ');
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let second = second.trim_ascii_end();
    first.starts_with(b"+")
        || ["OK", "NO", "BAD", "BYE", "PREAUTH"]
            .iter()
            .any(|word| second.eq_ignore_ascii_case(word.as_bytes()))
}

/// The length in a `{n}`, `{n+}` or `~{n}` at the end of a line, where a literal may stand.
fn literal_at_end(line: &[u8]) -> Option<u64> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|&c| c == b'{')?;
    let before = inside[..open].strip_suffix(b"~").unwrap_or(&inside[..open]);
    if !matches!(before.last(), None | Some(b' ' | b'(' | b'[')) {
        return None;
    }
    let digits = &inside[open + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(limits: Limits, input: &[u8], step: usize) -> Vec<Found> {
        let mut framer = Framer::new(limits);
        let mut found = Vec::new();
        for piece in input.chunks(step) {
            let mut rest = piece;
            loop {
                let (n, one) = framer.push(rest);
                rest = &rest[n..];
                match one {
                    Some(one) => found.push(one),
                    None => break,
                }
            }
        }
        found
    }

    #[test]
    fn literals_belong_to_their_line() {
        let input = b"* LIST () \"/\" {3}\r\na\"b\r\n* OK see {5}\r\n* 3 EXISTS\n";
        for step in 1..input.len() {
            let found = all(Limits::DEFAULT, input, step);
            assert_eq!(found.len(), 3, "step {step}: {found:?}");
            let Found::Response(frame) = &found[0] else { panic!("{found:?}") };
            assert_eq!(frame.text, b"* LIST () \"/\" {3}");
            assert_eq!(frame.literals, [(17, Literal::Kept(b"a\"b".to_vec()))]);
        }
    }

    #[test]
    fn a_long_literal_goes_by_in_pieces() {
        let limits = Limits { literal_kept_bytes: 4, ..Limits::DEFAULT };
        let input = b"* 1 FETCH (BODY[] {10}\r\n0123456789 UID 7)\r\n";
        let found = all(limits, input, 1);
        assert_eq!(found, all(limits, input, 1000));
        assert!(matches!(found[0], Found::LiteralStart { id: 1, length: 10, .. }));
        assert_eq!(found.len(), 5, "start, three pieces, the whole: {found:?}");
        let Found::Response(frame) = &found[4] else { panic!("{found:?}") };
        assert_eq!(frame.text, b"* 1 FETCH (BODY[] {10} UID 7)");
    }

    #[test]
    fn what_is_too_large_is_followed_to_its_end() {
        let limits = Limits { line_bytes_max: 50, ..Limits::DEFAULT };
        let mut input = b"* 1 FETCH (BODYSTRUCTURE ".to_vec();
        input.extend(b"(\"a\" \"b\")".repeat(20));
        input.extend(b" {7}\r\n* 9 EXX more)\r\n* 3 EXISTS\r\n");
        for step in [1, 7, 1000] {
            let found = all(limits, &input, step);
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(matches!(&found[0], Found::TooLarge(head) if head.starts_with(b"* 1 FETCH")));
        }
    }
}
