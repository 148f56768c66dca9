//! Mail ([MS-ASEMAIL] 2.2.2): what a server sends of it, and what a client may change.
//!
//! Every property may be absent: a Change carries what changed. The order of the fields is the
//! order in which Exchange sends them.

use crate::code_pages::{air_sync_base as base, email, email2, rights_management, tasks};
use crate::fields::fields;
use crate::item::body::{Attachments, Body, BodyPart};
use crate::item::meeting_request::MeetingRequest;
use crate::item::rights_management::License;
use crate::types::DateTime;

fields! {
    /// The properties of a mail.
    pub struct Email {
        /// Recipients, separated by commas ([MS-ASEMAIL] 2.2.2.79).
        to: Option<String> = email::TO,
        /// Recipients of copies, separated by commas.
        cc: Option<String> = email::CC,
        /// The author's address.
        from: Option<String> = email::FROM,
        /// Where answers go, separated by semicolons.
        reply_to: Option<String> = email::REPLY_TO,
        /// The subject.
        subject: Option<String> = email::SUBJECT,
        /// When it came; some phones show the time of the Sync where this is missing.
        date_received: Option<DateTime> = email::DATE_RECEIVED,
        /// Names of the recipients, separated by semicolons.
        display_to: Option<String> = email::DISPLAY_TO,
        /// The subject without `Re:` and its kind.
        thread_topic: Option<String> = email::THREAD_TOPIC,
        /// 0 low, 1 normal, 2 high.
        importance: Option<u8> = email::IMPORTANCE,
        /// Whether it was read.
        read: Option<bool> = email::READ,
        /// Attachments.
        attachments: Option<Attachments> = base::ATTACHMENTS,
        /// The body.
        body: Option<Body> = base::BODY,
        /// The parts of the body that its conversation does not repeat.
        body_parts: Vec<BodyPart> = base::BODY_PART,
        /// What kind of mail, such as `IPM.Note`.
        message_class: Option<String> = email::MESSAGE_CLASS,
        /// The meeting it invites to.
        meeting_request: Option<Box<MeetingRequest>> = email::MEETING_REQUEST,
        /// The code page of the original, such as `65001` for UTF-8.
        internet_cpid: Option<String> = email::INTERNET_CPID,
        /// The flag; an empty one says that there is none.
        flag: Option<Flag> = email::FLAG,
        /// `urn:content-classes:message`.
        content_class: Option<String> = email::CONTENT_CLASS,
        /// The format in which the body is kept: 1 plain, 2 HTML, 3 rich text.
        native_body_type: Option<u8> = base::NATIVE_BODY_TYPE,
        /// The conversation it belongs to.
        conversation_id: Option<Vec<u8>> = email2::CONVERSATION_ID,
        /// Its place in the conversation ([MS-ASCON] 2.2.2.4).
        conversation_index: Option<Vec<u8>> = email2::CONVERSATION_INDEX,
        /// 1 answered, 2 answered to all, 3 forwarded.
        last_verb_executed: Option<u32> = email2::LAST_VERB_EXECUTED,
        /// When it was answered or forwarded.
        last_verb_execution_time: Option<DateTime> = email2::LAST_VERB_EXECUTION_TIME,
        /// Whether the user is only a hidden recipient.
        received_as_bcc: Option<bool> = email2::RECEIVED_AS_BCC,
        /// Who sent it for the author.
        sender: Option<String> = email2::SENDER,
        /// Categories; none where empty, unchanged where absent.
        categories: Option<Categories> = email::CATEGORIES,
        /// The caller of a voice mail.
        um_caller_id: Option<String> = email2::UM_CALLER_ID,
        /// Notes on a voice mail.
        um_user_notes: Option<String> = email2::UM_USER_NOTES,
        /// The account it came through, if not the primary one.
        account_id: Option<String> = email2::ACCOUNT_ID,
        /// Whether it is a draft.
        is_draft: Option<bool> = email2::IS_DRAFT,
        /// Hidden recipients of a draft.
        bcc: Option<String> = email2::BCC,
        /// What its protection allows ([MS-ASRM]).
        rights_management_license: Option<Box<License>> =
            rights_management::RIGHTS_MANAGEMENT_LICENSE,
    }
}

impl Email {
    /// Whether nothing is there but flag, read state and categories: what a client may change of
    /// mail that is no draft ([MS-ASEMAIL] 3.1.5.4.1).
    pub fn is_state_only(&self) -> bool {
        let state = Self {
            read: self.read,
            flag: self.flag.clone(),
            categories: self.categories.clone(),
            ..Self::default()
        };
        *self == state
    }
}

