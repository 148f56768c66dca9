//! Provision: what a device has to say of itself before it is let in, the policy it is given, and a wipe.

use activesync::command::CommandName;
use activesync::command::folder_sync;
use activesync::command::provision::{
    POLICY_TYPE_WBXML, PolicyRequest, PolicyResponse, Request, Response,
};
use activesync::command::settings::{self, DeviceInformation, Property};
use activesync::http::Query;
use activesync::status::{Status, common, provision as status};
use activesync::types::SyncKey;
use activesync::{Document, ProtocolVersion, code_pages};
use conformance::conforms;
use http::header::HeaderValue;
use wbxml::{Limits, Reader, Token};

use super::house::*;
use crate::eas::Incoming;
use crate::ids::DeviceId;
use crate::policy::{Policy, Rules, WipeKind, WipeOrder};

const OLD: ProtocolVersion = ProtocolVersion::V12_1;

fn asks(information: Option<DeviceInformation>) -> Request {
    asks_for(POLICY_TYPE_WBXML, information)
}

fn asks_for(policy_type: &str, information: Option<DeviceInformation>) -> Request {
    let policy =
        PolicyRequest { policy_type: policy_type.to_owned(), policy_key: None, status: None };
    Request { device_information: information, policy: Some(policy), ..Request::default() }
}

/// Says what became of the policy of a key.
fn acknowledges(key: &str, applied: u16) -> Request {
    let mut request = asks(None);
    let policy = request.policy.as_mut().unwrap();
    (policy.policy_key, policy.status) = (Some(key.to_owned()), Some(Status(applied)));
    request
}

fn a_phone() -> DeviceInformation {
    DeviceInformation { model: Some("Pixel".to_owned()), ..DeviceInformation::default() }
}

/// What Provision answers, with the names of its elements in their order.
async fn told(
    house: &House,
    version: ProtocolVersion,
    body: Vec<u8>,
) -> (Response, Vec<&'static str>) {
    let seen = house.give(house.incoming(CommandName::Provision, version.as_str(), body)).await;
    let response = Response::decode(version, &seen.body).unwrap();
    assert!([1, 2, 3].contains(&response.status.0) || response.status.is_common());
    conforms!("MS-ASPROV_R393", "MS-ASPROV_R60010");
    if let Some(policy) = &response.policy {
        assert!((1..=5).contains(&policy.status.0));
        conforms!("MS-ASPROV_R375", "MS-ASPROV_R377");
        let types = [POLICY_TYPE_WBXML, "MS-WAP-Provisioning-XML"];
        assert!(types.contains(&policy.policy_type.as_str()));
        conforms!("MS-ASPROV_R318");
    }
    (response, elements(&seen.body).into_iter().map(|(name, _)| name).collect())
}

async fn provision(house: &House, version: ProtocolVersion, request: &Request) -> Response {
    told(house, version, request.encode(version)).await.0
}

/// The elements of a document in their order, each with its text.
fn elements(octets: &[u8]) -> Vec<(&'static str, String)> {
    let mut reader = Reader::new(octets, &code_pages::PAGES, Limits::default()).unwrap();
    let mut elements = Vec::new();
    while let Some(token) = reader.next_token().unwrap() {
        match token {
            Token::Start { name, .. } => elements.push((name, String::new())),
            Token::Text(text) => elements.last_mut().unwrap().1 += text.to_str().unwrap(),
            _ => {}
        }
    }
    elements
}

fn policy_of(response: Response) -> PolicyResponse {
    response.policy.expect("a policy")
}

fn policy_with(rules: Rules) -> Policy {
    Policy {
        name: "default".to_owned(),
        revision: 0,
        rules,
        exempts_unprovisionable: false,
        accepts_partial: false,
    }
}

/// A request for the folders under a policy key.
fn folders(house: &House, version: &'static str, key: Option<&str>) -> Incoming {
    let request = folder_sync::Request { sync_key: SyncKey::initial() };
    let mut incoming =
        house.incoming(CommandName::FolderSync, version, request.encode(version.parse().unwrap()));
    if let Some(key) = key {
        incoming.headers.insert("x-ms-policykey", HeaderValue::from_str(key).unwrap());
    }
    incoming
}

/// How a request for the folders is answered.
async fn enters(house: &House, key: Option<&str>) -> u16 {
    house.give(folders(house, "16.1", key)).await.read::<folder_sync::Response>().status.0
}

/// The key of a device that has obeyed.
async fn obeys(house: &House) -> String {
    let first = policy_of(provision(house, V, &asks(Some(a_phone()))).await).policy_key.unwrap();
    policy_of(provision(house, V, &acknowledges(&first, 1)).await).policy_key.unwrap()
}

