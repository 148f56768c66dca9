//! Provision ([MS-ASPROV] 3.1.5.1): a device fetches its policy, acknowledges it, and answers a wipe.
//!
//! A directive that waits goes out in whatever answer the device gets here, before anything else; the books say so first.

use activesync::ProtocolVersion;
use activesync::command::CommandName;
use activesync::command::provision::{
    POLICY_TYPE_WBXML, PolicyDocument, PolicyRequest, PolicyResponse, Quantity, Request, Response,
};
use activesync::command::settings::DeviceInformation;
use activesync::status::{Status, policy as policy_status, provision as status};

use crate::database;
use crate::eas::dispatch::Ask;
use crate::eas::endpoint::{BoxFuture, Outcome};
use crate::eas::gateway::{Admission, Admitted, Asks};
use crate::eas::status::Refusal;
use crate::ledger::Device;
use crate::policy::{
    Acknowledged, Asking, Begun, Compliance, Description, Offer, Policies, Rules, Verdict,
    WipeAnswer, WipeKind, is_unprovisionable,
};

/// Serves one request.
pub(in crate::eas) async fn answer(ask: &Ask) -> Result<Outcome, Refusal> {
    let request: Request = if ask.body.is_empty() { Request::default() } else { ask.decode()? };
    let mut response = match wipe_said(&request) {
        Some((kind, said)) => wiped(ask, kind, said).await?,
        None => match &request.policy {
            Some(policy) => policy_phase(ask, policy, request.device_information.is_some()).await?,
            None => waiting(ask).await?,
        },
    };
    if let Some(information) = &request.device_information {
        describe(ask, information).await?;
        response.device_information = Some(status::SUCCESS);
    }
    Ok(ask.plain(&response).into())
}

/// Keeps what a device says of itself, here and in Settings.
pub(super) async fn describe(ask: &Ask, says: &DeviceInformation) -> Result<(), Refusal> {
    let Some(policies) = &ask.desk.policies else { return Ok(()) };
    let says = Description {
        model: says.model.clone(),
        os: says.os.clone(),
        friendly_name: says.friendly_name.clone(),
    };
    Ok(policies.describe(ask.device.id, says).await?)
}

fn wipe_said(request: &Request) -> Option<(WipeKind, Status)> {
    let device = request.remote_wipe.map(|said| (WipeKind::Device, said));
    device.or(request.account_only_remote_wipe.map(|said| (WipeKind::Account, said)))
}

/// Status 1 is a promise. Status 2 says that the wipe failed: the directive goes out again with the answer
/// ([MS-ASPROV] 2.2.2.45).
async fn wiped(ask: &Ask, kind: WipeKind, said: Status) -> Result<Response, Refusal> {
    let Some(policies) = &ask.desk.policies else {
        return Ok(Response::new(status::PROTOCOL_ERROR));
    };
    let is_promise = said == Status(1);
    Ok(match policies.wipe_answered(ask.device.id, kind, is_promise).await? {
        WipeAnswer::Promised => with_directive(Response::new(status::SUCCESS), Some(kind)),
        WipeAnswer::Failed => {
            let again = policies.directive(ask.device.id).await?;
            with_directive(Response::new(status::PROTOCOL_ERROR), again)
        }
        WipeAnswer::NotAsked => Response::new(status::PROTOCOL_ERROR),
    })
}

/// A request that asks for nothing: what waits for the device ([MS-ASPROV] 3.1.5.1.2).
async fn waiting(ask: &Ask) -> Result<Response, Refusal> {
    let directive = match &ask.desk.policies {
        Some(policies) => policies.directive(ask.device.id).await?,
        None => None,
    };
    Ok(with_directive(Response::new(status::SUCCESS), directive))
}

fn with_directive(mut response: Response, kind: Option<WipeKind>) -> Response {
    response.remote_wipe = kind == Some(WipeKind::Device);
    response.account_only_remote_wipe = kind == Some(WipeKind::Account);
    response
}

async fn policy_phase(
    ask: &Ask,
    request: &PolicyRequest,
    describes_itself: bool,
) -> Result<Response, Refusal> {
    let Some(policies) = &ask.desk.policies else {
        return Ok(said(request, policy_status::NO_POLICY));
    };
    match request.status {
        None => begin(ask, policies, request, describes_itself).await,
        Some(applied) => acknowledge(ask, policies, request, applied).await,
    }
}

/// Whether the device has never said what it is, here or in Settings.
fn is_unknown(device: &Device) -> bool {
    device.model.is_empty() && device.os.is_empty() && device.friendly_name.is_empty()
}