fields! {
    /// The categories of a mail ([MS-ASEMAIL] 2.2.2.17).
    pub struct Categories {
        /// Their names.
        names: Vec<String> = email::CATEGORY,
    }
}

impl Categories {
    /// How many categories a mail may have ([MS-ASEMAIL] 2.2.2.18).
    pub const NAMES_MAX: usize = 300;
}

fields! {
    /// The flag of a mail ([MS-ASEMAIL] 2.2.2.34); without children there is none.
    pub struct Flag {
        /// The subject of the task it makes.
        subject: Option<String> = tasks::SUBJECT,
        /// 0 cleared, 1 complete, 2 active.
        status: Option<u8> = email::STATUS,
        /// What is to be done, usually `Flag for follow up`.
        flag_type: Option<String> = email::FLAG_TYPE,
        /// The day it was completed.
        date_completed: Option<DateTime> = tasks::DATE_COMPLETED,
        /// When it was completed.
        complete_time: Option<DateTime> = email::COMPLETE_TIME,
        /// The first day, local.
        start_date: Option<DateTime> = tasks::START_DATE,
        /// The first day, UTC.
        utc_start_date: Option<DateTime> = tasks::UTC_START_DATE,
        /// The last day, local.
        due_date: Option<DateTime> = tasks::DUE_DATE,
        /// The last day, UTC.
        utc_due_date: Option<DateTime> = tasks::UTC_DUE_DATE,
        /// Whether to remind.
        reminder_set: Option<u8> = tasks::REMINDER_SET,
        /// When to remind.
        reminder_time: Option<DateTime> = tasks::REMINDER_TIME,
        /// The place in a list of tasks.
        ordinal_date: Option<DateTime> = tasks::ORDINAL_DATE,
        /// The place among tasks of one place.
        sub_ordinal_date: Option<String> = tasks::SUB_ORDINAL_DATE,
    }
}

impl Flag {
    /// Not flagged.
    pub const CLEARED: u8 = 0;
    /// Flagged, and done.
    pub const COMPLETE: u8 = 1;
    /// Flagged.
    pub const ACTIVE: u8 = 2;

    /// Whether this takes the flag away: no children, or Status 0.
    pub fn is_cleared(&self) -> bool {
        self.status == Some(Self::CLEARED) || *self == Self::default()
    }

    /// Whether a client may set this ([MS-ASEMAIL] 3.1.5.4.2): all four dates or none, none due
    /// before it starts, a time for a reminder and for a completion. Else Status 6.
    pub fn is_consistent(&self) -> bool {
        let dates = [self.start_date, self.utc_start_date, self.due_date, self.utc_due_date];
        let given = dates.iter().flatten().count();
        let completed = self.complete_time.is_some() && self.date_completed.is_some();
        (given == 0 || given == dates.len())
            && self.start_date <= self.due_date
            && self.utc_start_date <= self.utc_due_date
            && (self.reminder_set != Some(1) || self.reminder_time.is_some())
            && self.status.is_none_or(|status| status <= Self::ACTIVE)
            && (self.status != Some(Self::COMPLETE) || completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_state_is_only_read_flag_and_categories() {
        let mut email = Email { read: Some(true), ..Email::default() };
        assert!(email.is_state_only());
        email.categories = Some(Categories::default());
        email.flag = Some(Flag::default());
        assert!(email.is_state_only());
        email.subject = Some("another".into());
        assert!(!email.is_state_only());
    }

    #[test]
    fn flags_must_be_consistent() {
        let day = |n: i64| Some(DateTime::from_ms(n * 86_400_000));
        assert!(Flag::default().is_cleared() && Flag::default().is_consistent());
        let active = Flag { status: Some(Flag::ACTIVE), ..Flag::default() };
        assert!(active.is_consistent() && !active.is_cleared());
        assert!(!Flag { start_date: day(1), ..active.clone() }.is_consistent());
        let dated = Flag {
            start_date: day(1),
            utc_start_date: day(1),
            due_date: day(2),
            utc_due_date: day(2),
            ..active.clone()
        };
        assert!(dated.is_consistent());
        assert!(!Flag { due_date: day(0), ..dated }.is_consistent());
        assert!(!Flag { reminder_set: Some(1), ..active.clone() }.is_consistent());
        assert!(!Flag { status: Some(3), ..active.clone() }.is_consistent());
        assert!(!Flag { status: Some(Flag::COMPLETE), ..active }.is_consistent());
    }
}
