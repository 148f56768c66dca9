//! The connection: a state machine between octets and commands.
//!
//! ```text
//!   handle_input, handle_eof, handle_timeout  ->  Connection  ->  poll_output, poll_event, poll_timeout
//!   submit, done, upgraded                    ->
//! ```
//!
//! - Every command submitted ends in exactly one [`Event::Done`]: the server's own OK, NO or BAD, or [`Outcome::Lost`] with the
//!   reason. Silence, a hung-up line and an answer nobody can read are never taken for success.
//! - Everything untagged comes out once, in the order it came in, between the ends of commands.
//! - What waits to be fetched is bounded: [`Connection::handle_input`] takes no more octets until events are fetched.

mod event;
mod pipeline;
mod send;

use std::collections::VecDeque;
use std::time::Instant;

pub use event::{CommandId, Done, Event, Lost, Outcome, Refused, Upgrade};
pub use send::Output;

use crate::capability::Capabilities;
use crate::command::Command;
use crate::frame::{Found, Frame, Framer};
use crate::limits::Limits;
use crate::response::{self, Code, Condition, Context, Response, Status, Untagged};
use crate::value::Fault;
use pipeline::Kind;
use send::{Pending, Sending};

/// What an event weighs beside the octets it was made from.
const EVENT_BYTES: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server has not spoken yet.
    Greeting,
    /// Nobody is signed in.
    SignedOut,
    /// Somebody is.
    SignedIn,
    /// The octets that follow are TLS, or compressed: not ours until [`Connection::upgraded`].
    Upgrading(Upgrade),
    /// It is over.
    Closed,
}

/// A command that is out.
#[derive(Debug)]
struct Outstanding {
    id: CommandId,
    kind: Kind,
    started: Instant,
    /// Responses that could not be read since it went out.
    unread: u32,
}

/// An IMAP connection, seen from the client.
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    framer: Framer,
    phase: Phase,
    capabilities: Option<Capabilities>,
    utf8: bool,
    selected: bool,
    next_id: u64,
    waiting: VecDeque<Pending>,
    outstanding: VecDeque<Outstanding>,
    sending: Option<Sending>,
    idle: Option<Idle>,
    output: VecDeque<Output>,
    events: VecDeque<(usize, Event)>,
    event_bytes: usize,
    progress: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// IDLE is out, the server has not agreed yet; is DONE wanted already?
    Asked { done: bool },
    /// The server agreed.
    Since(Instant),
    /// DONE is out.
    Done,
}

impl Connection {
    /// A connection that has just been made: the server speaks first.
    pub fn new(limits: Limits, now: Instant) -> Connection {
        Connection {
            limits,
            framer: Framer::new(limits),
            phase: Phase::Greeting,
            capabilities: None,
            utf8: false,
            selected: false,
            next_id: 1,
            waiting: VecDeque::new(),
            outstanding: VecDeque::new(),
            sending: None,
            idle: None,
            output: VecDeque::new(),
            events: VecDeque::new(),
            event_bytes: 0,
            progress: now,
        }
    }

