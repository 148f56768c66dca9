//! Looking for people: the address list, as Search and Find show it ([MS-ASCMD] 2.2.1.16, 2.2.1.2).

use activesync::item::gal::{GalEntry, Picture};
use activesync::status::picture;
use activesync::types::ByteRange;

use crate::directory::User;
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

/// People whose name, a word of it, or address begins so.
pub(in crate::eas) async fn people(
    ask: &Ask,
    text: &str,
    asked: ByteRange,
    with_pictures: bool,
) -> Result<People, Refusal> {
    let found = users(ask, text, PEOPLE_MAX).await?;
    let total = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let count = (asked.last - asked.first) as usize + 1;
    let page = found.iter().skip(asked.first as usize).take(count);
    Ok(People { page: page.map(|user| entry(user, with_pictures)).collect(), total })
}

/// The users themselves, by name.
pub(in crate::eas) async fn users(
    ask: &Ask,
    text: &str,
    count_max: usize,
) -> Result<Vec<User>, Refusal> {
    let found = ask.desk.directory.search(text, count_max).await;
    let mut found = found.map_err(|error| MailboxError::Ours(error.to_string()))?;
    found.retain(|user| !user.disabled);
    found.sort_by_key(|user| name(user).to_lowercase());
    Ok(found)
}

/// The name to show.
pub(in crate::eas) fn name(user: &User) -> &str {
    match user.display_name.trim() {
        "" => &user.name,
        name => name,
    }
}

/// What the address list says of a user. Some phones show nothing of a person without a first name.
fn entry(user: &User, with_picture: bool) -> GalEntry {
    let name = name(user);
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    GalEntry {
        display_name: Some(name.to_owned()),
        alias: Some(user.name.clone()),
        first_name: Some(first.to_owned()),
        last_name: Some(last.trim().to_owned()).filter(|last| !last.is_empty()),
        email_address: Some(user.address.clone()),
        picture: with_picture
            .then(|| Picture { status: Some(picture::NO_PICTURE), ..Picture::default() }),
        ..GalEntry::default()
    }
}

/// People one search finds at most ([MS-ASCMD] 2.2.1.16).
const PEOPLE_MAX: usize = 100;
