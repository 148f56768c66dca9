//! The invitation in a mail ([MS-ASEMAIL] 2.2.2.48): read from its calendar object (RFC 5545), as far as phones need it.

use std::collections::HashMap;

use activesync::item::meeting_request::{Location, MeetingRequest, Recurrence, Recurrences};
use activesync::types::DateTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::email::time;
use super::time_zone::{DAY_MS, Daylight, Turn, Zone, weekday};
use crate::clock::Timestamp;
use crate::message::{Address, Message};

/// The meeting a request or a cancellation is about; `None` for other mail and for objects without a start.
pub(super) fn request(message: &Message, received: Timestamp) -> Option<MeetingRequest> {
    let class = message.message_class();
    if class != "IPM.Schedule.Meeting.Request" && class != "IPM.Schedule.Meeting.Canceled" {
        return None;
    }
    let event = Event::read(&message.calendar()?)?;
    Some(event.request(received))
}

/// One line of a calendar object.
#[derive(Clone, Debug)]
struct Line {
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
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

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A date or a date with a time, in milliseconds as if it were UTC.
    fn local_ms(&self) -> Option<i64> {
        let text = self.value.trim_end_matches('Z');
        let text = if text.contains('T') { format!("{text}Z") } else { format!("{text}T000000Z") };
        DateTime::parse(&text).ok().map(DateTime::ms)
    }

