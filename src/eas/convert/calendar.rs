//! A calendar object (RFC 5545) in a mail: its first event, line by line, and the zones the lines name.
//!
//! Guarantees: whatever a stranger wrote, reading ends, within stated numbers of lines, depths and zones, and nothing panics.

use std::collections::HashMap;

use activesync::types::DateTime;

use super::time_zone::{Daylight, Turn, Zone};

/// One line of a calendar object.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    parameters: Vec<(String, String)>,
    pub(super) value: String,
}

impl Line {
    fn parse(text: &str) -> Option<Line> {
        let mut quoted = false;
        let colon = text.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == ':' && !quoted
        });
        let (head, value) = text.split_at(colon?.0);
        let mut pieces = head.split(';');
        let name = pieces.next()?.trim().to_ascii_uppercase();
        let parameter = |piece: &str| {
            let (key, value) = piece.split_once('=')?;
            Some((key.trim().to_ascii_uppercase(), value.trim_matches('"').to_owned()))
        };
        Some(Line {
            name,
            parameters: pieces.filter_map(parameter).collect(),
            value: value[1..].trim().to_owned(),
        })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A date or a date with a time, in milliseconds as if it were UTC.
    pub(super) fn local_ms(&self) -> Option<i64> {
        let text = self.value.trim_end_matches('Z');
        let text = if text.contains('T') { format!("{text}Z") } else { format!("{text}T000000Z") };
        DateTime::parse(&text).ok().map(DateTime::ms)
    }

    /// The text with its escapes undone (RFC 5545 3.3.11).
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.value.len());
        let mut chars = self.value.chars();
        while let Some(c) = chars.next() {
            match (c, if c == '\\' { chars.next() } else { None }) {
                ('\\', Some('n' | 'N')) => text.push('\n'),
                ('\\', Some(other)) => text.push(other),
                ('\\', None) => {}
                (plain, _) => text.push(plain),
            }
        }
        text
    }
}

/// The first event of an object, and the zones it names.
pub(super) struct Event {
    pub(super) lines: Vec<Line>,
    /// Of its first alarm.
    pub(super) trigger: Option<String>,
    zones: HashMap<String, Zone>,
}

impl Event {
    pub(super) fn read(calendar: &str) -> Option<Event> {
        let unfolded = calendar.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
        let lines = unfolded.lines().take(LINES_MAX).filter_map(Line::parse);
        let mut event = Event { lines: Vec::new(), trigger: None, zones: HashMap::new() };
        let mut path: Vec<String> = Vec::new();
        let (mut zone, mut done) = (ZoneReader::default(), false);
        for line in lines {
            match line.name.as_str() {
                "BEGIN" if path.len() < DEPTH_MAX => path.push(line.value.to_ascii_uppercase()),
                "BEGIN" => return None,
                "END" => match path.pop().as_deref() {
                    Some("VEVENT") => done = true,
                    Some("VTIMEZONE") => zone.finish(&mut event.zones),
                    Some("STANDARD" | "DAYLIGHT") => zone.finish_observance(),
                    _ => {}
                },
                _ => match path.last().map(String::as_str) {
                    Some("VEVENT") if !done => event.lines.push(line),
                    Some("VALARM") if !done && line.name == "TRIGGER" => {
                        event.trigger.get_or_insert(line.value);
                    }
                    Some(kind @ ("VTIMEZONE" | "STANDARD" | "DAYLIGHT")) => zone.take(kind, &line),
                    _ => {}
                },
            }
        }
        event.line("DTSTART").and_then(Line::local_ms)?;
        Some(event)
    }

    pub(super) fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.line(name).map(|line| line.value.as_str())
    }

    pub(super) fn zone(&self, line: &Line) -> Zone {
        let named = line.parameter("TZID").and_then(|name| self.zones.get(name));
        named.copied().unwrap_or_default()
    }

    /// The moment a line names, in UTC.
    pub(super) fn moment(&self, line: &Line) -> Option<DateTime> {
        let local = line.local_ms()?;
        let is_utc = line.value.ends_with('Z');
        Some(DateTime::from_ms(if is_utc { local } else { self.zone(line).to_utc(local) }))
    }
}

/// Collects the observances of one VTIMEZONE; the latest of each kind that began is the one that counts.
#[derive(Default)]
struct ZoneReader {
    name: String,
    current: Observance,
    standard: Option<Observance>,
    daylight: Option<Observance>,
}

