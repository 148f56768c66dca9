//! Time zones of invitations: from VTIMEZONE (RFC 5545 3.6.5) to UTC and to the structure phones read ([MS-ASDTYPE] 2.7.6).

use activesync::types::DateTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A zone with at most one change to daylight time and one back per year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Zone {
    /// Minutes east of Greenwich in winter.
    pub(super) standard_minutes: i32,
    /// Daylight time, if there is one.
    pub(super) daylight: Option<Daylight>,
}

/// Daylight time of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Daylight {
    pub(super) minutes: i32,
    pub(super) begins: Turn,
    pub(super) ends: Turn,
}

/// A yearly moment: the nth weekday of a month, 5 for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) month: u16,
    pub(super) nth: u16,
    /// Sunday is 0.
    pub(super) weekday: u16,
    pub(super) hour: u16,
    pub(super) minute: u16,
}

impl Turn {
    /// The moment in a year, in milliseconds of local time.
    fn in_year(self, year: i64) -> i64 {
        let first = month_start(year, i64::from(self.month));
        let next = month_start(year, i64::from(self.month) + 1);
        let ahead = (i64::from(self.weekday) - weekday(first)).rem_euclid(7);
        let mut day = first + (ahead + 7 * (i64::from(self.nth).clamp(1, 5) - 1)) * DAY_MS;
        if day >= next {
            day -= 7 * DAY_MS;
        }
        day + (i64::from(self.hour) * 60 + i64::from(self.minute)) * MINUTE_MS
    }

    /// The yearly moment of which this local time is one.
    pub(super) fn of(local_ms: i64) -> Turn {
        let text = DateTime::from_ms(local_ms).compact();
        let number = |range: std::ops::Range<usize>| text[range].parse::<u16>().unwrap_or(1);
        let (month, day) = (number(4..6), number(6..8));
        let next = month_start(year_of(local_ms), i64::from(month) + 1);
        let is_last = local_ms + 7 * DAY_MS >= next;
        Turn {
            month,
            nth: if is_last { 5 } else { (day - 1) / 7 + 1 },
            weekday: u16::try_from(weekday(local_ms)).unwrap_or(0),
            hour: number(9..11),
            minute: number(11..13),
        }
    }
}

impl Zone {
    /// The UTC moment of a local one, both in milliseconds.
    pub(super) fn to_utc(self, local_ms: i64) -> i64 {
        local_ms - i64::from(self.minutes_at(local_ms)) * MINUTE_MS
    }

    fn minutes_at(self, local_ms: i64) -> i32 {
        let Some(daylight) = self.daylight else { return self.standard_minutes };
        let year = year_of(local_ms);
        let (begins, ends) = (daylight.begins.in_year(year), daylight.ends.in_year(year));
        let is_summer = if begins < ends {
            (begins..ends).contains(&local_ms)
        } else {
            !(ends..begins).contains(&local_ms)
        };
        if is_summer { daylight.minutes } else { self.standard_minutes }
    }

    /// The 172 octets of the TimeZone structure in base64; the names stay empty.
    pub(super) fn structure(self) -> String {
        let mut out = Vec::with_capacity(STRUCTURE_OCTETS);
        let put = |number: i32, out: &mut Vec<u8>| out.extend_from_slice(&number.to_le_bytes());
        put(-self.standard_minutes, &mut out);
        out.extend_from_slice(&[0; NAME_OCTETS]);
        system_time(self.daylight.map(|daylight| daylight.ends), &mut out);
        put(0, &mut out);
        out.extend_from_slice(&[0; NAME_OCTETS]);
        system_time(self.daylight.map(|daylight| daylight.begins), &mut out);
        let saved = self.daylight.map_or(0, |daylight| self.standard_minutes - daylight.minutes);
        put(saved, &mut out);
        STANDARD.encode(out)
    }
}

fn system_time(turn: Option<Turn>, out: &mut Vec<u8>) {
    let fields = match turn {
        None => [0; 8],
        Some(turn) => [0, turn.month, turn.weekday, turn.nth, turn.hour, turn.minute, 0, 0],
    };
    for field in fields {
        out.extend_from_slice(&field.to_le_bytes());
    }
}

fn year_of(ms: i64) -> i64 {
    DateTime::from_ms(ms).compact()[..4].parse().unwrap_or(1970)
}

/// The first moment of a month; month 13 is January of the next year.
fn month_start(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 12 { (year + 1, month - 12) } else { (year, month.max(1)) };
    DateTime::parse(&format!("{year:04}{month:02}01T000000Z")).map_or(0, DateTime::ms)
}

/// The weekday of a moment, Sunday 0.
pub(super) fn weekday(ms: i64) -> i64 {
    (ms.div_euclid(DAY_MS) + 4).rem_euclid(7)
}

const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 86_400_000;
const NAME_OCTETS: usize = 64;
const STRUCTURE_OCTETS: usize = 172;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse(text).unwrap().ms()
    }

    fn berlin() -> Zone {
        let begins = Turn { month: 3, nth: 5, weekday: 0, hour: 2, minute: 0 };
        let ends = Turn { month: 10, nth: 5, weekday: 0, hour: 3, minute: 0 };
        Zone { standard_minutes: 60, daylight: Some(Daylight { minutes: 120, begins, ends }) }
    }

    #[test]
    fn local_time_is_utc_with_the_offset_of_its_season() {
        let utc = |text| DateTime::from_ms(berlin().to_utc(at(text))).compact();
        assert_eq!(utc("20260115T120000Z"), "20260115T110000Z");
        assert_eq!(utc("20260329T015900Z"), "20260329T005900Z");
        assert_eq!(utc("20260329T030000Z"), "20260329T010000Z");
        assert_eq!(utc("20260701T120000Z"), "20260701T100000Z");
        let south = Zone {
            standard_minutes: 600,
            daylight: Some(Daylight {
                minutes: 660,
                begins: Turn { month: 10, nth: 1, weekday: 0, hour: 2, minute: 0 },
                ends: Turn { month: 4, nth: 1, weekday: 0, hour: 3, minute: 0 },
            }),
        };
        assert_eq!(south.to_utc(at("20260110T110000Z")), at("20260110T000000Z"));
        assert_eq!(south.to_utc(at("20260710T100000Z")), at("20260710T000000Z"));
    }

    #[test]
    fn the_structure_has_its_size_and_its_fields() {
        let octets = STANDARD.decode(berlin().structure()).unwrap();
        assert_eq!(octets.len(), STRUCTURE_OCTETS);
        assert_eq!(octets[..4], (-60_i32).to_le_bytes());
        assert_eq!(octets[68..84], [0, 0, 10, 0, 0, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[152..168], [0, 0, 3, 0, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[168..], (-60_i32).to_le_bytes());
    }

    #[test]
    fn a_moment_says_which_turn_it_is() {
        let turn = Turn::of(at("19810329T020000Z"));
        assert_eq!(turn, Turn { month: 3, nth: 5, weekday: 0, hour: 2, minute: 0 });
        assert_eq!(Turn::of(at("20070311T020000Z")).nth, 2);
        assert_eq!(Turn::of(at("99991231T235959Z")).month, 12);
    }
}
