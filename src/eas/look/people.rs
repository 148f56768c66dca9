//! Looking for people, and for groups of them: the address list, as Search and Find show it ([MS-ASCMD] 2.2.1.16, 2.2.1.2).

use activesync::item::gal::{GalEntry, Picture};
use activesync::status::picture;
use activesync::types::ByteRange;

use crate::directory::Entry;
use crate::eas::dispatch::Ask;
use crate::eas::status::Refusal;
use crate::mailbox::MailboxError;

/// People who were found.
pub(in crate::eas) struct People {
    /// Those of the range, by name.
    pub(in crate::eas) page: Vec<GalEntry>,
    /// How many there are in all.
    pub(in crate::eas) total: u32,
}

/// People and groups whose name, a word of it, office or address begins so.
pub(in crate::eas) async fn people(
    ask: &Ask,
    text: &str,
    asked: ByteRange,
    with_pictures: bool,
) -> Result<People, Refusal> {
    let found = entries(ask, text, PEOPLE_MAX).await?;
    let total = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let count = (asked.last - asked.first) as usize + 1;
    let page = found.iter().skip(asked.first as usize).take(count);
    Ok(People { page: page.map(|entry| told(entry, with_pictures)).collect(), total })
}

/// The entries themselves, by name.
pub(in crate::eas) async fn entries(
    ask: &Ask,
    text: &str,
    count_max: usize,
) -> Result<Vec<Entry>, Refusal> {
    let found = ask.desk.directory.look_up(text, count_max).await;
    found.map_err(|error| MailboxError::Ours(error.to_string()).into())
}

/// What the address list says of a person or group. Some phones show nothing of a person without a first name.
fn told(entry: &Entry, with_picture: bool) -> GalEntry {
    let name = entry.display_name();
    let no_picture = || Picture { status: Some(picture::NO_PICTURE), ..Picture::default() };
    let common = GalEntry {
        display_name: Some(name.to_owned()),
        email_address: Some(entry.address().to_owned()),
        picture: with_picture.then(no_picture),
        ..GalEntry::default()
    };
    match entry {
        Entry::Group(group) => GalEntry {
            alias: Some(group.name.clone()),
            first_name: Some(name.to_owned()),
            ..common
        },
        Entry::Person(user, card) => {
            let (first, last) = name.split_once(' ').unwrap_or((name, ""));
            let last = Some(last.trim().to_owned()).filter(|last| !last.is_empty());
            let is_known = card.first_name.is_some() || card.last_name.is_some();
            GalEntry {
                alias: Some(user.name.clone()),
                first_name: card.first_name.clone().or_else(|| Some(first.to_owned())),
                last_name: if is_known { card.last_name.clone() } else { last },
                phone: card.phone.clone(),
                mobile_phone: card.mobile_phone.clone(),
                home_phone: card.home_phone.clone(),
                office: card.office.clone(),
                title: card.title.clone(),
                company: card.company.clone(),
                ..common
            }
        }
    }
}

/// People one search finds at most ([MS-ASCMD] 2.2.1.16).
const PEOPLE_MAX: usize = 100;