#[derive(Clone, Default)]
struct Observance {
    is_daylight: bool,
    start: i64,
    minutes: i32,
    turn: Option<Turn>,
    rule: String,
}

impl ZoneReader {
    fn take(&mut self, kind: &str, line: &Line) {
        self.current.is_daylight = kind == "DAYLIGHT";
        match line.name.as_str() {
            "TZID" if kind == "VTIMEZONE" => self.name.clone_from(&line.value),
            "DTSTART" => self.current.start = line.local_ms().unwrap_or(0),
            "TZOFFSETTO" => self.current.minutes = offset_minutes(&line.value).unwrap_or(0),
            "RRULE" => self.current.rule.clone_from(&line.value),
            _ => {}
        }
    }

    fn finish_observance(&mut self) {
        let mut observance = std::mem::take(&mut self.current);
        observance.turn = Some(turn(&observance));
        let slot = if observance.is_daylight { &mut self.daylight } else { &mut self.standard };
        if slot.as_ref().is_none_or(|known| known.start <= observance.start) {
            *slot = Some(observance);
        }
    }

    fn finish(&mut self, zones: &mut HashMap<String, Zone>) {
        let ZoneReader { name, standard, daylight, .. } = std::mem::take(self);
        let zone = match (standard, daylight) {
            (Some(standard), Some(daylight)) => Zone {
                standard_minutes: standard.minutes,
                daylight: daylight.turn.zip(standard.turn).map(|(begins, ends)| Daylight {
                    minutes: daylight.minutes,
                    begins,
                    ends,
                }),
            },
            (Some(only), None) | (None, Some(only)) => {
                Zone { standard_minutes: only.minutes, daylight: None }
            }
            (None, None) => return,
        };
        if zones.len() < ZONES_MAX {
            zones.insert(name, zone);
        }
    }
}

/// When the observance begins each year: by its rule where that is simple, else by its first day.
fn turn(observance: &Observance) -> Turn {
    let mut turn = Turn::of(observance.start);
    let rule = Rule::parse(&observance.rule);
    if let Some(month) = rule.number("BYMONTH").and_then(|m| u16::try_from(m).ok())
        && (1..=12).contains(&month)
    {
        turn.month = month;
    }
    if let Some((nth, days)) = rule.days().first().and_then(|day| day.nth.zip(Some(day.mask))) {
        turn.weekday = u16::try_from(days.trailing_zeros()).unwrap_or(0);
        turn.nth = if nth < 0 { 5 } else { u16::try_from(nth.clamp(1, 5)).unwrap_or(1) };
    }
    turn
}

fn offset_minutes(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits.get(2..4)?.parse().ok()?;
    Some(sign * (hours.min(23) * 60 + minutes.min(59)))
}

/// An RRULE, by its parts.
pub(super) struct Rule<'a>(Vec<(&'a str, &'a str)>);

pub(super) struct ByDay {
    pub(super) nth: Option<i32>,
    pub(super) mask: u32,
}

impl<'a> Rule<'a> {
    pub(super) fn parse(text: &'a str) -> Rule<'a> {
        Rule(text.split(';').filter_map(|part| part.split_once('=')).take(RULE_PARTS_MAX).collect())
    }

    pub(super) fn part(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    pub(super) fn number(&self, name: &str) -> Option<i32> {
        self.part(name)?.split(',').next()?.parse().ok()
    }

    pub(super) fn positive(&self, name: &str) -> Option<u32> {
        self.number(name).and_then(|number| u32::try_from(number).ok())
    }

    pub(super) fn days(&self) -> Vec<ByDay> {
        let days = self.part("BYDAY").unwrap_or_default().split(',').take(RULE_PARTS_MAX);
        let read = |day: &str| {
            let split = day.len().checked_sub(2)?;
            let (nth, name) = (day.get(..split)?, day.get(split..)?);
            let at = WEEKDAYS.iter().position(|known| known.eq_ignore_ascii_case(name))?;
            Some(ByDay { nth: nth.parse().ok(), mask: 1 << at })
        };
        days.filter_map(read).collect()
    }
}

/// Days of the week as calendars write them.
pub(super) const WEEKDAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
/// Lines of a calendar object that are read.
const LINES_MAX: usize = 20_000;
/// Components inside components.
const DEPTH_MAX: usize = 8;
/// Zones of an object that are kept.
const ZONES_MAX: usize = 16;
/// Parts of a recurrence rule, and days in it.
const RULE_PARTS_MAX: usize = 64;
