//! Provision: what a device must obey, and its erasure ([MS-ASPROV] 2.2).
//!
//! A client asks for the policy and is given a key with it; it acknowledges the policy under that key and is given the key
//! for all other commands. When a wipe is pending it is told here, and acknowledges here.

use wbxml::Tag;

use super::settings::{DeviceInformation, read_status, write_status};
use crate::code_pages::provision::*;
use crate::code_pages::settings::DEVICE_INFORMATION;
use crate::document::Document;
use crate::element::{Cursor, Result};
use crate::encoder::Encoder;
use crate::fields::{Element, Field};
use crate::status::Status;
use crate::version::ProtocolVersion;

mod policy_document;

pub use policy_document::{Applications, Hashes, PolicyDocument, Quantity};

/// The type of policy there is since 12.0: a document of elements.
pub const POLICY_TYPE_WBXML: &str = "MS-EAS-Provisioning-WBXML";

/// Asks for the policy, acknowledges it, or acknowledges a wipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// What the device is; since 14.1.
    pub device_information: Option<DeviceInformation>,
    /// The policy that is asked for or acknowledged.
    pub policy: Option<PolicyRequest>,
    /// What came of erasing the device: [`crate::status::remote_wipe`].
    pub remote_wipe: Option<Status>,
    /// What came of erasing the account: [`crate::status::remote_wipe`]; since 16.1.
    pub account_only_remote_wipe: Option<Status>,
}

/// A policy that is asked for or, with key and status, acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRequest {
    /// The type of the policy: [`POLICY_TYPE_WBXML`].
    pub policy_type: String,
    /// The key that came with it.
    pub policy_key: Option<String>,
    /// What the client made of it: [`crate::status::policy_applied`].
    pub status: Option<Status>,
}

/// The policy, or a wipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of what the device says it is: [`crate::status::settings_property`]; since 14.1.
    pub device_information: Option<Status>,
    /// What came of the whole: [`crate::status::provision`].
    pub status: Status,
    /// The policy; none with a wipe.
    pub policy: Option<PolicyResponse>,
    /// The device is to be erased.
    pub remote_wipe: bool,
    /// The account is to be erased from the device; since 16.1.
    pub account_only_remote_wipe: bool,
}

/// A policy, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyResponse {
    /// The type of the policy, as it was asked for.
    pub policy_type: String,
    /// What came of it: [`crate::status::policy`].
    pub status: Status,
    /// The key of the policy, a decimal number; only on success.
    pub policy_key: Option<String>,
    /// What is to be obeyed; only where it was asked for.
    pub document: Option<PolicyDocument>,
}

impl Response {
    /// An answer that is nothing but a status.
    pub fn new(status: Status) -> Self {
        Self {
            device_information: None,
            status,
            policy: None,
            remote_wipe: false,
            account_only_remote_wipe: false,
        }
    }
}

impl Document for Request {
    const ROOT: Tag = PROVISION;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut request = Self::default();
        let mut said: Option<Status> = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                DEVICE_INFORMATION if has_device_information(cursor.version()) => {
                    cursor.once(&mut request.device_information, DeviceInformation::read_set)?;
                }
                POLICIES => cursor.once(&mut request.policy, read_policies(PolicyRequest::read))?,
                REMOTE_WIPE => cursor.once(&mut request.remote_wipe, read_wiped)?,
                ACCOUNT_ONLY_REMOTE_WIPE => {
                    cursor.once(&mut request.account_only_remote_wipe, read_wiped)?;
                }
                // Departs from [MS-ASPROV] 2.2.2.54.2: iOS 5 puts a Status before RemoteWipe.
                STATUS => Field::read(&mut said, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(request)
    }

    fn write(&self, encoder: &mut Encoder) {
        let device_information = self.device_information.as_ref();
        if let Some(device) =
            device_information.filter(|_| has_device_information(encoder.version()))
        {
            encoder.container(DEVICE_INFORMATION, |encoder| device.write_set(encoder));
        }
        if let Some(policy) = &self.policy {
            write_policies(encoder, |encoder| policy.write(encoder));
        }
        for (tag, status) in [
            (REMOTE_WIPE, self.remote_wipe),
            (ACCOUNT_ONLY_REMOTE_WIPE, self.account_only_remote_wipe),
        ] {
            if let Some(status) = status {
                encoder.container(tag, |encoder| encoder.number(STATUS, status.0));
            }
        }
    }
}

/// Whether devices describe themselves here ([MS-ASPROV] 2.2.2.53); before, they use Settings.
fn has_device_information(version: ProtocolVersion) -> bool {
    version >= ProtocolVersion::V14_1
}

