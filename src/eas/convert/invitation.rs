//! The answer to an invitation: a mail with an iTIP object (RFC 5546 3.2.3, 3.2.7; RFC 6047) to whoever invites.

use activesync::command::meeting_response::UserResponse;
use activesync::types::DateTime;

use super::calendar::{Event, Line};
use crate::clock::Timestamp;
use crate::message::compose::{CalendarMethod, CalendarPart, Draft, DraftBody, Sender};
use crate::message::{Address, Message};

/// A request to meet, out of a mail.
pub(in crate::eas) struct Invitation {
    event: Event,
    uid: String,
    organizer: Address,
    subject: String,
    references: Vec<String>,
}

/// What the user says to it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::eas) struct Said {
    /// Yes, perhaps, no.
    pub(in crate::eas) answer: UserResponse,
    /// In words.
    pub(in crate::eas) words: DraftBody,
    /// When it could be instead: from, until.
    pub(in crate::eas) proposal: Option<(DateTime, DateTime)>,
}

impl Invitation {
    /// The invitation in a mail; `None` where there is none, or none that could be answered.
    pub(in crate::eas) fn of(message: &Message) -> Option<Invitation> {
        if message.message_class() != "IPM.Schedule.Meeting.Request" {
            return None;
        }
        let event = Event::read(&message.calendar()?)?;
        // What no line can hold is in no name either: the answer has to name what is asked about as it is written.
        let uid: String = event.value("UID")?.chars().filter(|c| !c.is_control()).collect();
        let uid = uid.trim().to_owned();
        let stated = event.line("ORGANIZER").map(address_of);
        let writes = || message.reply_to().into_iter().next().or_else(|| message.from());
        let organizer = stated.filter(Address::is_sendable).or_else(writes)?;
        let mut references = message.references();
        references.extend(message.message_id());
        let surplus = references.len().saturating_sub(REFERENCES_MAX);
        references.drain(..surplus);
        let subject = message.subject().chars().take(SUBJECT_CHARS_MAX).collect();
        let is_named = !uid.is_empty() && uid.len() <= UID_BYTES_MAX;
        (is_named && organizer.is_sendable()).then_some(Invitation {
            event,
            uid,
            organizer,
            subject,
            references,
        })
    }

    /// Who invites.
    pub(in crate::eas) fn organizer(&self) -> &str {
        &self.organizer.address
    }

    /// What names the meeting.
    pub(super) fn uid(&self) -> &str {
        &self.uid
    }

    /// Whether it is for a series, not for one meeting or one of a series.
    pub(in crate::eas) fn is_a_series(&self) -> bool {
        ["RRULE", "RDATE"].iter().any(|name| self.event.line(name).is_some())
    }

