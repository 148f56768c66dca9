//! Provision: what a device has to say of itself before it is let in.

use activesync::command::CommandName;
use activesync::command::provision::{POLICY_TYPE_WBXML, PolicyRequest, Request, Response};
use activesync::command::settings::{self, DeviceInformation, Property};
use activesync::status::provision as status;
use activesync::{Document, ProtocolVersion};
use conformance::conforms;

use super::house::*;

fn asks(information: Option<DeviceInformation>) -> Request {
    let policy =
        PolicyRequest { policy_type: POLICY_TYPE_WBXML.to_owned(), policy_key: None, status: None };
    Request { device_information: information, policy: Some(policy), ..Request::default() }
}

fn a_phone() -> DeviceInformation {
    DeviceInformation { model: Some("Pixel".to_owned()), ..DeviceInformation::default() }
}

async fn provision(house: &House, version: ProtocolVersion, request: &Request) -> Response {
    let body = request.encode(version);
    let seen = house.give(house.incoming(CommandName::Provision, version.as_str(), body)).await;
    Response::decode(version, &seen.body).unwrap()
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
