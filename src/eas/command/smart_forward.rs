//! SmartForward ([MS-ASCMD] 2.2.1.19): a mail with the original and its attachments in it.

use activesync::command::smart_forward::Request;
use activesync::status::common;

use super::smart_reply::{Smart, Verb};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    if request.is_contradictory() {
        return Err(Refusal::Status(common::INVALID_SMART_FORWARD_PARAMETERS));
    }
    if request.account_id.is_some() {
        return Err(Refusal::Status(common::INVALID_ACCOUNT_ID));
    }
    if request.template_id.is_some() {
        return Err(Refusal::Status(common::IRM_FEATURE_DISABLED));
    }
    // Forwardees without a mail are for appointments, of which there are none here.
    let Some(mime) = &request.mime else {
        return Err(Refusal::Status(common::INVALID_SMART_FORWARD_PARAMETERS));
    };
    let smart = Smart {
        client_id: &request.client_id,
        source: &request.source,
        mime,
        replace_mime: request.replace_mime,
        save_in_sent: request.save_in_sent_items,
        verb: Verb::Forward,
    };
    smart.carry_out(ask).await
}