#[tokio::test]
async fn from_14_1_on_a_phone_says_what_it_is_before_it_gets_a_policy() {
    for version in [ProtocolVersion::V14_1, ProtocolVersion::V16_0, ProtocolVersion::V16_1] {
        let house = House::new().await;
        let silent = provision(&house, version, &asks(None)).await;
        assert_eq!(silent.status, status::DEVICE_INFORMATION_REQUIRED, "{version}");
        conforms!("MS-ASCMD_R4954");
        assert!(silent.policy.is_none());
        let described = provision(&house, version, &asks(Some(a_phone()))).await;
        assert_eq!(described.status, status::SUCCESS);
        assert!(described.policy.unwrap().policy_key.is_some());
        // Known from then on: a policy that changed is fetched without it.
        let again = provision(&house, version, &asks(None)).await;
        assert!(again.policy.unwrap().policy_key.is_some());
        let known = house.policies.device(DeviceId(1)).await.unwrap();
        assert_eq!(known.device.model, "Pixel");
        conforms!("MS-ASPROV_R488");
    }
}

#[tokio::test]
async fn at_14_0_a_phone_may_say_it_in_settings_or_not_at_all() {
    let house = House::new().await;
    let silent = provision(&house, ProtocolVersion::V14_0, &asks(None)).await;
    assert_eq!(silent.status, status::SUCCESS);
    assert!(silent.policy.unwrap().policy_key.is_some());
    let says = settings::Request { properties: vec![Property::DeviceInformation(a_phone())] };
    let body = says.encode(V);
    house.give(house.incoming(CommandName::Settings, "14.0", body)).await;
    let known = provision(&house, ProtocolVersion::V14_1, &asks(None)).await;
    assert!(known.policy.unwrap().policy_key.is_some());
}

/// The two phases, element by element.
#[tokio::test]
async fn a_policy_is_fetched_acknowledged_and_then_opens_the_door() {
    let house = House::guarded().await;
    assert_eq!(enters(&house, None).await, common::DEVICE_NOT_PROVISIONED.0);
    let (first, order) = told(&house, V, asks(Some(a_phone())).encode(V)).await;
    let head = [
        "Provision",
        "DeviceInformation",
        "Status",
        "Status",
        "Policies",
        "Policy",
        "PolicyType",
        "Status",
        "PolicyKey",
        "Data",
        "EASProvisionDoc",
    ];
    assert_eq!(order[..head.len()], head);
    conforms!("MS-ASPROV_R534", "MS-ASPROV_R535", "MS-ASPROV_R310", "MS-ASPROV_R209");
    assert_eq!((first.status, first.device_information), (Status(1), Some(Status(1))));
    conforms!("MS-ASPROV_R394", "MS-ASPROV_R678", "MS-ASPROV_R441");
    let first = policy_of(first);
    assert!(first.document.is_some());
    assert_eq!((first.status.0, first.policy_type.as_str()), (1, POLICY_TYPE_WBXML));
    conforms!("MS-ASPROV_R378", "MS-ASPROV_R688", "MS-ASPROV_R466", "MS-ASPROV_R703");
    conforms!("MS-ASPROV_R495", "MS-ASPROV_R417", "MS-ASPROV_R888", "MS-ASPROV_R966");
    let temporary = first.policy_key.unwrap();
    assert!(temporary.parse::<u32>().is_ok());
    conforms!("MS-ASPROV_R486", "MS-ASPROV_R606");

    let unknown = temporary.parse::<u32>().unwrap() ^ 1;
    let wrong = policy_of(provision(&house, V, &acknowledges(&unknown.to_string(), 1)).await);
    assert_eq!((wrong.status, wrong.policy_key), (Status(5), None));
    conforms!("MS-ASPROV_R382", "MS-ASPROV_R692", "MS-ASPROV_R761", "MS-ASPROV_R708");
    conforms!("MS-ASPROV_R507", "MS-ASPROV_R658", "MS-ASPROV_R695");
    assert_eq!(enters(&house, Some(&temporary)).await, common::INVALID_POLICY_KEY.0);

    let (last, order) = told(&house, V, acknowledges(&temporary, 1).encode(V)).await;
    let whole = ["Provision", "Status", "Policies", "Policy", "PolicyType", "Status", "PolicyKey"];
    assert_eq!(order, whole);
    conforms!("MS-ASPROV_R605", "MS-ASPROV_R601", "MS-ASPROV_R419", "MS-ASPROV_R661");
    let last = policy_of(last);
    assert_eq!(last.status, Status(1));
    let key = last.policy_key.unwrap();
    assert_eq!(enters(&house, Some(&key)).await, 1);
    conforms!("MS-ASPROV_R509");

    house.policies.put(policy_with(Rules::default()), "root").await.unwrap();
    assert_eq!(enters(&house, Some(&key)).await, common::POLICY_REFRESH.0);
    conforms!("MS-ASPROV_R537");
    let newer = policy_of(provision(&house, V, &asks(None)).await).policy_key.unwrap();
    let late = policy_of(provision(&house, V, &acknowledges(&temporary, 1)).await);
    assert_eq!(late.status, Status(5), "of the policy before");
    conforms!("MS-ASPROV_R475");
    let key = policy_of(provision(&house, V, &acknowledges(&newer, 1)).await).policy_key.unwrap();
    assert_eq!(enters(&house, Some(&key)).await, 1);
}

