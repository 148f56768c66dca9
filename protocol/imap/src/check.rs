//! What must hold for any octets a server can send: the body of the fuzz target, which tests replay over seeds.

use std::time::{Duration, Instant};

use crate::command::{Command, FetchItem, Ids};
use crate::connection::{Connection, Event};
use crate::limits::Limits;
use crate::response::Section;
use crate::set::NumberSet;

/// Limits low enough for short inputs to reach them.
pub const TIGHT: Limits = Limits {
    line_bytes_max: 400,
    literal_kept_bytes: 16,
    literals_bytes_max: 40,
    depth_max: 6,
    values_max: 60,
    ranges_max: 8,
    queue_bytes_max: 4 * 1024,
    commands_max: 4,
    silence_max: Duration::from_secs(60),
    command_max: Duration::from_secs(600),
    idle_max: Duration::from_secs(1_000),
};

/// Any octets end in the same events however they are cut, every command ends once, and limits hold.
///
/// # Panics
/// If any of that does not hold.
pub fn any_input(input: &[u8]) {
    for limits in [Limits::DEFAULT, TIGHT] {
        let whole = events(input, input.len().max(1), limits);
        assert_eq!(events(input, 1, limits), whole, "octet by octet");
        let step = usize::from(input.first().copied().unwrap_or(7)) % 13 + 2;
        assert_eq!(events(input, step, limits), whole, "{step} octets at a time");
        let ends = whole.iter().filter(|event| matches!(event, Event::Done(_))).count();
        assert_eq!(ends, commands().len(), "every command ends once");
        let closed = whole.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        assert!(closed == 1 && matches!(whole.last(), Some(Event::Closed(_))), "and then no more");
    }
}

fn commands() -> [Command; 4] {
    let uids = Ids::Uids(NumberSet::all());
    let content = FetchItem::Content { section: Section::whole(), partial: None };
    [
        Command::Capability,
        Command::Fetch {
            ids: uids,
            items: vec![FetchItem::Flags, content],
            changed_since: None,
            vanished: false,
        },
        Command::Append {
            mailbox: crate::Mailbox::inbox(),
            flags: Vec::new(),
            date: None,
            octets: b"Subject: x\r\n\r\nx".to_vec(),
        },
        Command::Idle,
    ]
}

fn events(input: &[u8], step: usize, limits: Limits) -> Vec<Event> {
    let now = Instant::now();
    let mut connection = Connection::new(limits, now);
    for command in commands() {
        connection.submit(command, now).expect("they can be spelt");
    }
    let mut events = Vec::new();
    for piece in input.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = connection.handle_input(rest, now);
            rest = &rest[taken..];
            while connection.poll_output(now).is_some() {}
            let before = events.len();
            while let Some(event) = connection.poll_event() {
                held(&event, limits);
                events.push(event);
            }
            assert!(taken > 0 || events.len() > before, "it goes on");
        }
    }
    connection.handle_eof();
    events.extend(std::iter::from_fn(|| connection.poll_event()));
    events
}

fn held(event: &Event, limits: Limits) {
    match event {
        Event::LiteralPiece { octets, .. } => assert!(octets.len() <= limits.literal_kept_bytes),
        Event::Untagged(crate::Untagged::Vanished { uids, .. }) => {
            assert!(uids.ranges().len() <= limits.ranges_max);
        }
        _ => {}
    }
}