    /// What the server can do, as far as it has said so since the last STARTTLS or sign-in.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.as_ref()
    }

    /// Is somebody signed in?
    pub fn is_signed_in(&self) -> bool {
        self.phase == Phase::SignedIn
    }

    /// Is a mailbox selected?
    pub fn is_selected(&self) -> bool {
        self.selected
    }

    /// Is it over?
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Has every command ended?
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.outstanding.is_empty()
    }

    /// Takes a command; it goes out as soon as those before it allow. It is spelt at once, so wait for the end of an ENABLE
    /// of UTF8=ACCEPT before the first command with a mailbox in it.
    pub fn submit(&mut self, command: Command, now: Instant) -> Result<CommandId, Refused> {
        let signs_in =
            matches!(command, Command::StartTls | Command::Login { .. } | Command::Authenticate(_));
        match self.phase {
            Phase::Closed => return Err(Refused::Closed),
            Phase::SignedIn if signs_in => return Err(Refused::WrongState),
            _ => {}
        }
        if self.waiting.len() + self.outstanding.len() >= self.limits.commands_max {
            return Err(Refused::TooMany);
        }
        let id = CommandId(self.next_id);
        let pending = Pending::new(id, command, self.utf8).map_err(|_| Refused::Unspeakable)?;
        self.next_id += 1;
        if self.is_idle() {
            self.progress = now;
        }
        self.waiting.push_back(pending);
        self.pump(now);
        Ok(id)
    }

    /// Ends an IDLE that is out; the IDLE ends by itself when the server agrees. Without one this does nothing.
    pub fn done(&mut self, now: Instant) {
        match self.idle {
            Some(Idle::Asked { .. }) => self.idle = Some(Idle::Asked { done: true }),
            Some(Idle::Since(_)) => {
                self.idle = Some(Idle::Done);
                self.progress = now;
                // However long it was idle: its end is due from now on.
                if let Some(idle) = self.outstanding.front_mut() {
                    idle.started = now;
                }
                self.write(b"DONE\r\n");
            }
            Some(Idle::Done) | None => {}
        }
    }

    /// The octets from here on are IMAP again, inside TLS or compression. What was known of the server before TLS is forgotten
    /// (RFC 9051 6.2.1).
    pub fn upgraded(&mut self, now: Instant) {
        if let Phase::Upgrading(upgrade) = self.phase {
            self.phase = match upgrade {
                Upgrade::Tls => Phase::SignedOut,
                Upgrade::Compression => Phase::SignedIn,
            };
            if upgrade == Upgrade::Tls {
                self.capabilities = None;
            }
            self.progress = now;
            self.pump(now);
        }
    }

    /// Takes octets from the server and gives how many it took. Fewer than all means: fetch events, or carry out the upgrade.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) -> usize {
        let mut taken = 0;
        while taken < input.len() && self.event_bytes < self.limits.queue_bytes_max {
            match self.phase {
                Phase::Closed => return input.len(),
                Phase::Upgrading(_) => break,
                _ => {}
            }
            let (n, found) = self.framer.push(&input[taken..]);
            taken += n;
            if let Some(found) = found {
                self.found(found, now);
            }
        }
        if taken > 0 {
            self.progress = now;
        }
        taken
    }

    /// The server has hung up, or the line broke.
    pub fn handle_eof(&mut self) {
        self.close(Lost::Eof);
    }

    /// Hangs up from our side: every command that is out is lost.
    pub fn abandon(&mut self) {
        self.close(Lost::Abandoned);
    }

    /// When [`Connection::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let silence = self.progress + self.limits.silence_max;
        match self.phase {
            Phase::Closed | Phase::Upgrading(_) => None,
            Phase::Greeting => Some(silence),
            _ => match (self.idle, self.outstanding.front()) {
                (Some(Idle::Since(since)), _) => Some(since + self.limits.idle_max),
                (_, Some(oldest)) => Some(silence.min(oldest.started + self.limits.command_max)),
                (_, None) => None,
            },
        }
    }

    /// Time has passed: an IDLE is renewed by its end, and a server that says nothing is given up.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        if self.event_bytes >= self.limits.queue_bytes_max {
            // It is us who do not listen.
            self.progress = now;
        } else if let Some(Idle::Since(_)) = self.idle {
            self.done(now);
        } else {
            self.close(Lost::Timeout);
        }
    }

    /// Octets for the server, if there are any.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        let output = self.output.pop_front()?;
        self.progress = now;
        Some(output)
    }

    /// What has happened, if anything has.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.poll_weighed_event().map(|(_, event)| event)
    }

    /// The same with the octets that it takes in memory, about: for who gathers events and must not gather without end.
    pub fn poll_weighed_event(&mut self) -> Option<(usize, Event)> {
        let (weight, event) = self.events.pop_front()?;
        self.event_bytes -= weight;
        Some((weight, event))
    }

    /// Octets have gone out: a large literal on a slow line is no silence.
    pub fn handle_sent(&mut self, now: Instant) {
        self.progress = now;
    }

    fn event(&mut self, octets: usize, event: Event) {
        let weight = EVENT_BYTES + octets;
        self.event_bytes += weight;
        self.events.push_back((weight, event));
    }

    fn context(&self) -> Context {
        Context { limits: self.limits, utf8: self.utf8 }
    }

    fn found(&mut self, found: Found, now: Instant) {
        match found {
            Found::Response(frame) => match response::read(&frame, &self.context()) {
                Ok(response) => self.response(response, weight(&frame), now),
                Err(fault) => self.skipped(fault, &frame.text),
            },
            Found::LiteralStart { so_far, id, length } => {
                let fetch = response::read_partial(&so_far, &self.context());
                self.event(weight(&so_far), Event::LiteralStart { literal: id, length, fetch });
            }
            Found::LiteralPiece { id, octets, last } => {
                self.event(octets.len(), Event::LiteralPiece { literal: id, octets, last });
            }
            Found::TooLarge(head) => self.skipped(Fault::TooLarge, &head),
        }
    }

    fn skipped(&mut self, fault: Fault, text: &[u8]) {
        if self.phase == Phase::Greeting {
            return self.close(Lost::Unexpected("greeting"));
        }
        for one in &mut self.outstanding {
            one.unread = one.unread.saturating_add(1);
        }
        let head = String::from_utf8_lossy(&text[..text.len().min(crate::frame::HEAD_BYTES)]);
        self.event(head.len(), Event::Skipped { fault, head: head.into_owned() });
    }

    fn response(&mut self, response: Response, weight: usize, now: Instant) {
        if self.phase == Phase::Greeting {
            return self.greeting(response, now);
        }
        match response {
            Response::Continue(_) => self.go_ahead(now),
            Response::Tagged { tag, status } => self.tagged(&tag, status, now),
            Response::Untagged(untagged) => self.untagged(untagged, weight),
        }
    }

    fn greeting(&mut self, response: Response, now: Instant) {
        let Response::Untagged(Untagged::Status(status)) = response else {
            return self.close(Lost::Unexpected("greeting"));
        };
        self.note_capabilities(&status);
        match status.condition {
            Condition::Ok => self.phase = Phase::SignedOut,
            Condition::Preauth => self.phase = Phase::SignedIn,
            Condition::Bye => {
                self.event(status.text.len(), Event::Untagged(Untagged::Status(status)));
                return self.close(Lost::Bye);
            }
            Condition::No | Condition::Bad => return self.close(Lost::Unexpected("greeting")),
        }
        self.event(status.text.len(), Event::Greeting(status));
        self.pump(now);
    }

    fn note_capabilities(&mut self, status: &Status) {
        if let Some(Code::Capability(capabilities)) = &status.code {
            self.capabilities = Some(capabilities.clone());
        }
    }

    fn untagged(&mut self, untagged: Untagged, weight: usize) {
        let mut is_bye = false;
        match &untagged {
            Untagged::Capability(capabilities) => self.capabilities = Some(capabilities.clone()),
            Untagged::Enabled(names) if self.is_out(Kind::Enable) => {
                self.utf8 |= names.iter().any(|name| name.eq_ignore_ascii_case("UTF8=ACCEPT"));
            }
            Untagged::Status(status) => {
                self.note_capabilities(status);
                is_bye = status.condition == Condition::Bye;
            }
            _ => {}
        }
        self.event(weight, Event::Untagged(untagged));
        // After our own LOGOUT the BYE is polite and the OK still to come.
        if is_bye && !self.is_out(Kind::Logout) {
            self.close(Lost::Bye);
        }
    }

    fn is_out(&self, kind: Kind) -> bool {
        self.outstanding.iter().any(|one| one.kind == kind)
    }

    fn tagged(&mut self, tag: &[u8], status: Status, now: Instant) {
        let at = self.outstanding.iter().position(|one| one.id.tag().as_bytes() == tag);
        let Some(ended) = at.and_then(|at| self.outstanding.remove(at)) else {
            return self.skipped(Fault::Malformed("tag"), tag);
        };
        if self.sending.as_ref().is_some_and(|sending| sending.id() == ended.id) {
            self.sending = None;
        }
        let is_ok = status.condition == Condition::Ok;
        self.ended(ended.kind, is_ok);
        self.note_capabilities(&status);
        let outcome = match status.condition {
            Condition::Ok => Outcome::Ok(status),
            Condition::No => Outcome::No(status),
            _ => Outcome::Bad(status),
        };
        let done = Done { id: ended.id, outcome, unread: ended.unread };
        self.event(0, Event::Done(Box::new(done)));
        match (ended.kind, is_ok) {
            (Kind::StartTls, true) => self.upgrade(Upgrade::Tls),
            (Kind::Compress, true) => self.upgrade(Upgrade::Compression),
            (Kind::Logout, _) => self.close(Lost::Bye),
            _ => self.pump(now),
        }
    }

    /// What the end of a command means for the connection.
    fn ended(&mut self, kind: Kind, is_ok: bool) {
        match kind {
            Kind::SignIn if is_ok => {
                self.phase = Phase::SignedIn;
                self.capabilities = None;
            }
            // A SELECT that fails leaves nothing selected (RFC 9051 6.3.2).
            Kind::Select => self.selected = is_ok,
            Kind::Unselect if is_ok => self.selected = false,
            Kind::Idle => self.idle = None,
            _ => {}
        }
    }

    fn upgrade(&mut self, upgrade: Upgrade) {
        self.phase = Phase::Upgrading(upgrade);
        self.event(0, Event::Upgrade(upgrade));
    }

    fn close(&mut self, lost: Lost) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.sending = None;
        self.idle = None;
        self.selected = false;
        self.output.clear();
        let out = std::mem::take(&mut self.outstanding);
        let waiting = std::mem::take(&mut self.waiting);
        let out = out.into_iter().map(|one| (one.id, one.unread, Outcome::Lost(lost)));
        let unsent = waiting.into_iter().map(|one| (one.id(), 0, Outcome::Unsent(lost)));
        for (id, unread, outcome) in out.chain(unsent).collect::<Vec<_>>() {
            self.event(0, Event::Done(Box::new(Done { id, outcome, unread })));
        }
        self.event(0, Event::Closed(lost));
    }
}

fn weight(frame: &Frame) -> usize {
    let kept = frame.literals.iter().map(|(_, literal)| match literal {
        crate::frame::Literal::Kept(octets) => octets.len(),
        crate::frame::Literal::Streamed { .. } => 0,
    });
    // A tree of short values weighs more than its text.
    frame.text.len() * 4 + kept.sum::<usize>()
}