#[tokio::test]
async fn every_version_is_given_the_same_type_of_policy() {
    for version in ProtocolVersion::ALL {
        let house = House::new().await;
        let policy = policy_of(provision(&house, version, &asks(Some(a_phone()))).await);
        assert_eq!((policy.status.0, policy.policy_type.as_str()), (1, POLICY_TYPE_WBXML));
        assert!(policy.document.is_some(), "{version}");
    }
    conforms!("MS-ASPROV_R971");
}

#[tokio::test]
async fn the_key_comes_in_the_header_or_in_the_packed_query() {
    let house = House::guarded().await;
    let key = obeys(&house).await;
    for given in [Some(key.parse().unwrap()), None] {
        let mut query = Query::new(CommandName::FolderSync, "phone1", "Test");
        (query.version, query.policy_key) = (Some(V), given);
        let mut request = folders(&house, "16.1", None);
        request.headers.remove("ms-asprotocolversion");
        request.query = query.encode_base64().unwrap();
        let said = house.give(request).await.read::<folder_sync::Response>().status;
        let expected = if given.is_some() { Status(1) } else { common::DEVICE_NOT_PROVISIONED };
        assert_eq!(said, expected);
    }
    assert_eq!(enters(&house, Some(&key)).await, 1);
    conforms!("MS-ASPROV_R485");
}

#[tokio::test]
async fn what_is_no_policy_has_its_status() {
    let house = House::new().await;
    for unknown in ["MS-WAP-Provisioning-XML", "Nonsense", ""] {
        let said = provision(&house, V, &asks_for(unknown, Some(a_phone()))).await;
        assert_eq!(said.status, status::SUCCESS);
        let policy = policy_of(said);
        assert_eq!((policy.status.0, policy.document, policy.policy_key), (3, None, None));
    }
    conforms!("MS-ASPROV_R380", "MS-ASPROV_R690", "MS-ASPROV_R471");
    conforms!("MS-ASPROV_R705", "MS-ASPROV_R502");
    // A Policies without a Policy.
    let wrong = b"\x03\x01\x6a\x00\x00\x0e\x45\x06\x01".to_vec();
    let (said, order) = told(&house, V, wrong).await;
    assert_eq!((said.status, &order[..]), (status::PROTOCOL_ERROR, &["Provision", "Status"][..]));
    conforms!("MS-ASPROV_R395", "MS-ASPROV_R679", "MS-ASPROV_R450");
    conforms!("MS-ASPROV_R704", "MS-ASPROV_R497");

    let lenient = Policy { exempts_unprovisionable: true, ..policy_with(Rules::default()) };
    house.policies.put(lenient, "root").await.unwrap();
    let body = asks(Some(a_phone())).encode(V);
    let mut outlook = house.incoming(CommandName::Provision, "16.1", body);
    outlook.query = Query::new(CommandName::Provision, "o1", "WindowsOutlook15").encode_plain();
    let none = policy_of(house.give(outlook).await.read());
    assert_eq!((none.status.0, none.document), (2, None));
    conforms!("MS-ASPROV_R379", "MS-ASPROV_R689", "MS-ASPROV_R468");
    conforms!("MS-ASPROV_R709", "MS-ASPROV_R499");
}

