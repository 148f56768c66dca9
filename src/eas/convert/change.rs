//! What a phone changed of mail that is no draft: read, flag and categories, and nothing else ([MS-ASEMAIL] 3.1.5.4.1).

use activesync::item::email::{Categories, Email, Flag};
use activesync::status::Status;
use activesync::types::DateTime;

use crate::clock::Timestamp;
use crate::mailbox::{self, StateChange};

/// The change a phone asks for. `current` is the flag the item has, which an update without a Status completes. Anything but
/// read, flag and categories, and anything inconsistent, is refused with Status 6 ([MS-ASCMD] 2.2.3.177.17).
pub fn state_change(email: &Email, current: Option<&mailbox::Flag>) -> Result<StateChange, Status> {
    if !email.is_state_only() {
        return Err(REFUSED);
    }
    state_in(email, current)
}

/// Read, flag and categories of an item that may hold more.
pub(super) fn state_in(
    email: &Email,
    current: Option<&mailbox::Flag>,
) -> Result<StateChange, Status> {
    Ok(StateChange {
        read: email.read,
        flag: email.flag.as_ref().map(|flag| new_flag(flag, current)).transpose()?,
        categories: email.categories.as_ref().map(categories).transpose()?,
        verb: None,
    })
}

fn categories(categories: &Categories) -> Result<Vec<String>, Status> {
    if categories.names.len() > Categories::NAMES_MAX {
        return Err(REFUSED);
    }
    Ok(categories.names.clone())
}

fn new_flag(
    wanted: &Flag,
    current: Option<&mailbox::Flag>,
) -> Result<Option<mailbox::Flag>, Status> {
    if wanted.is_cleared() {
        return Ok(None);
    }
    if !wanted.is_consistent() {
        return Err(REFUSED);
    }
    let flag = match (wanted.status, current) {
        (Some(status), _) => set(wanted, mailbox::Flag { status, ..mailbox::Flag::default() }),
        (None, Some(current)) => set(wanted, current.clone()),
        (None, None) => return Err(REFUSED),
    };
    Ok(Some(flag))
}

/// The properties that were sent, over those that were there.
fn set(wanted: &Flag, old: mailbox::Flag) -> mailbox::Flag {
    let at = |new: Option<DateTime>, old: Option<Timestamp>| {
        new.map(|time| Timestamp(time.ms())).or(old)
    };
    mailbox::Flag {
        status: old.status,
        flag_type: wanted.flag_type.clone().or(old.flag_type),
        subject: wanted.subject.clone().or(old.subject),
        start: at(wanted.start_date, old.start),
        due: at(wanted.due_date, old.due),
        utc_start: at(wanted.utc_start_date, old.utc_start),
        utc_due: at(wanted.utc_due_date, old.utc_due),
        reminder_set: wanted.reminder_set.map(|set| set != 0).or(old.reminder_set),
        reminder: at(wanted.reminder_time, old.reminder),
        completed: at(wanted.date_completed, old.completed),
        complete_time: at(wanted.complete_time, old.complete_time),
        ordinal: at(wanted.ordinal_date, old.ordinal),
        sub_ordinal: wanted.sub_ordinal_date.clone().or(old.sub_ordinal),
    }
}

/// Error in client/server conversion ([MS-ASCMD] 2.2.3.177.17).
pub(super) const REFUSED: Status = Status(6);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_flag_and_categories_pass_and_nothing_else() {
        let read = Email { read: Some(true), ..Email::default() };
        let change = state_change(&read, None).unwrap();
        assert_eq!(change, StateChange { read: Some(true), ..StateChange::default() });
        let subject = Email { subject: Some("no".to_owned()), ..read };
        assert_eq!(state_change(&subject, None), Err(REFUSED));
        let many = Categories { names: vec!["a".to_owned(); 301] };
        let many = Email { categories: Some(many), ..Email::default() };
        assert_eq!(state_change(&many, None), Err(REFUSED));
        let none = Email { categories: Some(Categories::default()), ..Email::default() };
        assert_eq!(state_change(&none, None).unwrap().categories, Some(Vec::new()));
    }

    #[test]
    fn flags_are_set_completed_updated_and_cleared() {
        let day = DateTime::from_ms(86_400_000);
        let of = |flag: Flag, current: Option<&mailbox::Flag>| {
            let email = Email { flag: Some(flag), ..Email::default() };
            state_change(&email, current).map(|change| change.flag.unwrap())
        };
        assert_eq!(of(Flag::default(), None), Ok(None));
        assert_eq!(of(Flag { status: Some(0), ..Flag::default() }, None), Ok(None));
        let active =
            Flag { status: Some(2), flag_type: Some("Follow up".into()), ..Flag::default() };
        let set = of(active.clone(), None).unwrap().unwrap();
        assert_eq!((set.status, set.flag_type.as_deref()), (2, Some("Follow up")));
        let update = Flag { subject: Some("call".into()), ..Flag::default() };
        assert_eq!(of(update.clone(), None), Err(REFUSED));
        let updated = of(update, Some(&set)).unwrap().unwrap();
        assert_eq!((updated.status, updated.subject.as_deref()), (2, Some("call")));
        assert_eq!(updated.flag_type.as_deref(), Some("Follow up"));
        assert_eq!(of(Flag { start_date: Some(day), ..active }, None), Err(REFUSED));
        let done = Flag {
            status: Some(1),
            date_completed: Some(day),
            complete_time: Some(day),
            ..Flag::default()
        };
        assert_eq!(of(done, Some(&set)).unwrap().unwrap().status, 1);
    }
}
