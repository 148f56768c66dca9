//! GetAttachment ([MS-ASCMD] 2.2.1.7), up to 12.1: the octets of an attachment as they are, with its media type. It passes the gate
//! as a fetch of ItemOperations does, and is cut in flight as that is.
//!
//! Departs from [MS-ASCMD] 2.2.1.7: what is not there, and what a recall covers, is HTTP 404 and not 500. With 500 phones look for
//! another server, and a phone need not learn which of the two it is.

use activesync::command::get_attachment::Request;
use activesync::status::common;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::item_operations::attachment::{File, NoFile};
use crate::eas::convert::AttachmentId;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;

/// Times it is looked for anew because it was fenced meanwhile.
const TRIES: usize = 4;
/// The type of what has none that a header can say.
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request = Request::from_query(&ask.query)?;
    let id = AttachmentId::parse(request.attachment.as_str()).ok_or(Refusal::NotThere)?;
    for _ in 0..TRIES {
        let mut file = match File::find(ask, id).await? {
            Ok(file) => file,
            Err(NoFile::NotThere) => return Err(Refusal::NotThere),
            Err(NoFile::Forbidden | NoFile::TooLarge) => {
                return Err(Refusal::Status(common::ACCESS_DENIED));
            }
        };
        let octets = Bytes::from(std::mem::take(&mut file.octets));
        ask.hold_nothing();
        ask.hold(octets.len())?;
        let content_type = HeaderValue::from_str(&file.content_type).unwrap_or(OCTETS);
        let (content, told) = (file.content(), file.told(None, octets.len()));
        drop(file);
        if let Some(released) = ask.release_file(octets, content, told).await? {
            return Ok(ask.send(released).with(CONTENT_TYPE, content_type).into());
        }
    }
    Err(Refusal::Restless)
}
