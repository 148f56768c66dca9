//! SmartForward ([MS-ASCMD] 2.2.1.19): a mail with the original and its attachments in it.

use activesync::command::smart_forward::Request;
use activesync::status::common;

use super::mail;
use super::smart_reply::{Original, Smart, Verb, as_before, plain};
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::gateway::MailName;
use crate::eas::status::Refusal;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    if mail::is_plain(ask.version) {
        return plain(ask).await;
    }
    let request: Request = ask.decode()?;
    let name = mail::name(&request.client_id)?;
    as_before(ask, &name, forward(ask, &name, &request).await).await
}

async fn forward(ask: &Ask, name: &MailName, request: &Request) -> Result<Outcome, Refusal> {
    let source = Original::find(ask, &request.source).await?;
    // Forwardees are for appointments, of which there are none here.
    if request.is_contradictory() {
        return Err(Refusal::Status(common::INVALID_MIME_BODY_COMBINATION));
    }
    let Some(mime) = &request.mime else {
        return Err(Refusal::Status(common::INVALID_SMART_FORWARD_PARAMETERS));
    };
    mail::check_letter(request.account_id.as_deref(), request.template_id.as_deref())?;
    let smart = Smart {
        name,
        source,
        mime,
        replace_mime: request.replace_mime,
        save_in_sent: request.save_in_sent_items,
        verb: Verb::Forward,
    };
    smart.carry_out(ask).await
}