    /// Whether the organiser takes proposals of other times.
    pub(in crate::eas) fn takes_proposals(&self) -> bool {
        let disallows = self.event.value("X-MICROSOFT-DISALLOW-COUNTER");
        !disallows.is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// The mail that answers it, in the name of a user who has these addresses.
    pub(in crate::eas) fn answer(
        &self,
        said: &Said,
        user: Sender,
        own: &[String],
        now: Timestamp,
    ) -> Draft {
        let prefix = match (said.proposal, said.answer) {
            (Some(_), _) => "New Time Proposed",
            (None, UserResponse::Accepted) => "Accepted",
            (None, UserResponse::TentativelyAccepted) => "Tentative",
            (None, UserResponse::Declined) => "Declined",
        };
        let method = match said.proposal {
            Some(_) => CalendarMethod::Counter,
            None => CalendarMethod::Reply,
        };
        let object = self.object(said, method, &user, own, now);
        Draft {
            to: vec![self.organizer.clone()],
            subject: format!("{prefix}: {}", self.subject),
            body: said.words.clone(),
            calendar: Some(CalendarPart { method, object }),
            references: self.references.clone(),
            ..Draft::new(user)
        }
    }

    /// The object: one event, with the one attendee who answers.
    fn object(
        &self,
        said: &Said,
        method: CalendarMethod,
        user: &Sender,
        own: &[String],
        now: Timestamp,
    ) -> String {
        let mut lines = Lines::default();
        lines.put("BEGIN:VCALENDAR");
        lines.put("PRODID:-//Retract//Retract//EN");
        lines.put("VERSION:2.0");
        lines.put(&format!("METHOD:{}", method.as_str()));
        lines.put("BEGIN:VEVENT");
        lines.put(&format!("UID:{}", self.uid));
        lines.put(&format!("DTSTAMP:{}", DateTime::from_ms(now.ms()).compact()));
        if let Some(sequence) = self.event.value("SEQUENCE").and_then(|n| n.parse::<u32>().ok()) {
            lines.put(&format!("SEQUENCE:{sequence}"));
        }
        self.put_time(&mut lines, "RECURRENCE-ID", "RECURRENCE-ID");
        self.put_times(&mut lines, said.proposal);
        if let Some(summary) = self.event.line("SUMMARY").map(Line::text) {
            lines.put(&format!("SUMMARY:{}", escaped(&summary)));
        }
        if let DraftBody::Plain(words) = &said.words
            && !words.trim().is_empty()
        {
            lines.put(&format!("COMMENT:{}", escaped(words.trim())));
        }
        lines.put(&format!("ORGANIZER:mailto:{}", self.organizer.address));
        lines.put(&self.attendee(said, user, own));
        lines.put("END:VEVENT");
        lines.put("END:VCALENDAR");
        lines.0
    }

    /// When it is; or when it could be, and what that would replace.
    fn put_times(&self, lines: &mut Lines, proposal: Option<(DateTime, DateTime)>) {
        let Some((from, until)) = proposal else {
            self.put_time(lines, "DTSTART", "DTSTART");
            return self.put_time(lines, "DTEND", "DTEND");
        };
        lines.put(&format!("DTSTART:{}", from.compact()));
        lines.put(&format!("DTEND:{}", until.compact()));
        self.put_time(lines, "DTSTART", "X-MS-OLK-ORIGINALSTART");
        self.put_time(lines, "DTEND", "X-MS-OLK-ORIGINALEND");
    }

    /// A time of the request, in UTC, so that no zone has to go with it; a day stays a day.
    fn put_time(&self, lines: &mut Lines, of: &str, under: &str) {
        let Some(line) = self.event.line(of) else { return };
        let Some(moment) = self.event.moment(line) else { return };
        let time = moment.compact();
        if line.value.contains('T') {
            lines.put(&format!("{under}:{time}"));
        } else if let Some(local) = line.local_ms() {
            let day = DateTime::from_ms(local).compact();
            lines.put(&format!("{under};VALUE=DATE:{}", day.get(..8).unwrap_or(&day)));
        }
    }

    fn attendee(&self, said: &Said, user: &Sender, own: &[String]) -> String {
        let state = match said.answer {
            UserResponse::Accepted => "ACCEPTED",
            UserResponse::TentativelyAccepted => "TENTATIVE",
            UserResponse::Declined => "DECLINED",
        };
        let attendees = self.event.lines.iter().filter(|line| line.name == "ATTENDEE");
        let invited = attendees
            .map(|line| address_of(line).address)
            .find(|address| own.contains(&address.to_lowercase()));
        let address = invited.unwrap_or_else(|| user.address.clone());
        let name: String =
            user.display_name.chars().filter(|c| !c.is_control() && *c != '"').collect();
        let name = if name.is_empty() { String::new() } else { format!(";CN=\"{name}\"") };
        format!("ATTENDEE;PARTSTAT={state}{name}:mailto:{address}")
    }
}

/// The address behind `mailto:`.
fn address_of(line: &Line) -> Address {
    let scheme = line.value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    let address = line.value.get(scheme.map_or(0, str::len)..).unwrap_or_default().trim();
    let name = line.parameter("CN").map(str::to_owned).filter(|name| !name.is_empty());
    Address { name, address: address.to_owned() }
}

/// A text with its escapes (RFC 5545 3.3.11).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Content lines, folded where they are long (RFC 5545 3.1).
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn put(&mut self, line: &str) {
        let mut octets = 0;
        for c in line.chars().filter(|c| !c.is_control()) {
            if octets + c.len_utf8() > LINE_OCTETS_MAX {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(c);
            octets += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

/// Octets of a line without its end (RFC 5545 3.1).
const LINE_OCTETS_MAX: usize = 75;
/// Octets of a UID that is answered to.
const UID_BYTES_MAX: usize = 4_096;
/// Characters of the subject that is repeated.
const SUBJECT_CHARS_MAX: usize = 500;
/// Messages the answer refers to.
const REFERENCES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const REQUEST: &str = "From: Chris <chris@b.example>
Subject: Planning
Message-ID: <m@b.example>
MIME-Version: 1.0
Content-Type: text/calendar; method=REQUEST; charset=utf-8

BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Home
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0200
TZOFFSETTO:+0200
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN=\"Gray, Chris\":MAILTO:chris@b.example
ATTENDEE;RSVP=TRUE:mailto:Sales@A.example
UID:u-1
SEQUENCE:3
SUMMARY:Plan\\, then act
DTSTART;TZID=Home:20260401T100000
DTEND;TZID=Home:20260401T110000
END:VEVENT
END:VCALENDAR
";

    fn invitation(text: &str) -> Option<Invitation> {
        Invitation::of(&Message::parse(Bytes::from(text.replace('\n', "\r\n"))).unwrap())
    }

    fn ann() -> Sender {
        Sender { address: "ann@a.example".into(), display_name: "Ann \"A\" Lee".into() }
    }

    fn said(answer: UserResponse) -> Said {
        Said { answer, words: DraftBody::Plain("Fine; see you".into()), proposal: None }
    }

    fn object(invitation: &Invitation, said: &Said) -> String {
        let own = ["ann@a.example".to_owned(), "sales@a.example".to_owned()];
        let draft = invitation.answer(said, ann(), &own, Timestamp(1_795_507_200_000));
        draft.calendar.unwrap().object
    }

    #[test]
    fn a_reply_says_who_says_what_to_which_meeting() {
        let object = object(&invitation(REQUEST).unwrap(), &said(UserResponse::Accepted));
        let lines: Vec<&str> = object.split_terminator("\r\n").collect();
        assert_eq!(
            lines,
            [
                "BEGIN:VCALENDAR",
                "PRODID:-//Retract//Retract//EN",
                "VERSION:2.0",
                "METHOD:REPLY",
                "BEGIN:VEVENT",
                "UID:u-1",
                "DTSTAMP:20261124T080000Z",
                "SEQUENCE:3",
                "DTSTART:20260401T080000Z",
                "DTEND:20260401T090000Z",
                "SUMMARY:Plan\\, then act",
                "COMMENT:Fine\\; see you",
                "ORGANIZER:mailto:chris@b.example",
                "ATTENDEE;PARTSTAT=ACCEPTED;CN=\"Ann A Lee\":mailto:Sales@A.example",
                "END:VEVENT",
                "END:VCALENDAR",
            ]
        );
    }

    #[test]
    fn one_of_a_series_is_named_and_another_time_is_a_counter() {
        let one = REQUEST.replace("UID:u-1", "UID:u-1\nRECURRENCE-ID;TZID=Home:20260408T100000");
        let declined = object(&invitation(&one).unwrap(), &said(UserResponse::Declined));
        assert!(declined.contains("RECURRENCE-ID:20260408T080000Z\r\n"), "{declined}");
        assert!(declined.contains("PARTSTAT=DECLINED"));
        let day = REQUEST.replace("DTSTART;TZID=Home:20260401T100000", "DTSTART:20260401");
        let tentative =
            object(&invitation(&day).unwrap(), &said(UserResponse::TentativelyAccepted));
        assert!(tentative.contains("DTSTART;VALUE=DATE:20260401\r\n"), "{tentative}");
        let at = |text: &str| DateTime::parse(text).unwrap();
        let proposal = Some((at("20260402T080000Z"), at("20260402T090000Z")));
        let counter = Said { proposal, ..said(UserResponse::TentativelyAccepted) };
        let counter = object(&invitation(REQUEST).unwrap(), &counter);
        for line in [
            "METHOD:COUNTER",
            "DTSTART:20260402T080000Z",
            "DTEND:20260402T090000Z",
            "X-MS-OLK-ORIGINALSTART:20260401T080000Z",
        ] {
            assert!(counter.contains(&format!("{line}\r\n")), "{line} in {counter}");
        }
    }

    #[test]
    fn the_mail_has_the_words_and_the_object_as_alternatives() {
        let own = ["ann@a.example".to_owned()];
        let invitation = invitation(REQUEST).unwrap();
        let draft = invitation.answer(&said(UserResponse::Accepted), ann(), &own, Timestamp(0));
        let raw = draft.build(Timestamp(0), "r@a.example");
        let message = Message::parse(raw.into()).unwrap();
        assert_eq!(message.subject(), "Accepted: Planning");
        assert_eq!(message.to()[0].address, "chris@b.example");
        assert_eq!(message.in_reply_to().as_deref(), Some("m@b.example"));
        assert_eq!(message.message_class(), "IPM.Schedule.Meeting.Resp.Pos");
        assert_eq!(message.plain_text().trim_end(), "Fine; see you");
        assert!(message.calendar().unwrap().contains("METHOD:REPLY"));
    }

    #[test]
    fn long_lines_are_folded_and_strangers_cannot_add_lines() {
        let long = REQUEST.replace("Plan\\, then act", &"ü".repeat(100));
        let object = object(&invitation(&long).unwrap(), &said(UserResponse::Accepted));
        assert!(object.split("\r\n").all(|line| line.len() <= LINE_OCTETS_MAX));
        assert!(object.replace("\r\n ", "").contains(&"ü".repeat(100)));
        let sly = Said {
            words: DraftBody::Plain("a\r\nEND:VEVENT\r\nX:\u{b}y".into()),
            ..said(UserResponse::Accepted)
        };
        let sly = self::object(&invitation(REQUEST).unwrap(), &sly);
        assert!(sly.contains("COMMENT:a\\nEND:VEVENT\\nX:y\r\n"), "{sly}");
    }

    #[test]
    fn the_answer_names_the_meeting_whatever_octets_its_name_has() {
        let odd = REQUEST.replace("UID:u-1", "UID:u-1\u{1}\rX:y");
        let odd = invitation(&odd).unwrap();
        assert_eq!(odd.uid(), "u-1X:y");
        let object = object(&odd, &said(UserResponse::Accepted));
        assert!(object.contains("\r\nUID:u-1X:y\r\n"), "{object}");
    }

    #[test]
    fn what_is_no_request_or_has_no_name_cannot_be_answered() {
        assert!(invitation(&REQUEST.replace("REQUEST", "CANCEL")).is_none());
        assert!(invitation(&REQUEST.replace("UID:u-1\n", "")).is_none());
        assert!(invitation(&REQUEST.replace("UID:u-1", "UID:")).is_none());
        let nobody = REQUEST.replace("MAILTO:chris@b.example", "invalid:nomail");
        assert_eq!(invitation(&nobody).unwrap().organizer(), "chris@b.example", "who wrote it");
        assert!(invitation(REQUEST).unwrap().takes_proposals());
        assert!(!invitation(REQUEST).unwrap().is_a_series());
    }

    #[test]
    fn the_answer_goes_by_no_route_that_the_organizer_names() {
        let routed = REQUEST.replace("MAILTO:chris@b.example", "@elsewhere.example:eve@c.example");
        assert_eq!(invitation(&routed).unwrap().organizer(), "chris@b.example", "who wrote it");
    }
}
