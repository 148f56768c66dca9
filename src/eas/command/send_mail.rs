//! SendMail ([MS-ASCMD] 2.2.1.17): a mail as the phone made it, sent once however often its ClientId comes.

use activesync::command::send_mail::Request;

use super::mail;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    mail::check_letter(request.account_id.as_deref(), request.template_id.as_deref())?;
    mail::send(ask, &request.client_id, &request.mime, request.save_in_sent_items).await
}
