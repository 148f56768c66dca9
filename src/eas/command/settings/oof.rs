//! Oof ([MS-ASCMD] 2.2.3.122): told in the type that was asked for, and set as a whole or not at all.

use activesync::command::settings::{Answer, Oof, OofMessage, OofRequest};
use activesync::status::{Status, settings_property as status};
use activesync::types::DateTime;

use crate::audit::{self, Event};
use crate::clock::Timestamp;
use crate::database::{self, Tx};
use crate::directory::{self, AWAY_TEXT_BYTES_MAX, Audience, Away, AwayText, AwayWhen};
use crate::eas::dispatch::Ask;
use crate::eas::status::Refusal;
use crate::mailbox::MailboxError;
use crate::message::{html_of_plain, plain_of_html};

/// Tells it, or sets it.
pub(super) async fn answer(ask: &Ask, request: &OofRequest) -> Result<Answer, Refusal> {
    match request {
        OofRequest::Get(kind) => {
            let Some(as_html) = is_html(kind) else {
                return Ok(Answer::Oof { status: status::INVALID_ARGUMENTS, get: None });
            };
            let away = ask.desk.directory.away(ask.user.id).await;
            let away = away.map_err(|error| MailboxError::Ours(error.to_string()))?;
            Ok(Answer::Oof { status: status::SUCCESS, get: Some(told(&away, as_html)) })
        }
        OofRequest::Set(oof) => {
            let status = match Change::read(oof) {
                Ok(change) => set(ask, change).await?,
                Err(wrong) => wrong,
            };
            Ok(Answer::Oof { status, get: None })
        }
    }
}

/// What a request changes; what it does not name stays.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    when: Option<AwayWhen>,
    texts: [Option<AwayText>; 3],
}

impl Change {
    /// The Status of the property where the values cannot be meant ([MS-ASCMD] 2.2.3.177.15).
    fn read(oof: &Oof) -> Result<Change, Status> {
        let mut change = Change { when: when(oof)?, texts: Default::default() };
        for message in &oof.messages {
            let text = text(message)?;
            let applies = [
                message.applies_to_internal,
                message.applies_to_external_known,
                message.applies_to_external_unknown,
            ];
            if applies == [false; 3] {
                return Err(status::INVALID_ARGUMENTS);
            }
            for (slot, _) in change.texts.iter_mut().zip(applies).filter(|(_, applies)| *applies) {
                if slot.replace(text.clone()).is_some() {
                    return Err(status::CONFLICTING_ARGUMENTS);
                }
            }
        }
        Ok(change)
    }

    fn apply(&self, away: &mut Away) {
        away.when = self.when.unwrap_or(away.when);
        for (old, new) in away.texts.iter_mut().zip(&self.texts) {
            if let Some(new) = new {
                old.clone_from(new);
            }
        }
    }
}

/// Times count only with state 2, and stand together ([MS-ASCMD] 2.2.3.124, 2.2.3.176.2, 2.2.3.61.2).
fn when(oof: &Oof) -> Result<Option<AwayWhen>, Status> {
    let times = match (oof.start_time, oof.end_time) {
        (Some(from), Some(until)) => Some((Timestamp(from.ms()), Timestamp(until.ms()))),
        (None, None) => None,
        _ => return Err(status::PROTOCOL_ERROR),
    };
    match (oof.state, times) {
        (None, _) => Ok(None),
        (Some(0), _) => Ok(Some(AwayWhen::Never)),
        (Some(1), _) => Ok(Some(AwayWhen::Always)),
        (Some(2), Some((from, until))) if from < until => Ok(Some(AwayWhen::Between(from, until))),
        (Some(2), None) => Err(status::PROTOCOL_ERROR),
        _ => Err(status::INVALID_ARGUMENTS),
    }
}

/// A text says what type it is of ([MS-ASCMD] 2.2.3.17).
fn text(message: &OofMessage) -> Result<AwayText, Status> {
    let kind = message.body_type.as_deref().map(is_html);
    let is_html = match (&message.reply_message, kind) {
        (_, Some(None)) => return Err(status::INVALID_ARGUMENTS),
        (Some(_), None) => return Err(status::PROTOCOL_ERROR),
        (_, kind) => kind.flatten().unwrap_or(false),
    };
    if message.reply_message.as_ref().is_some_and(|text| text.len() > AWAY_TEXT_BYTES_MAX) {
        return Err(status::INVALID_ARGUMENTS);
    }
    Ok(AwayText {
        is_enabled: message.enabled.unwrap_or(false),
        text: message.reply_message.clone(),
        is_html,
    })
}

/// Text or HTML; `None` for what is neither.
fn is_html(kind: &str) -> Option<bool> {
    match kind.trim() {
        kind if kind.eq_ignore_ascii_case(TEXT) => Some(false),
        kind if kind.eq_ignore_ascii_case(HTML) => Some(true),
        _ => None,
    }
}