impl PolicyRequest {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut policy_type, mut policy_key, mut status) = (None, None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                POLICY_TYPE => Field::read(&mut policy_type, cursor)?,
                POLICY_KEY => Field::read(&mut policy_key, cursor)?,
                STATUS => Field::read(&mut status, cursor)?,
                _ => return cursor.misplaced(),
            }
        }
        let policy_type = cursor.required(policy_type, POLICY, POLICY_TYPE)?;
        Ok(Self { policy_type, policy_key, status })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(POLICY_TYPE, &self.policy_type);
        encoder.opt_text(POLICY_KEY, self.policy_key.as_ref());
        Field::write(&self.status, encoder, STATUS);
    }
}

/// Consumes `Policies`, in which there is one `Policy`.
fn read_policies<T>(
    read: impl Fn(&mut Cursor<'_>) -> Result<T>,
) -> impl Fn(&mut Cursor<'_>) -> Result<T> {
    move |cursor| {
        let mut policy = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                POLICY => cursor.once(&mut policy, &read)?,
                _ => return cursor.misplaced(),
            }
        }
        cursor.required(policy, POLICIES, POLICY)
    }
}

fn write_policies(encoder: &mut Encoder, write: impl FnOnce(&mut Encoder)) {
    encoder.container(POLICIES, |encoder| encoder.container(POLICY, write));
}

