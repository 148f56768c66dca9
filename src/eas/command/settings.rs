//! Settings ([MS-ASCMD] 2.2.1.18): a device describes itself and asks who its user is; what we do not keep is refused in the
//! property's own words.

use activesync::command::settings::{
    Account, Answer, EmailAddresses, Oof, OofRequest, Property, Request, Response, UserInformation,
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
    let mut answers = Vec::with_capacity(request.properties.len());
    for property in &request.properties {
        answers.push(property_answer(ask, property).await?);
    }
    Ok(ask.plain(&Response { status: status::SUCCESS, answers }).into())
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
        Property::Oof(request) => oof(request),
        Property::DevicePassword(_) => Answer::DevicePassword(DENIED_BY_POLICY),
        Property::RightsManagementInformation => {
            let status = common::IRM_FEATURE_DISABLED;
            Answer::RightsManagementInformation { status, get: None }
        }
    })
}

async fn user(ask: &Ask) -> Result<UserInformation, Refusal> {
    let addresses = ask.desk.directory.addresses(ask.user.id).await;
    let smtp_addresses = addresses.map_err(|error| MailboxError::Ours(error.to_string()))?;
    let addresses =
        EmailAddresses { smtp_addresses, primary_smtp_address: Some(ask.user.address.clone()) };
    let account = Account {
        user_display_name: Some(ask.user.display_name.clone()).filter(|name| !name.is_empty()),
        email_addresses: Some(addresses),
        ..Account::default()
    };
    Ok(UserInformation { accounts: vec![account] })
}

/// Nothing is answered while users are away: off is true, and the only thing that can be set.
fn oof(request: &OofRequest) -> Answer {
    match request {
        OofRequest::Get(_) => {
            let off = Oof { state: Some(0), ..Oof::default() };
            Answer::Oof { status: status::SUCCESS, get: Some(off) }
        }
        OofRequest::Set(oof) if oof.state.unwrap_or(0) == 0 => {
            Answer::Oof { status: status::SUCCESS, get: None }
        }
        OofRequest::Set(_) => Answer::Oof { status: ACCESS_DENIED, get: None },
    }
}

/// [MS-ASCMD] 2.2.3.177.15, of Oof.
const ACCESS_DENIED: Status = Status(3);
/// [MS-ASCMD] 2.2.3.177.15, of DevicePassword.
const DENIED_BY_POLICY: Status = Status(7);