/// The first phase: the policy, under a temporary key. From 14.1 on a device says in it what it is ([MS-ASPROV] 2.2.2.53); one that
/// has said so before is not asked again.
async fn begin(
    ask: &Ask,
    policies: &Policies,
    request: &PolicyRequest,
    describes_itself: bool,
) -> Result<Response, Refusal> {
    // A wipe is fetched by whatever type of policy is asked for.
    if let Some(kind) = policies.directive(ask.device.id).await? {
        return Ok(with_directive(Response::new(status::SUCCESS), Some(kind)));
    }
    if request.policy_type != POLICY_TYPE_WBXML {
        return Ok(said(request, policy_status::UNKNOWN_POLICY_TYPE));
    }
    if ask.version >= ProtocolVersion::V14_1 && !describes_itself && is_unknown(&ask.device) {
        return Ok(Response::new(status::DEVICE_INFORMATION_REQUIRED));
    }
    match policies.begin(&ask.device).await? {
        Begun::Wipe(kind) => Ok(with_directive(Response::new(status::SUCCESS), Some(kind))),
        // Outlook cannot apply a policy, and goes on when told that there is none.
        Begun::Policy(offer)
            if offer.policy.exempts_unprovisionable
                && is_unprovisionable(&ask.device.device_type) =>
        {
            Ok(said(request, policy_status::NO_POLICY))
        }
        Begun::Policy(offer) => Ok(offered(offer)),
    }
}

fn offered(offer: Offer) -> Response {
    let policy = PolicyResponse {
        policy_type: POLICY_TYPE_WBXML.to_owned(),
        status: policy_status::SUCCESS,
        policy_key: Some(offer.key.to_string()),
        document: Some(document(&offer.policy.rules, offer.is_later)),
    };
    Response { policy: Some(policy), ..Response::new(status::SUCCESS) }
}

/// The second phase: what the device did with the policy, and the key it carries from then on.
async fn acknowledge(
    ask: &Ask,
    policies: &Policies,
    request: &PolicyRequest,
    applied: Status,
) -> Result<Response, Refusal> {
    if let Some(kind) = policies.directive(ask.device.id).await? {
        return Ok(with_directive(Response::new(status::SUCCESS), Some(kind)));
    }
    let Some(compliance) = Compliance::from_status(applied.0) else {
        return Ok(Response::new(status::PROTOCOL_ERROR));
    };
    let key = request.policy_key.as_ref().and_then(|key| key.trim().parse().ok());
    let Some(key) = key.or(ask.query.policy_key) else {
        return Ok(said(request, policy_status::POLICY_KEY_MISMATCH));
    };
    Ok(match policies.acknowledge(&ask.device, key, compliance).await? {
        Acknowledged::Key(key) => {
            let mut response = said(request, policy_status::SUCCESS);
            if let Some(policy) = &mut response.policy {
                policy.policy_key = Some(key.to_string());
            }
            response
        }
        Acknowledged::UnknownKey => said(request, policy_status::POLICY_KEY_MISMATCH),
        // [MS-ASCMD] 2.2.2: up to 12.1 these are said in HTTP.
        Acknowledged::NotCompliant if ask.version < ProtocolVersion::V14_0 => {
            return Err(Refusal::Status(status::DEVICE_NOT_FULLY_PROVISIONABLE));
        }
        Acknowledged::ManagedElsewhere if ask.version < ProtocolVersion::V14_0 => {
            return Err(Refusal::Status(status::EXTERNALLY_MANAGED));
        }
        Acknowledged::NotCompliant => Response::new(status::DEVICE_NOT_FULLY_PROVISIONABLE),
        Acknowledged::ManagedElsewhere => Response::new(status::EXTERNALLY_MANAGED),
    })
}

/// An answer about the policy alone. A type that does not exist is not repeated ([MS-ASPROV] 2.2.2.43).
fn said(request: &PolicyRequest, about: Status) -> Response {
    let is_type = [POLICY_TYPE_WBXML, POLICY_TYPE_WAP].contains(&request.policy_type.as_str());
    let policy_type = if is_type { &request.policy_type } else { POLICY_TYPE_WBXML };
    let policy = PolicyResponse {
        policy_type: policy_type.to_owned(),
        status: about,
        policy_key: None,
        document: None,
    };
    Response { policy: Some(policy), ..Response::new(status::SUCCESS) }
}

