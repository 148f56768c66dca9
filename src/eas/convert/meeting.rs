//! The invitation in a mail ([MS-ASEMAIL] 2.2.2.48): read from its calendar object (RFC 5545), as far as phones need it.

use activesync::ProtocolVersion;
use activesync::item::meeting_request::{Location, MeetingRequest, Recurrence, Recurrences};
use activesync::types::DateTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::calendar::{Event, Line, Rule, WEEKDAYS};
use super::email::time;
use super::time_zone::{DAY_MS, weekday};
use crate::clock::Timestamp;
use crate::message::{Address, Message};

/// The meeting a request or a cancellation is about; `None` for other mail and for objects without a start.
pub(super) fn request(
    message: &Message,
    received: Timestamp,
    version: ProtocolVersion,
) -> Option<MeetingRequest> {
    let class = message.message_class();
    if class != "IPM.Schedule.Meeting.Request" && class != "IPM.Schedule.Meeting.Canceled" {
        return None;
    }
    let event = Event::read(&message.calendar()?)?;
    let request = event.request(received);
    // [MS-ASEMAIL] 2.2.2.37: what names the meeting is GlobalObjId up to 14.1, and calendar:UID in its place from 16.0.
    Some(match version >= ProtocolVersion::V16_0 {
        true => MeetingRequest { global_obj_id: None, ..request },
        false => {
            // [MS-ASEMAIL] 2.2.2.14: who works elsewhere is busy, where there is no word for it.
            let busy_status = request.busy_status.map(|busy| if busy > OUT { BUSY } else { busy });
            MeetingRequest { uid: None, busy_status, ..request }
        }
    })
}