/// Consumes what a client says of a wipe.
fn read_wiped(cursor: &mut Cursor<'_>) -> Result<Status> {
    let parent = cursor.element();
    let mut status = None;
    while let Some(tag) = cursor.next_child()? {
        match tag {
            STATUS => Field::read(&mut status, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    cursor.required(status, parent, STATUS)
}

impl Document for Response {
    const ROOT: Tag = PROVISION;

    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut response = Self::new(Status(0));
        let mut status = None;
        while let Some(tag) = cursor.next_child()? {
            match tag {
                DEVICE_INFORMATION if has_device_information(cursor.version()) => {
                    cursor.once(&mut response.device_information, read_status)?;
                }
                STATUS => Field::read(&mut status, cursor)?,
                POLICIES => {
                    cursor.once(&mut response.policy, read_policies(PolicyResponse::read))?
                }
                REMOTE_WIPE => cursor.flag(&mut response.remote_wipe)?,
                ACCOUNT_ONLY_REMOTE_WIPE => cursor.flag(&mut response.account_only_remote_wipe)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self { status: cursor.required(status, Self::ROOT, STATUS)?, ..response })
    }

    fn write(&self, encoder: &mut Encoder) {
        let device = self.device_information;
        if let Some(status) = device.filter(|_| has_device_information(encoder.version())) {
            write_status(encoder, DEVICE_INFORMATION, status);
        }
        encoder.number(STATUS, self.status.0);
        if let Some(policy) = &self.policy {
            write_policies(encoder, |encoder| policy.write(encoder));
        }
        encoder.flag(REMOTE_WIPE, self.remote_wipe);
        encoder.flag(ACCOUNT_ONLY_REMOTE_WIPE, self.account_only_remote_wipe);
    }
}

impl PolicyResponse {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let (mut policy_type, mut status) = (None, None);
        let (mut policy_key, mut document) = (None, None);
        while let Some(tag) = cursor.next_child()? {
            match tag {
                POLICY_TYPE => Field::read(&mut policy_type, cursor)?,
                STATUS => Field::read(&mut status, cursor)?,
                POLICY_KEY => Field::read(&mut policy_key, cursor)?,
                DATA => cursor.once(&mut document, read_data)?,
                _ => return cursor.misplaced(),
            }
        }
        Ok(Self {
            policy_type: cursor.required(policy_type, POLICY, POLICY_TYPE)?,
            status: cursor.required(status, POLICY, STATUS)?,
            policy_key,
            document,
        })
    }

    fn write(&self, encoder: &mut Encoder) {
        encoder.text(POLICY_TYPE, &self.policy_type);
        encoder.number(STATUS, self.status.0);
        encoder.opt_text(POLICY_KEY, self.policy_key.as_ref());
        if let Some(document) = &self.document {
            encoder.container(DATA, |encoder| document.write(encoder, EAS_PROVISION_DOC));
        }
    }
}

fn read_data(cursor: &mut Cursor<'_>) -> Result<PolicyDocument> {
    let mut document = None;
    while let Some(tag) = cursor.next_child()? {
        match tag {
            EAS_PROVISION_DOC => Field::read(&mut document, cursor)?,
            _ => return cursor.misplaced(),
        }
    }
    cursor.required(document, DATA, EAS_PROVISION_DOC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::fixture::{both_ways, comes_back, decoded, octets};
    use crate::error::{Error, Problem};
    use crate::status::{policy, policy_applied, provision, remote_wipe, settings_property};

    const V12_1: ProtocolVersion = ProtocolVersion::V12_1;
    const V14_0: ProtocolVersion = ProtocolVersion::V14_0;
    const V14_1: ProtocolVersion = ProtocolVersion::V14_1;
    const V16_1: ProtocolVersion = ProtocolVersion::V16_1;

    fn first() -> Request {
        let device = DeviceInformation {
            model: Some("TestPhone 3".into()),
            imei: Some("490154203237518".into()),
            friendly_name: Some("Anat's phone".into()),
            os: Some("TestOS 12.1".into()),
            os_language: Some("en-us".into()),
            phone_number: Some(String::new()),
            user_agent: Some("TestPhone3/1.0".into()),
            enable_outbound_sms: Some("0".into()),
            mobile_operator: Some("None".into()),
        };
        let policy =
            PolicyRequest { policy_type: POLICY_TYPE_WBXML.into(), policy_key: None, status: None };
        Request { device_information: Some(device), policy: Some(policy), ..Request::default() }
    }

    #[test]
    fn asking_and_acknowledging_are_known_answers() {
        both_ways("27", V14_1, first());
        let acknowledged = PolicyRequest {
            policy_type: POLICY_TYPE_WBXML.into(),
            policy_key: Some("1307199584".into()),
            status: Some(policy_applied::APPLIED),
        };
        both_ways("29", V12_1, Request { policy: Some(acknowledged), ..Request::default() });
        let last = PolicyResponse {
            policy_type: POLICY_TYPE_WBXML.into(),
            status: policy::SUCCESS,
            policy_key: Some("3942919513".into()),
            document: None,
        };
        let response = Response { policy: Some(last), ..Response::new(provision::SUCCESS) };
        both_ways("30", V12_1, response);
    }

    #[test]
    fn a_policy_is_a_known_answer() {
        let response = Response::decode(V14_1, &octets("28")).unwrap();
        comes_back(V14_1, &response);
        assert_eq!(response.device_information, Some(settings_property::SUCCESS));
        let policy = response.policy.unwrap();
        assert_eq!(policy.policy_key.as_deref(), Some("1307199584"));
        let document = policy.document.unwrap();
        assert_eq!(document.min_device_password_length, Some(Quantity::Is(4)));
        assert_eq!(document.max_attachment_size, Some(Quantity::Unset));
        assert_eq!(document.max_email_body_truncation_size, Some(Quantity::Is(-1)));
        assert_eq!(document.allow_camera, Some(true));
        assert_eq!(document.allow_browser, None);
    }

    #[test]
    fn wipes_are_known_answers() {
        let wipe = Response { remote_wipe: true, ..Response::new(provision::SUCCESS) };
        both_ways("31", V14_1, wipe);
        let wiped =
            Request { account_only_remote_wipe: Some(remote_wipe::WIPE_OK), ..Request::default() };
        both_ways("32", V16_1, wiped.clone());

        let read = Request::decode(ProtocolVersion::V16_0, &wiped.encode(V16_1));
        assert!(matches!(read, Err(Error::Version { tag: ACCOUNT_ONLY_REMOTE_WIPE, .. })));
        let account = Response { account_only_remote_wipe: true, ..Response::new(Status(1)) };
        comes_back(V16_1, &account);
        let older = Response::decode(V14_1, &account.encode(V14_1));
        assert_eq!(older, Ok(Response::new(Status(1))));
    }

    #[test]
    fn a_wipe_is_acknowledged_with_a_status_before_it_too() {
        let xml = "<Provision xmlns='Provision'><Status>1</Status><RemoteWipe><Status>1</Status>\
                   </RemoteWipe></Provision>";
        let request = decoded::<Request>(V14_0, xml).unwrap();
        assert_eq!(request.remote_wipe, Some(remote_wipe::WIPE_OK));
    }

    #[test]
    fn devices_describe_themselves_here_since_14_1() {
        let read = Request::decode(V14_0, &first().encode(V14_1));
        assert!(matches!(read, Err(Error::Schema { problem: Problem::Misplaced, .. })));
        let older = Request { device_information: None, ..first() };
        assert_eq!(Request::decode(V14_0, &first().encode(V14_0)), Ok(older));
    }

    #[test]
    fn a_policy_has_a_type_and_an_empty_request_is_one() {
        let xml = "<Provision xmlns='Provision'><Policies><Policy/></Policies></Provision>";
        let Err(Error::Schema { problem, .. }) = decoded::<Request>(V14_0, xml) else { panic!() };
        assert_eq!(problem, Problem::Missing(POLICY_TYPE));
        let empty = decoded::<Request>(V14_0, "<Provision xmlns='Provision'/>");
        assert_eq!(empty, Ok(Request::default()));
    }
}