#[tokio::test]
async fn who_does_not_obey_is_told_so() {
    let house = House::guarded().await;
    let strict = Rules { password_required: Some(true), ..Rules::default() };
    house.policies.put(policy_with(strict), "root").await.unwrap();
    let key = policy_of(provision(&house, V, &asks(Some(a_phone()))).await).policy_key.unwrap();
    let said = async |applied| provision(&house, V, &acknowledges(&key, applied)).await;
    let partly = said(2).await;
    assert_eq!((partly.status.0, partly.policy), (139, None));
    conforms!("MS-ASPROV_R681", "MS-ASPROV_R455", "MS-ASPROV_R684", "MS-ASPROV_R1046");
    conforms!("MS-ASPROV_R660", "MS-ASPROV_R697");
    let elsewhere = said(4).await;
    assert_eq!((elsewhere.status.0, elsewhere.policy), (145, None));
    conforms!("MS-ASPROV_R686", "MS-ASPROV_R461", "MS-ASPROV_R687");
    for (applied, http) in [(2, 403), (4, 403)] {
        let body = acknowledges(&key, applied).encode(OLD);
        let seen = house.give(house.incoming(CommandName::Provision, "12.1", body)).await;
        assert_eq!((seen.status.as_u16(), seen.body.len()), (http, 0));
    }
    conforms!("MS-ASPROV_R1034");
    assert_eq!(enters(&house, Some(&key)).await, common::INVALID_POLICY_KEY.0);
}

/// Everything that a rule can demand, as the smallest and as the largest it can be.
fn demanding(is_wanted: bool) -> Rules {
    let wanted = Some(is_wanted);
    let of = |low: u8, high: u8| Some(if is_wanted { high } else { low });
    let number = Some(if is_wanted { u32::MAX } else { 0 });
    Rules {
        password_required: wanted,
        password_alphanumeric: wanted,
        password_simple_allowed: wanted,
        password_length_min: of(1, 16),
        password_kinds_min: of(1, 4),
        password_attempts_max: of(4, 16),
        password_days_max: number,
        password_history: number,
        lock_after_s: number,
        device_encryption: wanted,
        card_encryption: wanted,
        card_allowed: wanted,
        camera_allowed: wanted,
        attachments_allowed: wanted,
        attachment_octets_max: number,
        html_allowed: wanted,
        mail_age_filter_max: of(0, 5),
        body_octets_max: Some(if is_wanted { i32::MAX as u32 } else { 0 }),
        html_body_octets_max: Some(if is_wanted { i32::MAX as u32 } else { 0 }),
        manual_when_roaming: wanted,
        unsigned_applications_allowed: wanted,
        wifi_allowed: wanted,
        bluetooth: of(0, 2),
        browser_allowed: wanted,
        other_mail_allowed: wanted,
    }
}

/// The policy a phone is given, element by element.
async fn given(house: &House) -> Vec<(&'static str, String)> {
    let body = asks(Some(a_phone())).encode(V);
    let seen = house.send(CommandName::Provision, body).await;
    let elements = elements(&seen.body);
    let start = elements.iter().position(|(name, _)| *name == "EASProvisionDoc").unwrap() + 1;
    elements[start..].to_vec()
}

/// Elements, the largest number each can be, and whether it may be empty: a byte, an unsigned integer, an integer.
const NUMBERS: &[(&str, i64, bool)] = &[
    ("AllowBluetooth", 255, false),
    ("DevicePasswordExpiration", u32::MAX as i64, true),
    ("DevicePasswordHistory", u32::MAX as i64, false),
    ("MaxAttachmentSize", u32::MAX as i64, true),
    ("MaxDevicePasswordFailedAttempts", 255, true),
    ("MaxEmailAgeFilter", u32::MAX as i64, false),
    ("MaxEmailBodyTruncationSize", i32::MAX as i64, false),
    ("MaxEmailHTMLBodyTruncationSize", i32::MAX as i64, false),
    ("MaxInactivityTimeDeviceLock", u32::MAX as i64, true),
    ("MinDevicePasswordComplexCharacters", 255, false),
    ("MinDevicePasswordLength", 255, true),
];

