//! Settings ([MS-ASCMD] 2.2.1.18): a device describes itself and asks who its user is; what we do not keep is refused in the
//! property's own words.

mod oof;

use activesync::command::settings::{
    Account, Answer, EmailAddresses, OofRequest, Property, Request, Response,
    RightsManagementTemplates, UserInformation,
};
use activesync::status::{Status, common, settings_property as status};

use super::provision::describe;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::Outcome;
use crate::eas::status::Refusal;
use crate::mailbox::MailboxError;

/// Serves one request.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = ask.decode()?;
    if request.properties.iter().any(is_too_long) {
        return Err(Refusal::Status(activesync::status::settings::PROTOCOL_ERROR));
    }
    let mut answers = Vec::with_capacity(request.properties.len());
    for property in &request.properties {
        answers.push(property_answer(ask, property).await?);
    }
    Ok(ask.plain(&Response { status: status::SUCCESS, answers }).into())
}

/// Whether there is more in it than the schema has.
fn is_too_long(property: &Property) -> bool {
    match property {
        Property::DevicePassword(password) => password.0.chars().count() > PASSWORD_CHARS_MAX,
        Property::Oof(OofRequest::Set(oof)) => oof.messages.len() > MESSAGES_MAX,
        _ => false,
    }
}

async fn property_answer(ask: &Ask, property: &Property) -> Result<Answer, Refusal> {
    Ok(match property {
        Property::DeviceInformation(information) => {
            describe(ask, information).await?;
            Answer::DeviceInformation(status::SUCCESS)
        }
        Property::UserInformation => {
            Answer::UserInformation { status: status::SUCCESS, get: Some(user(ask).await?) }
        }
        Property::Oof(request) => oof::answer(ask, request).await?,
        Property::DevicePassword(_) => Answer::DevicePassword(DENIED_BY_POLICY),
        Property::RightsManagementInformation => {
            let status = common::IRM_FEATURE_DISABLED;
            // The schema wants templates, though there are none.
            let get = Some(RightsManagementTemplates::default());
            Answer::RightsManagementInformation { status, get }
        }
    })
}

/// The one account, the address mail is sent from first. It is the primary account, so it has no AccountId
/// ([MS-ASCMD] 2.2.3.3.2).
async fn user(ask: &Ask) -> Result<UserInformation, Refusal> {
    let addresses = ask.desk.directory.addresses(ask.user.id).await;
    let mut smtp_addresses = addresses.map_err(|error| MailboxError::Ours(error.to_string()))?;
    let primary = &ask.user.address;
    smtp_addresses.sort_by_key(|address| address != primary);
    let addresses = EmailAddresses { smtp_addresses, primary_smtp_address: Some(primary.clone()) };
    let account = Account {
        account_id: None,
        account_name: Some(primary.chars().take(NAME_CHARS_MAX).collect()),
        user_display_name: Some(ask.user.display_name.chars().take(NAME_CHARS_MAX).collect())
            .filter(|name: &String| !name.is_empty()),
        send_disabled: Some(ask.desk.outgoing.is_none()),
        email_addresses: Some(addresses),
    };
    Ok(UserInformation { accounts: vec![account] })
}

/// Characters of AccountName and UserDisplayName ([MS-ASCMD] 2.2.3.4, 2.2.3.191).
const NAME_CHARS_MAX: usize = 512;
/// Characters of a recovery password ([MS-ASCMD] 2.2.3.132).
const PASSWORD_CHARS_MAX: usize = 255;
/// One message for each audience ([MS-ASCMD] 2.2.3.123).
const MESSAGES_MAX: usize = 3;
/// [MS-ASCMD] 2.2.3.177.15, of DevicePassword: recovery is off, as every policy of ours says by not naming PasswordRecoveryEnabled
/// ([MS-ASPROV] 2.2.2.39). What unlocks a phone would have to be kept so that we could read it, and whoever reads our state with us.
const DENIED_BY_POLICY: Status = Status(7);
