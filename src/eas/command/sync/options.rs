//! What a phone wants of the items of a collection: sticky, stored with the collection in the words of the wire
//! ([MS-ASCMD] 2.2.3.125.5).

use activesync::command::sync::{Collection, Options, Request};
use activesync::item::body::{BodyType, MimeSupport};
use activesync::status::{Status, common, sync as status};
use activesync::types::{CollectionId, SyncKey};
use activesync::{Document, ProtocolVersion};

use crate::eas::convert::ItemOptions;
use crate::sync::{Turn, Wins, window};

/// Takes the options of a request into the turn, where it has any, and says what holds from now on. `Err` is the Status of the
/// collection.
pub(super) fn settle(
    turn: &mut Turn,
    said: &[Options],
    version: ProtocolVersion,
) -> Result<ItemOptions, Status> {
    if said.iter().any(|options| {
        options.filter_type.is_some_and(|f| f > window::FILTER_MAX) && is_mail(options)
    }) {
        return Err(status::PROTOCOL_ERROR);
    }
    // [MS-ASCON] 3.2.5.7: parts are made of HTML alone.
    let mut parts = said.iter().flat_map(|options| &options.body_part_preferences);
    if parts.any(|wish| wish.body_type != BodyType::Html) {
        return Err(common::BODY_PART_PREFERENCE_TYPE_NOT_SUPPORTED);
    }
    let mail = said.iter().find(|options| is_mail(options));
    if said.len() > 1 && said.iter().any(|options| !is_mail(options) && !is_sms(options)) {
        return Err(status::PROTOCOL_ERROR);
    }
    match mail {
        Some(options) => {
            let filter = options.filter_type.unwrap_or(window::FILTER_ALL);
            turn.set_options(filter, Some(encode(options)));
            Ok(of(options, version))
        }
        None if turn.begins() => {
            turn.set_options(window::FILTER_ALL, None);
            Ok(ItemOptions::new(version))
        }
        None => Ok(stored(turn, version)),
    }
}

/// What the collection's row says.
pub(super) fn stored(turn: &Turn, version: ProtocolVersion) -> ItemOptions {
    let options = turn.collection().options.as_deref().and_then(decode);
    options.map_or_else(|| ItemOptions::new(version), |options| of(&options, version))
}

/// Who wins a conflict: the store, unless the phone asked otherwise ([MS-ASCMD] 2.2.3.34).
pub(super) fn wins(turn: &Turn) -> Wins {
    let options = turn.collection().options.as_deref().and_then(decode);
    match options.and_then(|options| options.conflict) {
        Some(KEEP_CLIENT) => Wins::Phone,
        _ => Wins::Store,
    }
}

/// Conflict: the client's object is kept.
const KEEP_CLIENT: u8 = 0;

fn is_mail(options: &Options) -> bool {
    options.class.as_ref().is_none_or(|class| class.is_email())
}

fn is_sms(options: &Options) -> bool {
    options.class.as_ref().is_some_and(|class| class.as_str() == "SMS")
}

fn of(options: &Options, version: ProtocolVersion) -> ItemOptions {
    ItemOptions {
        version,
        body_preferences: options.body_preferences.clone(),
        body_part_preferences: options.body_part_preferences.clone(),
        mime_support: options.mime_support.unwrap_or(MimeSupport::Never),
        mime_truncation: options.mime_truncation,
        whole: false,
    }
}

/// Written in the newest version, whatever the phone speaks: the options outlive a change of version.
fn encode(options: &Options) -> Vec<u8> {
    let mut collection = Collection::new(CollectionId::default(), SyncKey::initial());
    collection.options = vec![Options { class: None, ..options.clone() }];
    Request { collections: vec![collection], ..Request::default() }.encode(ProtocolVersion::V16_1)
}

fn decode(blob: &[u8]) -> Option<Options> {
    let request = Request::decode(ProtocolVersion::V16_1, blob).ok()?;
    request.collections.into_iter().next()?.options.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use activesync::item::body::{BodyPreference, BodyType};

    #[test]
    fn options_come_back_as_they_were_said() {
        let preference = BodyPreference {
            truncation_size: Some(500),
            preview: Some(100),
            ..BodyPreference::new(BodyType::Html)
        };
        let options = Options {
            filter_type: Some(3),
            body_preferences: vec![preference],
            mime_support: Some(MimeSupport::All),
            mime_truncation: Some(4),
            conflict: Some(0),
            ..Options::default()
        };
        assert_eq!(decode(&encode(&options)), Some(options));
        assert_eq!(decode(&encode(&Options::default())), Some(Options::default()));
        assert_eq!(decode(b"rubbish"), None);
    }
}