async fn set(ask: &Ask, change: Change) -> Result<Status, Refusal> {
    let (user, now) = (ask.user.id, ask.desk.engine.clock.now());
    let device = ask.device.id;
    let job = move |tx: &Tx<'_>| {
        let old = directory::away(tx, user)?;
        let mut new = old.clone();
        change.apply(&mut new);
        // Phones say it again and again.
        if new != old {
            directory::set_away(tx, user, &new, now)?;
            let event = Event::new("user.away_set").id("user", user).id("device", device);
            audit::note(tx, now, &event.text("when", state_name(new.when)))?;
        }
        Ok::<_, database::Error>(())
    };
    ask.desk.engine.database.write(job).await?;
    Ok(status::SUCCESS)
}

fn state_name(when: AwayWhen) -> &'static str {
    match when {
        AwayWhen::Never => "never",
        AwayWhen::Always => "always",
        AwayWhen::Between(..) => "between",
    }
}

/// All three audiences, also those with nothing to say ([MS-ASCMD] 2.2.3.122).
fn told(away: &Away, as_html: bool) -> Oof {
    let (state, times) = match away.when {
        AwayWhen::Never => (0, None),
        AwayWhen::Always => (1, None),
        AwayWhen::Between(from, until) => (2, Some((from, until))),
    };
    let message = |audience: Audience| {
        let text = &away.texts[audience.index()];
        let reply_message = text.text.as_deref().map(|words| match (text.is_html, as_html) {
            (true, false) => plain_of_html(words),
            (false, true) => html_of_plain(words),
            _ => words.to_owned(),
        });
        let body_type = reply_message.as_ref().map(|_| if as_html { HTML } else { TEXT });
        OofMessage {
            applies_to_internal: audience == Audience::Internal,
            applies_to_external_known: audience == Audience::Known,
            applies_to_external_unknown: audience == Audience::Unknown,
            enabled: Some(text.is_enabled),
            reply_message,
            body_type: body_type.map(str::to_owned),
        }
    };
    let date = |at: Timestamp| DateTime::from_ms(at.ms());
    Oof {
        state: Some(state),
        start_time: times.map(|(from, _)| date(from)),
        end_time: times.map(|(_, until)| date(until)),
        messages: Audience::ALL.map(message).into(),
    }
}

/// [MS-ASCMD] 2.2.3.17.
const TEXT: &str = "Text";
const HTML: &str = "HTML";

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(from: Option<&str>, until: Option<&str>) -> Oof {
        let date = |text: &str| DateTime::parse(text).unwrap();
        Oof {
            state: Some(2),
            start_time: from.map(date),
            end_time: until.map(date),
            ..Oof::default()
        }
    }

    #[test]
    fn times_stand_together_and_in_their_order() {
        let (early, late) = (Some("20261220T000000Z"), Some("20270103T000000Z"));
        assert!(matches!(when(&timed(early, late)), Ok(Some(AwayWhen::Between(..)))));
        assert_eq!(when(&timed(early, None)), Err(status::PROTOCOL_ERROR));
        assert_eq!(when(&timed(None, late)), Err(status::PROTOCOL_ERROR));
        assert_eq!(when(&timed(None, None)), Err(status::PROTOCOL_ERROR));
        assert_eq!(when(&timed(late, early)), Err(status::INVALID_ARGUMENTS));
        assert_eq!(when(&Oof { state: Some(1), ..timed(early, late) }), Ok(Some(AwayWhen::Always)));
        assert_eq!(when(&Oof { state: Some(3), ..Oof::default() }), Err(status::INVALID_ARGUMENTS));
        assert_eq!(when(&Oof::default()), Ok(None));
    }

    #[test]
    fn a_message_is_for_somebody_and_for_each_only_once() {
        let message = OofMessage {
            applies_to_internal: true,
            applies_to_external_known: true,
            enabled: Some(true),
            reply_message: Some("Away".into()),
            body_type: Some("text".into()),
            ..OofMessage::default()
        };
        let oof = |messages| Oof { messages, ..Oof::default() };
        let change = Change::read(&oof(vec![message.clone()])).unwrap();
        assert!(change.texts[0].is_some() && change.texts[1].is_some());
        assert!(change.texts[2].is_none(), "what is not named stays");
        let twice = oof(vec![message.clone(), message.clone()]);
        assert_eq!(Change::read(&twice), Err(status::CONFLICTING_ARGUMENTS));
        let nobody = OofMessage { reply_message: None, ..OofMessage::default() };
        assert_eq!(Change::read(&oof(vec![nobody])), Err(status::INVALID_ARGUMENTS));
        let untyped = OofMessage { body_type: None, ..message.clone() };
        assert_eq!(Change::read(&oof(vec![untyped])), Err(status::PROTOCOL_ERROR));
        let odd = OofMessage { body_type: Some("RTF".into()), ..message.clone() };
        assert_eq!(Change::read(&oof(vec![odd])), Err(status::INVALID_ARGUMENTS));
        let long = Some("x".repeat(AWAY_TEXT_BYTES_MAX + 1));
        let long = OofMessage { reply_message: long, ..message };
        assert_eq!(Change::read(&oof(vec![long])), Err(status::INVALID_ARGUMENTS));
    }
}
