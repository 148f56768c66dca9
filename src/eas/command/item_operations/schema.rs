//! Schema: the properties a phone wants of an item, and no others ([MS-ASCMD] 2.2.3.158).

use activesync::code_pages::{air_sync_base as base, email};
use activesync::item::email::Email;
use wbxml::Tag;

/// The item with what `schema` names.
pub(super) fn only(item: Email, schema: &[Tag]) -> Email {
    let has = |tag: Tag| schema.contains(&tag);
    Email {
        to: item.to.filter(|_| has(email::TO)),
        cc: item.cc.filter(|_| has(email::CC)),
        from: item.from.filter(|_| has(email::FROM)),
        reply_to: item.reply_to.filter(|_| has(email::REPLY_TO)),
        date_received: item.date_received.filter(|_| has(email::DATE_RECEIVED)),
        subject: item.subject.filter(|_| has(email::SUBJECT)),
        display_to: item.display_to.filter(|_| has(email::DISPLAY_TO)),
        importance: item.importance.filter(|_| has(email::IMPORTANCE)),
        read: item.read.filter(|_| has(email::READ)),
        message_class: item.message_class.filter(|_| has(email::MESSAGE_CLASS)),
        meeting_request: item.meeting_request.filter(|_| has(email::MEETING_REQUEST)),
        thread_topic: item.thread_topic.filter(|_| has(email::THREAD_TOPIC)),
        internet_cpid: item.internet_cpid.filter(|_| has(email::INTERNET_CPID)),
        body: item.body.filter(|_| has(base::BODY)),
        body_parts: if has(base::BODY_PART) { item.body_parts } else { Vec::new() },
        attachments: item.attachments.filter(|_| has(base::ATTACHMENTS)),
        ..Email::default()
    }
}
