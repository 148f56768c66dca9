//! The meeting a mail invites to ([MS-ASEMAIL] 2.2.2.48).

use crate::code_pages::{
    air_sync_base as base, calendar, compose_mail, email, email2, meeting_response,
};
use crate::fields::fields;
use crate::types::{CompactDateTime, DateTime};

fields! {
    /// A meeting request.
    pub struct MeetingRequest {
        /// Whether it takes whole days.
        all_day_event: Option<u8> = email::ALL_DAY_EVENT,
        /// When it begins.
        start_time: Option<DateTime> = email::START_TIME,
        /// When the request was made.
        dt_stamp: Option<DateTime> = email::DT_STAMP,
        /// When it ends.
        end_time: Option<DateTime> = email::END_TIME,
        /// 0 single, 1 series, 2 instance, 3 exception, 4 orphan.
        instance_type: Option<u8> = email::INSTANCE_TYPE,
        /// Where it is, up to 14.1.
        location_text: Option<String> = email::LOCATION,
        /// Where it is, from 16.0.
        location: Option<Location> = base::LOCATION,
        /// Who invites.
        organizer: Option<String> = email::ORGANIZER,
        /// Which instance of the series.
        recurrence_id: Option<DateTime> = email::RECURRENCE_ID,
        /// Seconds before it begins.
        reminder_s: Option<u32> = email::REMINDER,
        /// Whether an answer is wanted.
        response_requested: Option<u8> = email::RESPONSE_REQUESTED,
        /// How it recurs.
        recurrences: Option<Recurrences> = email::RECURRENCES,
        /// 0 normal, 1 personal, 2 private, 3 confidential.
        sensitivity: Option<u32> = email::SENSITIVITY,
        /// 0 free, 1 tentative, 2 busy, 3 out of office, 4 elsewhere.
        busy_status: Option<u32> = email::BUSY_STATUS,
        /// The time zone, as base64 of its structure ([MS-ASDTYPE] 2.7.6).
        time_zone: Option<String> = email::TIME_ZONE,
        /// What names the meeting, up to 14.1, as base64.
        global_obj_id: Option<String> = email::GLOBAL_OBJ_ID,
        /// Whether another time may not be proposed.
        disallow_new_time_proposal: Option<u8> = email::DISALLOW_NEW_TIME_PROPOSAL,
        /// 1 request, 2 full update, 3 informational, 4 outdated, 5 copy, 6 delegated.
        meeting_message_type: Option<u8> = email2::MEETING_MESSAGE_TYPE,
        /// What names the meeting, from 16.0.
        uid: Option<String> = calendar::UID,
        /// The begin that an attendee proposes.
        proposed_start_time: Option<CompactDateTime> = meeting_response::PROPOSED_START_TIME,
        /// The end that an attendee proposes.
        proposed_end_time: Option<CompactDateTime> = meeting_response::PROPOSED_END_TIME,
        /// To whom it was forwarded.
        forwardees: Option<Forwardees> = compose_mail::FORWARDEES,
    }
}

fields! {
    /// A place ([MS-ASAIRS] 2.2.2.33).
    pub struct Location {
        /// Its name.
        display_name: Option<String> = base::DISPLAY_NAME,
        /// A note on it.
        annotation: Option<String> = base::ANNOTATION,
        /// Street and number.
        street: Option<String> = base::STREET,
        /// City.
        city: Option<String> = base::CITY,
        /// State or province.
        state: Option<String> = base::STATE,
        /// Country.
        country: Option<String> = base::COUNTRY,
        /// Postal code.
        postal_code: Option<String> = base::POSTAL_CODE,
        /// Degrees north.
        latitude: Option<String> = base::LATITUDE,
        /// Degrees east.
        longitude: Option<String> = base::LONGITUDE,
        /// Accuracy of the degrees, in metres.
        accuracy: Option<String> = base::ACCURACY,
        /// Altitude, in metres.
        altitude: Option<String> = base::ALTITUDE,
        /// Accuracy of the altitude, in metres.
        altitude_accuracy: Option<String> = base::ALTITUDE_ACCURACY,
        /// A URI for the place.
        location_uri: Option<String> = base::LOCATION_URI,
    }
}

fields! {
    /// How a meeting recurs: a list, in practice of one.
    pub struct Recurrences {
        /// The rules.
        rules: Vec<Recurrence> = email::RECURRENCE,
    }
}

fields! {
    /// One rule by which a meeting recurs ([MS-ASEMAIL] 2.2.2.60).
    pub struct Recurrence {
        /// 0 daily, 1 weekly, 2 monthly, 3 monthly by week, 5 yearly, 6 yearly by week.
        recurrence_type: Option<u8> = email::TYPE,
        /// Every so many days, weeks or months.
        interval: Option<u32> = email::INTERVAL,
        /// The last time.
        until: Option<String> = email::UNTIL,
        /// How many times.
        occurrences: Option<u32> = email::OCCURRENCES,
        /// The week of the month; 5 is the last.
        week_of_month: Option<u32> = email::WEEK_OF_MONTH,
        /// The day of the month.
        day_of_month: Option<u32> = email::DAY_OF_MONTH,
        /// The days of the week, Sunday 1 to Saturday 64, added up.
        day_of_week: Option<u32> = email::DAY_OF_WEEK,
        /// The month of the year.
        month_of_year: Option<u32> = email::MONTH_OF_YEAR,
        /// The calendar the rule counts in.
        calendar_type: Option<u32> = email2::CALENDAR_TYPE,
        /// Whether the month is a leap month.
        is_leap_month: Option<u8> = email2::IS_LEAP_MONTH,
        /// The day on which weeks begin, Sunday 0.
        first_day_of_week: Option<u8> = email2::FIRST_DAY_OF_WEEK,
    }
}

fields! {
    /// To whom a meeting was forwarded ([MS-ASCMD] 2.2.3.79).
    pub struct Forwardees {
        /// The people.
        forwardees: Vec<Forwardee> = compose_mail::FORWARDEE,
    }
}

fields! {
    /// Somebody a meeting was forwarded to.
    pub struct Forwardee {
        /// Their name.
        name: Option<String> = compose_mail::NAME,
        /// Their address.
        email: Option<String> = compose_mail::EMAIL,
    }
}