/// The rules on the wire. What is not demanded is not said, except for the two that some phones insist on, and to a device that has
/// obeyed another policy before ([MS-ASPROV] 3.2.5.1.1). A limit that is unlimited is left out or is the largest number, since `-1`
/// makes a client drop the whole policy.
fn document(rules: &Rules, is_later: bool) -> PolicyDocument {
    let lifted = if is_later { nothing_demanded() } else { PolicyDocument::default() };
    let quantity = |number: Option<u32>, lifted: Option<Quantity>| {
        number.map(|number| Quantity::Is(i64::from(number))).or(lifted)
    };
    let small = |number: Option<u8>, lifted| quantity(number.map(u32::from), lifted);
    PolicyDocument {
        device_password_enabled: Some(rules.password_required.unwrap_or(false)),
        alphanumeric_device_password_required: rules
            .password_alphanumeric
            .or(lifted.alphanumeric_device_password_required),
        require_storage_card_encryption: rules
            .card_encryption
            .or(lifted.require_storage_card_encryption),
        attachments_enabled: Some(rules.attachments_allowed.unwrap_or(true)),
        min_device_password_length: small(
            rules.password_length_min,
            lifted.min_device_password_length,
        ),
        max_inactivity_time_device_lock: quantity(
            rules.lock_after_s,
            lifted.max_inactivity_time_device_lock,
        ),
        max_device_password_failed_attempts: small(
            rules.password_attempts_max,
            lifted.max_device_password_failed_attempts,
        ),
        max_attachment_size: quantity(rules.attachment_octets_max, lifted.max_attachment_size),
        allow_simple_device_password: rules
            .password_simple_allowed
            .or(lifted.allow_simple_device_password),
        device_password_expiration: quantity(
            rules.password_days_max,
            lifted.device_password_expiration,
        ),
        device_password_history: quantity(rules.password_history, lifted.device_password_history),
        allow_storage_card: rules.card_allowed.or(lifted.allow_storage_card),
        allow_camera: rules.camera_allowed.or(lifted.allow_camera),
        require_device_encryption: rules.device_encryption.or(lifted.require_device_encryption),
        allow_unsigned_applications: rules
            .unsigned_applications_allowed
            .or(lifted.allow_unsigned_applications),
        min_device_password_complex_characters: small(
            rules.password_kinds_min,
            lifted.min_device_password_complex_characters,
        ),
        allow_wifi: rules.wifi_allowed.or(lifted.allow_wifi),
        allow_bluetooth: small(rules.bluetooth, lifted.allow_bluetooth),
        require_manual_sync_when_roaming: rules
            .manual_when_roaming
            .or(lifted.require_manual_sync_when_roaming),
        allow_html_email: rules.html_allowed.or(lifted.allow_html_email),
        max_email_age_filter: small(rules.mail_age_filter_max, lifted.max_email_age_filter),
        max_email_body_truncation_size: quantity(
            rules.body_octets_max,
            lifted.max_email_body_truncation_size,
        ),
        max_email_html_body_truncation_size: quantity(
            rules.html_body_octets_max,
            lifted.max_email_html_body_truncation_size,
        ),
        allow_browser: rules.browser_allowed.or(lifted.allow_browser),
        allow_consumer_email: rules.other_mail_allowed.or(lifted.allow_consumer_email),
        ..PolicyDocument::default()
    }
}

/// What a device does that obeys nothing: in words, since what is missing leaves a device as it is.
fn nothing_demanded() -> PolicyDocument {
    PolicyDocument {
        alphanumeric_device_password_required: Some(false),
        require_storage_card_encryption: Some(false),
        min_device_password_length: Some(Quantity::Unset),
        max_inactivity_time_device_lock: Some(Quantity::Unset),
        max_device_password_failed_attempts: Some(Quantity::Unset),
        max_attachment_size: Some(Quantity::Unset),
        allow_simple_device_password: Some(true),
        device_password_expiration: Some(Quantity::Unset),
        device_password_history: Some(Quantity::Is(0)),
        allow_storage_card: Some(true),
        allow_camera: Some(true),
        require_device_encryption: Some(false),
        allow_unsigned_applications: Some(true),
        min_device_password_complex_characters: Some(Quantity::Is(1)),
        allow_wifi: Some(true),
        allow_bluetooth: Some(Quantity::Is(2)),
        require_manual_sync_when_roaming: Some(false),
        allow_html_email: Some(true),
        max_email_age_filter: Some(Quantity::Is(0)),
        max_email_body_truncation_size: Some(Quantity::Is(i64::from(i32::MAX))),
        max_email_html_body_truncation_size: Some(Quantity::Is(i64::from(i32::MAX))),
        allow_browser: Some(true),
        allow_consumer_email: Some(true),
        ..PolicyDocument::default()
    }
}

/// The type of policy of 2.5, which is not served.
const POLICY_TYPE_WAP: &str = "MS-WAP-Provisioning-XML";

impl Admission for Policies {
    fn admit<'a>(&'a self, asks: Asks<'a>) -> BoxFuture<'a, Result<Admitted, database::Error>> {
        Box::pin(async move {
            let asking = match asks.command {
                CommandName::Provision => Asking::Provision,
                CommandName::Ping => Asking::Ping,
                _ => Asking::Other,
            };
            let begins_anew = asks.command == CommandName::FolderSync;
            let verdict =
                Policies::admit(self, asks.device, asking, asks.policy_key, begins_anew).await?;
            Ok(match verdict {
                Verdict::Admitted => Admitted::Yes,
                Verdict::NotProvisioned => Admitted::NotProvisioned,
                Verdict::PolicyRefresh => Admitted::PolicyRefresh,
                Verdict::InvalidPolicyKey => Admitted::InvalidPolicyKey,
                Verdict::WipeRequested => Admitted::WipeRequested,
                Verdict::Blocked => Admitted::Blocked,
                Verdict::Quarantined => Admitted::Quarantined,
            })
        })
    }
}