/// Once each, and of its type.
fn is_typed(elements: &[(&'static str, String)]) {
    for (name, max, may_be_empty) in NUMBERS {
        let texts: Vec<_> = elements.iter().filter(|(found, _)| found == name).collect();
        assert!(texts.len() <= 1, "{name}");
        for (_, text) in texts {
            let fits = text.parse::<i64>().is_ok_and(|number| (0..=*max).contains(&number));
            assert!(fits || *may_be_empty && text.is_empty(), "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn a_policy_is_written_in_the_types_of_the_specification() {
    let house = House::new().await;
    for is_wanted in [true, false] {
        house.policies.put(policy_with(demanding(is_wanted)), "root").await.unwrap();
        let elements = given(&house).await;
        assert!(NUMBERS.iter().all(|(name, ..)| elements.iter().any(|(n, _)| n == name)));
        is_typed(&elements);
    }
    conforms!("MS-ASPROV_R70", "MS-ASPROV_R216", "MS-ASPROV_R224", "MS-ASPROV_R240");
    conforms!("MS-ASPROV_R251", "MS-ASPROV_R255", "MS-ASPROV_R276", "MS-ASPROV_R280");
    conforms!("MS-ASPROV_R286", "MS-ASPROV_R266", "MS-ASPROV_R272");
}

/// An operator who lifts a rule lifts it on the phones that obeyed it ([MS-ASPROV] 3.2.5.1.1).
#[tokio::test]
async fn a_rule_that_is_lifted_is_taken_back_in_words() {
    let house = House::new().await;
    house.policies.put(policy_with(demanding(true)), "root").await.unwrap();
    let demanded = given(&house).await;
    obeys(&house).await;
    house.policies.put(policy_with(Rules::default()), "root").await.unwrap();
    let lifted = given(&house).await;
    is_typed(&lifted);
    let names = |elements: &[(&'static str, String)]| -> Vec<&str> {
        elements.iter().map(|(name, _)| *name).collect()
    };
    assert_eq!(names(&lifted), names(&demanded));
    conforms!("MS-ASPROV_R652");
    let text = |name: &str| lifted.iter().find(|(n, _)| *n == name).unwrap().1.as_str();
    assert_eq!((text("MinDevicePasswordLength"), text("MaxAttachmentSize")), ("", ""));
    conforms!("MS-ASPROV_R1044");
    assert_eq!((text("AllowCamera"), text("AllowBluetooth")), ("1", "2"));
    assert_eq!((text("RequireDeviceEncryption"), text("DevicePasswordHistory")), ("0", "0"));
    conforms!("MS-ASPROV_R1045");
    // One that never obeyed a policy has nothing to take back.
    let other = House::new().await;
    assert_eq!(names(&given(&other).await), ["DevicePasswordEnabled", "AttachmentsEnabled"]);
}

async fn wipes(house: &House, kind: WipeKind) {
    let order = WipeOrder {
        device: DeviceId(1),
        kind,
        typed_id: Some("phone1".to_owned()),
        by: "root".to_owned(),
        second: None,
        block_after: true,
    };
    house.policies.wipe(order).await.unwrap();
}

fn says_of(kind: WipeKind, said: u16) -> Request {
    let said = Some(Status(said));
    match kind {
        WipeKind::Device => Request { remote_wipe: said, ..Request::default() },
        WipeKind::Account => Request { account_only_remote_wipe: said, ..Request::default() },
    }
}

#[tokio::test]
async fn a_wipe_is_fetched_refused_and_promised() {
    for (kind, element) in
        [(WipeKind::Device, "RemoteWipe"), (WipeKind::Account, "AccountOnlyRemoteWipe")]
    {
        let house = House::guarded().await;
        obeys(&house).await;
        let (said, order) = told(&house, V, Vec::new()).await;
        assert_eq!((said.status.0, &order[..]), (1, &["Provision", "Status"][..]));
        conforms!("MS-ASPROV_R654", "MS-ASPROV_R66614", "MS-ASPROV_R66615");
        wipes(&house, kind).await;
        let directive = ["Provision", "Status", element];
        for asking in [Request::default(), asks(None)] {
            let (said, order) = told(&house, V, asking.encode(V)).await;
            assert_eq!((said.status.0, &order[..]), (1, &directive[..]));
        }
        let (said, order) = told(&house, V, says_of(kind, 2).encode(V)).await;
        assert_eq!((said.status.0, &order[..]), (2, &directive[..]));
        let (said, order) = told(&house, V, says_of(kind, 1).encode(V)).await;
        assert_eq!((said.status.0, &order[..]), (1, &directive[..]));
    }
    conforms!("MS-ASPROV_R493", "MS-ASPROV_R758", "MS-ASPROV_R653", "MS-ASPROV_R66612");
    conforms!("MS-ASPROV_R66613", "MS-ASPROV_R665", "MS-ASPROV_R701", "MS-ASPROV_R702");
    conforms!("MS-ASPROV_R1041", "MS-ASPROV_R1042");
    conforms!("MS-ASPROV_R1048", "MS-ASPROV_R66603", "MS-ASPROV_R66604", "MS-ASPROV_R66610");
    conforms!("MS-ASPROV_R66611", "MS-ASPROV_R664", "MS-ASPROV_R666", "MS-ASPROV_R1047");
    conforms!("MS-ASPROV_R66602", "MS-ASPROV_R66605", "MS-ASPROV_R66609");
}
