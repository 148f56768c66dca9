//! What must hold for any octets at all: the property that tests and the fuzz target share.

use bytes::Bytes;

use super::body::{BodyType, Preference, body_part, choose, fetch};
use super::{ADDRESS_LIST_OCTETS_MAX, Identity, Message, conversation_id, conversation_index};

/// Reads `octets` as a message and asks it everything; panics where a promise of this room is broken.
pub fn mime(octets: &[u8]) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(octets)) else { return };
    assert_eq!(Identity::of(&message), Identity::of_raw(octets));
    headers(&message);
    contents(&message);
    conversation_id(&message);
    assert!(conversation_index(&message).len() >= 5);
}

fn headers(message: &Message) {
    for text in [message.subject(), message.display_to(), message.thread_topic()] {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    for list in [message.to_text(), message.cc_text(), message.reply_to_text()] {
        assert!(
            list.len() <= ADDRESS_LIST_OCTETS_MAX && !list.contains(char::is_control),
            "{list:?}"
        );
    }
    assert!(message.importance() <= 2);
    message.message_class();
    message.internet_cpid();
    message.references();
}

fn contents(message: &Message) {
    for attachment in message.attachments() {
        let octets =
            message.attachment_bytes(attachment.index).expect("every index listed can be read");
        assert_eq!(octets.len(), attachment.size);
        assert!(!attachment.display_name.is_empty());
    }
    for kind in [BodyType::Plain, BodyType::Html, BodyType::Mime] {
        for truncation_size in [None, Some(1), Some(100)] {
            let wanted =
                Preference { kind, truncation_size, all_or_none: false, preview: Some(255) };
            for shaped in [
                choose(message, &[wanted], 2),
                fetch(message, &[wanted], 0),
                body_part(message, &wanted),
            ] {
                let data = shaped.data.unwrap_or_default();
                assert!(std::str::from_utf8(&data).is_ok() && !data.contains(&0));
                assert!(shaped.truncated || data.len() == shaped.estimated_size as usize);
                assert!(shaped.preview.unwrap_or_default().chars().count() <= 255);
            }
        }
    }
}
