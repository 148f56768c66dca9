//! SendMail ([MS-ASCMD] 2.2.1.17): a mail as the phone made it, sent once however often its ClientId, or up to 12.1 the same mail,
//! comes.

use activesync::command::send_mail::Request;

use super::mail;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;

/// Answers it.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    if mail::is_plain(ask.version) {
        let (name, request) = mail::plain(ask)?;
        return mail::send(ask, &name, &request.mime, request.save_in_sent_items).await;
    }
    let request: Request = ask.decode()?;
    mail::check_letter(request.account_id.as_deref(), request.template_id.as_deref())?;
    let name = mail::name(&request.client_id)?;
    mail::send(ask, &name, &request.mime, request.save_in_sent_items).await
}