    /// The text with its escapes undone (RFC 5545 3.3.11).
    fn text(&self) -> String {
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
struct Event {
    lines: Vec<Line>,
    trigger: Option<String>,
    zones: HashMap<String, Zone>,
}

impl Event {
    fn read(calendar: &str) -> Option<Event> {
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

    fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.line(name).map(|line| line.value.as_str())
    }

    fn zone(&self, line: &Line) -> Zone {
        let named = line.parameter("TZID").and_then(|name| self.zones.get(name));
        named.copied().unwrap_or_default()
    }

    /// The moment a line names, in UTC.
    fn moment(&self, line: &Line) -> Option<DateTime> {
        let local = line.local_ms()?;
        let is_utc = line.value.ends_with('Z');
        Some(DateTime::from_ms(if is_utc { local } else { self.zone(line).to_utc(local) }))
    }

    fn request(&self, received: Timestamp) -> MeetingRequest {
        let start = self.line("DTSTART");
        let is_day = start.is_some_and(|line| !line.value.contains('T'));
        let start_time = start.and_then(|line| self.moment(line));
        let zone = start.map(|line| self.zone(line)).unwrap_or_default();
        let uid = self.value("UID").unwrap_or_default();
        let place = self.line("LOCATION").map(Line::text).filter(|place| !place.is_empty());
        let place = place.map(|place| cut(&place, LOCATION_CHARS_MAX));
        let recurrence = self.recurrence();
        let exception = self.line("RECURRENCE-ID");
        let instance = match (&recurrence, exception) {
            (_, Some(_)) => 3,
            (Some(_), None) => 1,
            (None, None) => 0,
        };
        let sequence = self.value("SEQUENCE").and_then(|text| text.parse::<u32>().ok());
        let stamp = self.line("DTSTAMP").and_then(|line| self.moment(line));
        MeetingRequest {
            all_day_event: Some(u8::from(is_day)),
            start_time,
            dt_stamp: stamp.or(Some(time(received))),
            end_time: self.end(start_time, is_day),
            instance_type: Some(instance),
            location: place
                .clone()
                .map(|name| Location { display_name: Some(name), ..Location::default() }),
            location_text: place,
            organizer: self.line("ORGANIZER").map(organizer),
            recurrence_id: exception.and_then(|line| self.moment(line)),
            reminder_s: self.trigger.as_deref().and_then(seconds_before),
            response_requested: Some(u8::from(self.wants_answer())),
            recurrences: recurrence.map(|rule| Recurrences { rules: vec![rule] }),
            sensitivity: Some(self.sensitivity()),
            busy_status: Some(self.busy()),
            time_zone: Some(zone.structure()),
            global_obj_id: Some(STANDARD.encode(global_object_id(uid))),
            uid: Some(uid_for_16(uid)),
            disallow_new_time_proposal: Some(u8::from(
                self.value("X-MICROSOFT-DISALLOW-COUNTER")
                    .is_some_and(|yes| yes.eq_ignore_ascii_case("true")),
            )),
            meeting_message_type: Some(if sequence.unwrap_or(0) > 0 { 2 } else { 1 }),
            ..MeetingRequest::default()
        }
    }

    fn end(&self, start: Option<DateTime>, is_day: bool) -> Option<DateTime> {
        if let Some(end) = self.line("DTEND").and_then(|line| self.moment(line)) {
            return Some(end);
        }
        let lasts = self.value("DURATION").and_then(duration_s).map(|s| s.saturating_mul(1000));
        let lasts = lasts.unwrap_or(if is_day { DAY_MS } else { 0 });
        start.map(|start| DateTime::from_ms(start.ms().saturating_add(lasts)))
    }

    fn wants_answer(&self) -> bool {
        let attendees = self.lines.iter().filter(|line| line.name == "ATTENDEE");
        attendees
            .filter_map(|line| line.parameter("RSVP"))
            .any(|yes| yes.eq_ignore_ascii_case("true"))
    }

    fn sensitivity(&self) -> u32 {
        match self.value("CLASS").unwrap_or_default().to_ascii_uppercase().as_str() {
            "PRIVATE" => 2,
            "CONFIDENTIAL" => 3,
            _ => 0,
        }
    }

    fn busy(&self) -> u32 {
        let stated = self
            .value("X-MICROSOFT-CDO-INTENDEDSTATUS")
            .or(self.value("X-MICROSOFT-CDO-BUSYSTATUS"))
            .unwrap_or_default();
        match stated.to_ascii_uppercase().as_str() {
            "FREE" => 0,
            "TENTATIVE" => 1,
            "BUSY" => 2,
            "OOF" => 3,
            "WORKINGELSEWHERE" => 4,
            _ if self.value("TRANSP").is_some_and(|t| t.eq_ignore_ascii_case("transparent")) => 0,
            _ => 2,
        }
    }

    fn recurrence(&self) -> Option<Recurrence> {
        let start = self.line("DTSTART")?.local_ms()?;
        recurrence(self.value("RRULE")?, start)
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
struct Rule<'a>(Vec<(&'a str, &'a str)>);

struct ByDay {
    nth: Option<i32>,
    mask: u32,
}

impl<'a> Rule<'a> {
    fn parse(text: &'a str) -> Rule<'a> {
        Rule(text.split(';').filter_map(|part| part.split_once('=')).take(RULE_PARTS_MAX).collect())
    }

    fn part(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.part(name)?.split(',').next()?.parse().ok()
    }

    fn positive(&self, name: &str) -> Option<u32> {
        self.number(name).and_then(|number| u32::try_from(number).ok())
    }

    fn days(&self) -> Vec<ByDay> {
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

/// A rule as phones know it; `None` for one they have no words for.
fn recurrence(text: &str, start: i64) -> Option<Recurrence> {
    let rule = Rule::parse(text);
    let days = rule.days();
    let mask = days.iter().fold(0, |mask, day| mask | day.mask);
    let start_mask = 1_u32 << weekday(start);
    let start_text = DateTime::from_ms(start).compact();
    let (month, day) = (start_text[4..6].parse().ok()?, start_text[6..8].parse().ok()?);
    let nth = days.first().and_then(|day| day.nth).or(rule.number("BYSETPOS"));
    let week = nth.map(|nth| if nth < 0 { 5 } else { u32::try_from(nth).unwrap_or(1).clamp(1, 5) });
    let mut found = Recurrence {
        interval: Some(rule.positive("INTERVAL").unwrap_or(1)),
        occurrences: rule.positive("COUNT"),
        until: rule.part("UNTIL").map(|until| {
            if until.contains('T') { until.to_owned() } else { format!("{until}T000000Z") }
        }),
        calendar_type: Some(1),
        ..Recurrence::default()
    };
    let monthday = rule.positive("BYMONTHDAY").unwrap_or(day);
    let kind = match rule.part("FREQ")?.to_ascii_uppercase().as_str() {
        "DAILY" if mask == 0 => 0,
        "DAILY" | "WEEKLY" => 1,
        "MONTHLY" if mask == 0 => 2,
        "MONTHLY" => 3,
        "YEARLY" if mask == 0 => 5,
        "YEARLY" => 6,
        _ => return None,
    };
    found.recurrence_type = Some(kind);
    if matches!(kind, 0 | 1) {
        found.calendar_type = None;
    }
    match kind {
        1 => {
            found.day_of_week = Some(if mask == 0 { start_mask } else { mask });
            let first = rule.part("WKST").and_then(|name| {
                WEEKDAYS.iter().position(|known| known.eq_ignore_ascii_case(name))
            });
            found.first_day_of_week = first.and_then(|at| u8::try_from(at).ok());
        }
        2 | 5 => found.day_of_month = Some(monthday),
        3 | 6 => {
            found.day_of_week = Some(mask);
            found.week_of_month = Some(week.unwrap_or(1));
        }
        _ => {}
    }
    if kind >= 5 {
        found.month_of_year = Some(rule.positive("BYMONTH").unwrap_or(month));
    }
    Some(found)
}

fn organizer(line: &Line) -> String {
    let address = line.value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let address = if address.is_some() { &line.value[7..] } else { &line.value };
    let name = line.parameter("CN").map(str::to_owned).filter(|name| !name.is_empty());
    Address { name, address: address.to_owned() }.formatted()
}

/// A duration before the start, in seconds; none for a trigger after it or at a fixed time.
fn seconds_before(trigger: &str) -> Option<u32> {
    let seconds = duration_s(trigger)?;
    u32::try_from(-seconds).ok()
}

/// A duration (RFC 5545 3.3.6) in seconds.
fn duration_s(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mut total, mut number, mut digits) = (0_i64, 0_i64, 0);
    for c in rest.strip_prefix('P')?.chars() {
        if let Some(digit) = c.to_digit(10) {
            digits += 1;
            if digits > DURATION_DIGITS_MAX {
                return None;
            }
            number = number * 10 + i64::from(digit);
            continue;
        }
        let unit = match c {
            'W' => 7 * 86_400,
            'D' => 86_400,
            'H' => 3_600,
            'M' => 60,
            'S' => 1,
            'T' => 0,
            _ => return None,
        };
        total += number * unit;
        (number, digits) = (0, 0);
    }
    Some(sign * total)
}

/// What names the meeting up to 14.1 ([MS-ASEMAIL] 2.2.2.37): Outlook's own id, or the UID in Outlook's wrapping.
fn global_object_id(uid: &str) -> Vec<u8> {
    if let Some(octets) = outlook_id(uid) {
        return octets;
    }
    let data = [b"vCal-Uid\x01\0\0\0".as_slice(), uid.as_bytes(), b"\0"].concat();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    [&CLASS_ID[..], &[0; 20], &length.to_le_bytes(), &data].concat()
}

/// What names the meeting from 16.0: the UID; of Outlook's own id without the date of the instance.
fn uid_for_16(uid: &str) -> String {
    let Some(mut octets) = outlook_id(uid) else { return uid.to_owned() };
    octets[16..20].fill(0);
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

fn outlook_id(uid: &str) -> Option<Vec<u8>> {
    if !uid.is_ascii()
        || !uid.len().is_multiple_of(2)
        || uid.len() < 80
        || uid.len() > UID_CHARS_MAX
    {
        return None;
    }
    let octets = (0..uid.len()).step_by(2).map(|at| u8::from_str_radix(&uid[at..at + 2], 16).ok());
    octets.collect::<Option<Vec<u8>>>().filter(|octets| octets.starts_with(&CLASS_ID))
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

const WEEKDAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
/// What every Outlook id begins with ([MS-OXOCAL] 2.2.1.27).
const CLASS_ID: [u8; 16] =
    [0x04, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08];
/// Lines of a calendar object that are read.
const LINES_MAX: usize = 20_000;
/// Components inside components.
const DEPTH_MAX: usize = 8;
/// Zones of an object that are kept.
const ZONES_MAX: usize = 16;
/// Parts of a recurrence rule, and days in it.
const RULE_PARTS_MAX: usize = 64;
/// Characters of a place ([MS-ASEMAIL] 2.2.2.46).
const LOCATION_CHARS_MAX: usize = 32_768;
/// Characters of an Outlook id in hexadecimal.
const UID_CHARS_MAX: usize = 4_096;
/// Digits of one number of a duration.
const DURATION_DIGITS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const INVITATION: &str = "From: chris@contoso.example
Subject: Planning
MIME-Version: 1.0
Content-Type: text/calendar; method=REQUEST; charset=utf-8

BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN=\"Gray, Chris\":mailto:chris@contoso.example
ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE;CN=\"A:B\":mailto:anat@contoso.example
UID:meeting-uid-1@contoso.example
RRULE:FREQ=WEEKLY;UNTIL=20261231T080000Z;BYDAY=WE;WKST=MO
DTSTART;TZID=W. Europe Standard Time:20260401T100000
DTEND;TZID=W. Europe Standard Time:20260401T110000
DTSTAMP:20260302T091500Z
LOCATION:Room 4\\, left
 wing
CLASS:PUBLIC
SEQUENCE:0
BEGIN:VALARM
TRIGGER:-PT15M
END:VALARM
END:VEVENT
END:VCALENDAR
";

    fn read(text: &str) -> Option<MeetingRequest> {
        let raw = Bytes::from(text.replace('\n', "\r\n"));
        request(&Message::parse(raw).unwrap(), Timestamp(0))
    }

    #[test]
    fn an_invitation_of_outlook_is_read_whole() {
        let meeting = read(INVITATION).unwrap();
        assert_eq!(meeting.start_time.unwrap().to_string(), "2026-04-01T08:00:00.000Z");
        assert_eq!(meeting.end_time.unwrap().to_string(), "2026-04-01T09:00:00.000Z");
        assert_eq!(meeting.dt_stamp.unwrap().to_string(), "2026-03-02T09:15:00.000Z");
        assert_eq!((meeting.all_day_event, meeting.instance_type), (Some(0), Some(1)));
        assert_eq!(meeting.location_text.as_deref(), Some("Room 4, leftwing"));
        assert_eq!(meeting.organizer.as_deref(), Some("\"Gray, Chris\" <chris@contoso.example>"));
        assert_eq!((meeting.reminder_s, meeting.response_requested), (Some(900), Some(1)));
        assert_eq!((meeting.sensitivity, meeting.busy_status), (Some(0), Some(2)));
        assert_eq!(meeting.meeting_message_type, Some(1));
        assert_eq!(meeting.uid.as_deref(), Some("meeting-uid-1@contoso.example"));
        let rule = &meeting.recurrences.unwrap().rules[0];
        assert_eq!((rule.recurrence_type, rule.day_of_week), (Some(1), Some(8)));
        assert_eq!((rule.interval, rule.first_day_of_week), (Some(1), Some(1)));
        assert_eq!(rule.until.as_deref(), Some("20261231T080000Z"));
        let zone = STANDARD.decode(meeting.time_zone.unwrap()).unwrap();
        assert_eq!(zone[..4], (-60_i32).to_le_bytes());
        assert_eq!(zone[70..76], [10, 0, 0, 0, 5, 0]);
    }

    #[test]
    fn other_mail_has_no_meeting_and_broken_objects_none_either() {
        assert!(read(&INVITATION.replace("REQUEST", "PUBLISH")).is_none());
        assert!(read(&INVITATION.replace("DTSTART;TZID=W. Europe", "X-START;Y=")).is_none());
        assert!(read("Subject: hello\n\nhello\n").is_none());
        let deep = "BEGIN:X\n".repeat(100);
        assert!(read(&INVITATION.replace("BEGIN:VEVENT\n", &deep)).is_none());
    }

    #[test]
    fn all_day_events_and_durations() {
        let day = INVITATION
            .replace(
                "DTSTART;TZID=W. Europe Standard Time:20260401T100000",
                "DTSTART;VALUE=DATE:20260401",
            )
            .replace("DTEND;TZID=W. Europe Standard Time:20260401T110000\n", "");
        let meeting = read(&day).unwrap();
        assert_eq!(meeting.all_day_event, Some(1));
        assert_eq!(meeting.end_time.unwrap().to_string(), "2026-04-02T00:00:00.000Z");
        assert_eq!(duration_s("P1DT2H3M4S"), Some(93_784));
        assert_eq!(seconds_before("PT5M"), None);
        assert_eq!(seconds_before("-P1W"), Some(604_800));
        assert_eq!(duration_s("P99999999999D"), None);
    }

    #[test]
    fn rules_become_the_words_phones_have() {
        let of = |text: &str| {
            let rule = recurrence(text, DateTime::parse("20260401T100000Z").unwrap().ms())?;
            let place =
                (rule.day_of_month, rule.week_of_month, rule.day_of_week, rule.month_of_year);
            Some((rule.recurrence_type?, place))
        };
        assert_eq!(of("FREQ=DAILY"), Some((0, (None, None, None, None))));
        assert_eq!(of("FREQ=WEEKLY"), Some((1, (None, None, Some(8), None))));
        assert_eq!(of("FREQ=MONTHLY"), Some((2, (Some(1), None, None, None))));
        assert_eq!(of("FREQ=MONTHLY;BYDAY=-1FR"), Some((3, (None, Some(5), Some(32), None))));
        assert_eq!(of("FREQ=YEARLY"), Some((5, (Some(1), None, None, Some(4)))));
        assert_eq!(
            of("FREQ=YEARLY;BYDAY=2MO;BYMONTH=5"),
            Some((6, (None, Some(2), Some(2), Some(5))))
        );
        assert_eq!(of("FREQ=HOURLY"), None);
    }

    #[test]
    fn meetings_are_named_for_old_and_new_phones() {
        let wrapped = global_object_id("abc");
        assert_eq!(wrapped.len(), 40 + 12 + 3 + 1);
        assert_eq!((&wrapped[40..48], wrapped[36]), (b"vCal-Uid".as_slice(), 16));
        let own = "040000008200E00074C5B7101A82E00807EA0401".to_owned() + &"AB".repeat(20);
        assert_eq!(global_object_id(&own).len(), 40);
        assert!(uid_for_16(&own).starts_with("040000008200E00074C5B7101A82E00800000000AB"));
        assert_eq!(uid_for_16("abc"), "abc");
    }
}
