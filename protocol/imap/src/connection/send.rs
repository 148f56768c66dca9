//! Sending: tags, literals that must wait for the server's word, and answers to its challenges.

use std::collections::VecDeque;
use std::time::Instant;

use zeroize::Zeroizing;

use super::event::{CommandId, Event};
use super::pipeline::Kind;
use super::{Connection, Idle, Outstanding, Phase};
use crate::capability::{Capabilities, LiteralMode};
use crate::command::{Command, Encoder, Piece, Sasl, Unspeakable};
use crate::value::Fault;

/// Octets for the server; they may hold a password and are wiped when they go.
pub type Output = Zeroizing<Vec<u8>>;

/// Octets that are gathered before they are handed out.
const GATHER_BYTES: usize = 16 * 1024;

/// The largest literal that LITERAL- lets go at once, in octets (RFC 7888 5).
const MINUS_BYTES_MAX: usize = 4096;

/// A command that has not gone out yet.
#[derive(Debug)]
pub(super) struct Pending {
    id: CommandId,
    kind: Kind,
    pieces: VecDeque<Piece>,
    sasl: Option<Sasl>,
}

impl Pending {
    pub(super) fn new(id: CommandId, command: Command, utf8: bool) -> Result<Pending, Unspeakable> {
        let mut encoder = Encoder::new(utf8);
        command.encode(&mut encoder)?;
        let kind = Kind::of(&command);
        let sasl = match command {
            Command::Authenticate(sasl) => Some(sasl),
            _ => None,
        };
        Ok(Pending { id, kind, pieces: encoder.finish().into(), sasl })
    }

    pub(super) fn id(&self) -> CommandId {
        self.id
    }
}

/// A command the server must say "go ahead" to before it is out whole.
#[derive(Debug)]
pub(super) enum Sending {
    /// What follows its literal's announcement, the literal first.
    Literal { id: CommandId, rest: VecDeque<Piece> },
    /// A sign-in, with its message if that is still to be sent.
    Sasl { id: CommandId, sasl: Sasl, sent: bool },
}

impl Sending {
    pub(super) fn id(&self) -> CommandId {
        match self {
            Sending::Literal { id, .. } | Sending::Sasl { id, .. } => *id,
        }
    }
}

impl Connection {
    /// Sends what may be sent.
    pub(super) fn pump(&mut self, now: Instant) {
        while matches!(self.phase, Phase::SignedOut | Phase::SignedIn) && self.sending.is_none() {
            let Some(next) = self.waiting.front() else { return };
            if !self.outstanding.iter().all(|out| next.kind.may_join(out.kind)) {
                return;
            }
            let Some(next) = self.waiting.pop_front() else { return };
            self.start(next, now);
        }
    }

    fn start(&mut self, pending: Pending, now: Instant) {
        let Pending { id, kind, mut pieces, sasl } = pending;
        self.outstanding.push_back(Outstanding { id, kind, started: now, unread: 0 });
        if kind == Kind::Idle {
            self.idle = Some(Idle::Asked { done: false });
        }
        let tag = format!("{} ", id.tag());
        self.write(tag.as_bytes());
        if let Some(sasl) = sasl {
            self.start_sasl(id, sasl, &mut pieces);
        } else {
            self.write_pieces(id, pieces);
        }
    }

    fn start_sasl(&mut self, id: CommandId, sasl: Sasl, pieces: &mut VecDeque<Piece>) {
        if let Some(Piece::Text(verb)) = pieces.pop_front() {
            self.write(&verb);
        }
        let sent = self.capabilities().is_some_and(|known| known.offers("SASL-IR"));
        if sent {
            self.write(b" ");
            self.write_secret(sasl.response());
        }
        self.write(b"\r\n");
        self.sending = Some(Sending::Sasl { id, sasl, sent });
    }

    /// Writes pieces up to a literal that must wait, or to the end of the line.
    fn write_pieces(&mut self, id: CommandId, mut pieces: VecDeque<Piece>) {
        let mode = self.capabilities().map(Capabilities::literals).unwrap_or_default();
        while let Some(piece) = pieces.pop_front() {
            match piece {
                Piece::Text(text) => self.write_secret(text),
                Piece::Literal { octets, binary } => {
                    let at_once = match mode {
                        LiteralMode::Plus => true,
                        LiteralMode::Minus => octets.len() <= MINUS_BYTES_MAX,
                        LiteralMode::Wait => false,
                    };
                    let (tilde, plus) =
                        (if binary { "~" } else { "" }, if at_once { "+" } else { "" });
                    self.write(format!("{tilde}{{{}{plus}}}\r\n", octets.len()).as_bytes());
                    if !at_once {
                        pieces.push_front(Piece::Text(octets));
                        self.sending = Some(Sending::Literal { id, rest: pieces });
                        return;
                    }
                    self.write_secret(octets);
                }
            }
        }
        self.write(b"\r\n");
    }

    /// The server said "go ahead".
    pub(super) fn go_ahead(&mut self, now: Instant) {
        match self.sending.take() {
            Some(Sending::Literal { id, rest }) => {
                self.write_pieces(id, rest);
                self.pump(now);
            }
            Some(Sending::Sasl { id, sasl, sent }) => {
                if sent {
                    self.write(sasl.surrender());
                } else {
                    self.write_secret(sasl.response());
                }
                self.write(b"\r\n");
                self.sending = Some(Sending::Sasl { id, sasl, sent: true });
            }
            None => self.idling(now),
        }
    }

    fn idling(&mut self, now: Instant) {
        let id = self.outstanding.front().map(|one| one.id);
        match (self.idle, id) {
            (Some(Idle::Asked { done }), Some(id)) => {
                self.idle = Some(Idle::Since(now));
                self.event(0, Event::Idling(id));
                if done {
                    self.done(now);
                }
            }
            // More than one "go ahead" means nothing, but nobody asked for it either.
            _ => self.skipped(Fault::Malformed("continuation"), b"+"),
        }
    }

    /// Queues octets, with those before them where that saves a write.
    pub(super) fn write(&mut self, octets: &[u8]) {
        match self.output.back_mut() {
            Some(last) if last.len() + octets.len() <= last.capacity() => {
                last.extend_from_slice(octets);
            }
            _ => {
                let mut output = Zeroizing::new(Vec::with_capacity(GATHER_BYTES.max(octets.len())));
                output.extend_from_slice(octets);
                self.output.push_back(output);
            }
        }
    }

    /// Queues octets that may be secret or many: without another copy where they are many, and without one left behind.
    fn write_secret(&mut self, octets: Zeroizing<Vec<u8>>) {
        if octets.len() > GATHER_BYTES {
            self.output.push_back(octets);
        } else {
            self.write(&octets);
        }
    }
}
