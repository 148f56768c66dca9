//! Who is away, and what is to be answered meanwhile: the out-of-office settings of a user, as [MS-ASCMD] 2.2.3.122 knows them.
//!
//! A user nobody has set anything for is there, and has three empty texts. What follows from being away is a matter of `delivery`.

use super::{Directory, DirectoryError, tables};
use crate::clock::Timestamp;
use crate::database::{Error, Tx};
use crate::ids::UserId;
use crate::params;

/// What is answered while a user is away, and when that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Away {
    /// When.
    pub when: AwayWhen,
    /// What, to each [`Audience`] in its order.
    pub texts: [AwayText; 3],
    /// Since when this absence has been declared; what tells one absence from the next.
    pub began_at: Timestamp,
}

/// When a user is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AwayWhen {
    /// Not at all.
    #[default]
    Never,
    /// From now on.
    Always,
    /// From one time until another.
    Between(Timestamp, Timestamp),
}

/// What one audience is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwayText {
    /// Is it answered at all?
    pub is_enabled: bool,
    /// The text, if there is one.
    pub text: Option<String>,
    /// Is the text HTML?
    pub is_html: bool,
}

/// To whom one answers ([MS-ASCMD] 2.2.3.123).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Our own people.
    Internal,
    /// Others the user knows: has written to lately.
    Known,
    /// Everybody else.
    Unknown,
}

impl Audience {
    /// All of them, in the order in which their texts stand.
    pub const ALL: [Audience; 3] = [Audience::Internal, Audience::Known, Audience::Unknown];

    /// The place of its text among [`Away::texts`].
    pub fn index(self) -> usize {
        match self {
            Audience::Internal => 0,
            Audience::Known => 1,
            Audience::Unknown => 2,
        }
    }
}

impl Away {
    /// Whether the user is away at that moment.
    pub fn is_away(&self, at: Timestamp) -> bool {
        match self.when {
            AwayWhen::Never => false,
            AwayWhen::Always => true,
            AwayWhen::Between(from, until) => from <= at && at < until,
        }
    }

    /// What is answered to an audience; none where it is not answered.
    pub fn answer(&self, to: Audience) -> Option<&AwayText> {
        let text = &self.texts[to.index()];
        let says_something = text.text.as_ref().is_some_and(|text| !text.trim().is_empty());
        (text.is_enabled && says_something).then_some(text)
    }
}

impl Directory {
    /// What is answered while a user is away.
    pub async fn away(&self, id: UserId) -> Result<Away, DirectoryError> {
        Ok(self.0.database.read(move |tx| away(tx, id)).await?)
    }

    /// Ends an absence that is declared, now or for later; the texts stay.
    pub async fn end_absence(&self, id: UserId) -> Result<(), DirectoryError> {
        let now = self.0.clock.now();
        let job = move |tx: &Tx<'_>| {
            let there = Away { when: AwayWhen::Never, ..away(tx, id)? };
            set_away(tx, id, &there, now)
        };
        Ok(self.0.database.write(job).await?)
    }
}

/// What is answered while a user is away, inside a transaction.
pub fn away(tx: &Tx<'_>, id: UserId) -> Result<Away, Error> {
    let row = tx.one(tables::AWAY, params![id], |row| {
        let state: i64 = row.get(0)?;
        let times: (Option<Timestamp>, Option<Timestamp>) = (row.get(1)?, row.get(2)?);
        Ok((state, times, row.get::<Timestamp>(3)?))
    })?;
    let Some((state, times, began_at)) = row else { return Ok(Away::default()) };
    let when = match (state, times) {
        (ON, _) => AwayWhen::Always,
        (TIMED, (Some(from), Some(until))) => AwayWhen::Between(from, until),
        _ => AwayWhen::Never,
    };
    let mut found = Away { when, began_at, ..Away::default() };
    let texts = tx.all(tables::AWAY_TEXTS, params![id], |row| {
        let text = AwayText { is_enabled: row.get(1)?, is_html: row.get(2)?, text: row.get(3)? };
        Ok((row.get::<usize>(0)?, text))
    })?;
    for (audience, text) in texts {
        if let Some(slot) = audience.checked_sub(1).and_then(|at| found.texts.get_mut(at)) {
            *slot = text;
        }
    }
    Ok(found)
}

/// Sets it, inside a transaction. Another time, or the first after none, is another absence.
pub fn set_away(tx: &Tx<'_>, id: UserId, new: &Away, now: Timestamp) -> Result<(), Error> {
    let old = away(tx, id)?;
    let began_at = if old.when == new.when { old.began_at } else { now };
    let (state, from, until) = match new.when {
        AwayWhen::Never => (OFF, None, None),
        AwayWhen::Always => (ON, None, None),
        AwayWhen::Between(from, until) => (TIMED, Some(from), Some(until)),
    };
    tx.execute(tables::SET_AWAY, params![id, state, from, until, began_at])?;
    for (audience, text) in (1_i64..).zip(&new.texts) {
        let row = params![id, audience, text.is_enabled, text.is_html, text.text.as_deref()];
        tx.execute(tables::SET_AWAY_TEXT, row)?;
    }
    Ok(())
}

const OFF: i64 = 0;
const ON: i64 = 1;
const TIMED: i64 = 2;
/// Octets of one text.
pub const AWAY_TEXT_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn away_is_a_matter_of_time_and_an_answer_one_of_words() {
        let away = |when| Away { when, ..Away::default() };
        assert!(!away(AwayWhen::Never).is_away(Timestamp(5)));
        assert!(away(AwayWhen::Always).is_away(Timestamp(5)));
        let between = away(AwayWhen::Between(Timestamp(5), Timestamp(7)));
        let at = [4, 5, 6, 7].map(|at| between.is_away(Timestamp(at)));
        assert_eq!(at, [false, true, true, false]);
        let mut away = away(AwayWhen::Always);
        away.texts[1] =
            AwayText { is_enabled: true, text: Some("Back soon".into()), is_html: false };
        away.texts[2] = AwayText { is_enabled: true, text: Some("  ".into()), is_html: false };
        assert!(away.answer(Audience::Internal).is_none());
        assert!(away.answer(Audience::Known).is_some());
        assert!(away.answer(Audience::Unknown).is_none(), "there is nothing to say");
    }
}
