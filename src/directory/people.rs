//! What the address list says of people besides their names and addresses, and who is found in it ([MS-ASCMD] 2.2.3.139).
//!
//! Only a source outside gives somebody a card; whom an administrator made has none, and is found by name and address.

use super::groups::{Group, group, read_group};
use super::users::{NAME_BYTES_MAX, User, escape_like, read_user, resolve};
use super::{Directory, DirectoryError, tables};
use crate::database::{Error, Tx};
use crate::ids::UserId;
use crate::params;

/// What the address list says of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The telephone at work.
    pub phone: Option<String>,
    /// The mobile telephone.
    pub mobile_phone: Option<String>,
    /// The telephone at home.
    pub home_phone: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// The company.
    pub company: Option<String>,
    /// Where the office is.
    pub office: Option<String>,
}

/// Who or what stands in the address list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A person.
    Person(User, Box<Card>),
    /// A group that has an address.
    Group(Group),
}

impl Entry {
    /// The name to show.
    pub fn display_name(&self) -> &str {
        match self {
            Entry::Person(user, _) => match user.display_name.trim() {
                "" => &user.name,
                name => name,
            },
            Entry::Group(group) => &group.display_name,
        }
    }

    /// The address mail reaches them by; a group here has one.
    pub fn address(&self) -> &str {
        match self {
            Entry::Person(user, _) => &user.address,
            Entry::Group(group) => group.address.as_deref().unwrap_or_default(),
        }
    }
}

impl Card {
    /// The fields, in the order in which they are kept.
    pub(super) fn fields(&self) -> [&Option<String>; 8] {
        [
            &self.first_name,
            &self.last_name,
            &self.phone,
            &self.mobile_phone,
            &self.home_phone,
            &self.title,
            &self.company,
            &self.office,
        ]
    }

    /// The words a person is found by: names, and where they work; in lower case, a blank before each.
    pub(super) fn words(&self, display_name: &str) -> String {
        let said = [&self.first_name, &self.last_name, &self.office, &self.company];
        let said = said.into_iter().flatten().map(String::as_str);
        words(said.chain([display_name]))
    }
}

/// Texts as a search goes through them.
pub(super) fn words<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut words = String::new();
    for word in texts.flat_map(str::split_whitespace) {
        words.push(' ');
        words.extend(word.chars().flat_map(char::to_lowercase));
    }
    words
}

impl Directory {
    /// The address list: people and groups whose name, a word of it, office or address begins with the text, by name.
    pub async fn look_up(&self, text: &str, limit: usize) -> Result<Vec<Entry>, DirectoryError> {
        let text = text.trim().to_lowercase();
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Ok(Vec::new());
        }
        let begins = format!("{}%", escape_like(&text));
        let word = format!("% {begins}");
        let job = move |tx: &Tx<'_>| {
            let row = params![&begins, &word, limit];
            let mut found = Vec::new();
            for user in tx.all(tables::SEARCH_USERS, row, read_user)? {
                let card = card(tx, user.id)?;
                found.push(Entry::Person(user, Box::new(card)));
            }
            let groups = tx.all(tables::SEARCH_GROUPS, row, read_group)?;
            found.extend(groups.into_iter().map(Entry::Group));
            found.sort_by_cached_key(|entry| entry.display_name().to_lowercase());
            found.truncate(limit);
            Ok::<_, Error>(found)
        };
        Ok(self.0.database.read(job).await?)
    }
}

impl Directory {
    /// The person who may be written to, or the group, that an address reaches.
    pub async fn entry(&self, address: &str) -> Result<Option<Entry>, DirectoryError> {
        let address = address.to_owned();
        let job = move |tx: &Tx<'_>| {
            if let Some(user) = resolve(tx, &address)?.filter(|user| !user.disabled) {
                let card = card(tx, user.id)?;
                return Ok(Some(Entry::Person(user, Box::new(card))));
            }
            let found = group(tx, &address)?.filter(|_| address.contains('@'));
            Ok::<_, Error>(found.filter(|group| group.address.is_some()).map(Entry::Group))
        };
        Ok(self.0.database.read(job).await?)
    }
}

/// What the address list says of a user, inside a transaction.
pub fn card(tx: &Tx<'_>, id: UserId) -> Result<Card, Error> {
    let found = tx.one(tables::CARD, params![id], |row| {
        Ok(Card {
            first_name: row.get(0)?,
            last_name: row.get(1)?,
            phone: row.get(2)?,
            mobile_phone: row.get(3)?,
            home_phone: row.get(4)?,
            title: row.get(5)?,
            company: row.get(6)?,
            office: row.get(7)?,
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Writes it, inside a transaction.
pub(super) fn set_card(
    tx: &Tx<'_>,
    id: UserId,
    card: &Card,
    display_name: &str,
) -> Result<(), Error> {
    let [first, last, phone, mobile, home, title, company, office] =
        card.fields().map(|field| field.as_deref());
    let words = card.words(display_name);
    let row = params![id, first, last, phone, mobile, home, title, company, office, &words];
    tx.execute(tables::SET_CARD, row)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_and_have_a_blank_before_each() {
        let card = Card {
            first_name: Some("Änne".into()),
            office: Some("B 12".into()),
            phone: Some("+49 30 1".into()),
            ..Card::default()
        };
        assert_eq!(card.words("Lee,  Änne"), " änne b 12 lee, änne");
    }
}