impl Event {
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
        is_leap_month: Some(0),
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
        total = total.checked_add(number * unit)?;
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

/// BusyStatus: busy, and away, which is the last that versions before 16.0 know.
const BUSY: u32 = 2;
const OUT: u32 = 3;
/// What every Outlook id begins with ([MS-OXOCAL] 2.2.1.27).
const CLASS_ID: [u8; 16] =
    [0x04, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08];
/// Characters of a place ([MS-ASEMAIL] 2.2.2.46).
const LOCATION_CHARS_MAX: usize = 32_768;
/// Characters of an Outlook id in hexadecimal.
const UID_CHARS_MAX: usize = 4_096;
/// Digits of one number of a duration.
const DURATION_DIGITS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use conformance::conforms;

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
        of_version(text, ProtocolVersion::V16_1)
    }

    fn of_version(text: &str, version: ProtocolVersion) -> Option<MeetingRequest> {
        let raw = Bytes::from(text.replace('\n', "\r\n"));
        request(&Message::parse(raw).unwrap(), Timestamp(0), version)
    }

    #[test]
    fn a_meeting_has_one_name_of_the_two_that_versions_have() {
        let new = read(INVITATION).unwrap();
        assert!(new.uid.is_some() && new.global_obj_id.is_none());
        let old = of_version(INVITATION, ProtocolVersion::V14_1).unwrap();
        assert!(old.uid.is_none() && old.global_obj_id.is_some());
        let elsewhere = "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\nSEQUENCE:0";
        let elsewhere = INVITATION.replace("SEQUENCE:0", elsewhere);
        for version in ProtocolVersion::ALL {
            let busy = of_version(&elsewhere, version).unwrap().busy_status;
            let knows_it = version >= ProtocolVersion::V16_0;
            assert_eq!(busy, Some(if knows_it { 4 } else { 2 }), "{version}");
        }
        conforms!("MS-ASEMAIL_R1152", "MS-ASEMAIL_R1153", "MS-ASEMAIL_R1154");
    }

    #[test]
    fn an_invitation_of_outlook_is_read_whole() {
        let meeting = read(INVITATION).unwrap();
        assert_eq!(meeting.start_time.unwrap().to_string(), "2026-04-01T08:00:00.000Z");
        assert_eq!(meeting.end_time.unwrap().to_string(), "2026-04-01T09:00:00.000Z");
        assert_eq!(meeting.dt_stamp.unwrap().to_string(), "2026-03-02T09:15:00.000Z");
        assert_eq!((meeting.all_day_event, meeting.instance_type), (Some(0), Some(1)));
        conforms!("MS-ASEMAIL_R236");
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
        conforms!("MS-ASEMAIL_R235");
        assert_eq!(meeting.end_time.unwrap().to_string(), "2026-04-02T00:00:00.000Z");
        assert_eq!(duration_s("P1DT2H3M4S"), Some(93_784));
        assert_eq!(seconds_before("PT5M"), None);
        assert_eq!(seconds_before("-P1W"), Some(604_800));
        assert_eq!(duration_s("P99999999999D"), None);
        assert_eq!(duration_s(&format!("P{}", "999999999W".repeat(20_000))), None);
    }

    #[test]
    fn rules_become_the_words_phones_have() {
        let of = |text: &str| {
            let rule = recurrence(text, DateTime::parse("20260401T100000Z").unwrap().ms())?;
            let has_calendar = matches!(rule.recurrence_type, Some(2 | 3 | 5 | 6));
            assert_eq!((rule.calendar_type.is_some(), rule.is_leap_month), (has_calendar, Some(0)));
            conforms!("MS-ASEMAIL_R291", "MS-ASEMAIL_R508");
            assert!(rule.interval.is_some());
            conforms!("MS-ASEMAIL_R499", "MS-ASEMAIL_R912");
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
        conforms!("MS-ASEMAIL_R369", "MS-ASEMAIL_R370", "MS-ASEMAIL_R375", "MS-ASEMAIL_R376");
        conforms!("MS-ASEMAIL_R620", "MS-ASEMAIL_R873", "MS-ASEMAIL_R792", "MS-ASEMAIL_R789");
        assert_eq!(of("FREQ=WEEKLY;BYDAY=MO,SU,SA"), Some((1, (None, None, Some(67), None))));
        let all = of("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR,SA,SU");
        assert_eq!(all, Some((1, (None, None, Some(127), None))));
        conforms!("MS-ASEMAIL_R377");
    }

    #[test]
    fn meetings_are_named_for_old_and_new_phones() {
        let wrapped = global_object_id("abc");
        assert_eq!(wrapped.len(), 40 + 12 + 3 + 1);
        assert_eq!((&wrapped[40..48], wrapped[36]), (b"vCal-Uid".as_slice(), 16));
        // Class, date of the instance, time, reserved octets, the length of the rest; a marker, a version, the id, a zero.
        assert_eq!((&wrapped[..16], &wrapped[16..36]), (&CLASS_ID[..], &[0; 20][..]));
        conforms!("MS-ASEMAIL_R20000", "MS-ASEMAIL_R20001", "MS-ASEMAIL_R20011");
        conforms!("MS-ASEMAIL_R1000", "MS-ASEMAIL_R10000", "MS-ASEMAIL_R1002");
        assert_eq!(
            (&wrapped[36..40], &wrapped[48..]),
            (&[16, 0, 0, 0][..], &b"\x01\0\0\0abc\0"[..])
        );
        conforms!("MS-ASEMAIL_R121", "MS-ASEMAIL_R1001", "MS-ASEMAIL_R20013");
        conforms!("MS-ASEMAIL_R20016", "MS-ASEMAIL_R20018", "MS-ASEMAIL_R20019");
        conforms!("MS-ASEMAIL_R20021", "MS-ASEMAIL_R20022");
        let own = "040000008200E00074C5B7101A82E00807EA0401".to_owned() + &"AB".repeat(20);
        assert_eq!(global_object_id(&own).len(), 40);
        // Outlook's own is kept as it is: 2026-04-01, then what it made.
        assert_eq!(global_object_id(&own)[16..20], [0x07, 0xEA, 4, 1]);
        assert_eq!(global_object_id(&own)[20..], [0xAB; 20]);
        conforms!("MS-ASEMAIL_R20003", "MS-ASEMAIL_R20005", "MS-ASEMAIL_R20007");
        conforms!("MS-ASEMAIL_R20009", "MS-ASEMAIL_R20015");
        assert!(uid_for_16(&own).starts_with("040000008200E00074C5B7101A82E00800000000AB"));
        assert_eq!(uid_for_16("abc"), "abc");
    }
}
