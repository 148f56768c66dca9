//! Autodiscover: whoever signs in is told where their own mailbox is, and nobody whether another exists.

use activesync::autodiscover::{
    Account, Action, FrameworkError, Request, Response, Schema, v2::Answer as Told,
};
use conformance::conforms;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};

use super::house::*;
use crate::eas::{Incoming, Place};

const URL: &str = "https://mail.a.example/Microsoft-Server-ActiveSync";

fn posts(house: &House, body: &str) -> Incoming {
    let mut request = house.incoming(activesync::command::CommandName::Sync, "16.1", body.into());
    request.place = Place::AutodiscoverXml;
    request.path = "/AutoDiscover/autodiscover.xml".to_owned();
    request.query = String::new();
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    request
}

async fn asks(house: &House, request: &Request) -> Response {
    told(house, &request.encode()).await
}

async fn told(house: &House, xml: &str) -> Response {
    let seen = house.give(posts(house, xml)).await;
    assert_eq!(seen.status, 200);
    let is_xml =
        |(name, value): &(String, String)| name == "content-type" && value.starts_with("text/xml");
    assert!(seen.headers.iter().any(is_xml));
    Response::decode(&seen.body).unwrap()
}

fn action(response: Response) -> Action {
    match response {
        Response::MobileSync(answer) => answer.action.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_phone_is_told_its_end_point() {
    let house = House::new().await;
    for address in ["ann@a.example", " ANN@A.example"] {
        let Response::MobileSync(answer) = asks(&house, &Request::mobile_sync(address)).await
        else {
            panic!("another schema")
        };
        let user = answer.user.unwrap();
        assert_eq!(user.email_address, "ann@a.example");
        assert_eq!(user.display_name.as_deref(), Some("ann"));
        conforms!(
            "MS-ASCMD_R41",
            "MS-ASCMD_R8",
            "MS-ASCMD_R1084",
            "MS-ASCMD_R1086",
            "MS-ASCMD_R1518",
            "MS-ASCMD_R1583",
            "MS-ASCMD_R1586",
            "MS-ASCMD_R2228"
        );
        let Some(Action::Settings(servers)) = answer.action else { panic!("no settings") };
        assert_eq!(servers[0].kind.as_deref(), Some("MobileSync"));
        assert_eq!(servers[0].url.as_deref(), Some(URL));
        assert_eq!(servers[0].name.as_deref(), Some(URL));
        conforms!("MS-ASCMD_R3482", "MS-ASCMD_R3484");
    }
}

/// Phones name the version they will speak, and it makes no difference.
#[tokio::test]
async fn phones_of_every_version_are_told_the_same() {
    let house = House::new().await;
    let xml = Request::mobile_sync("ann@a.example").encode();
    for version in ["12.1", "14.0", "14.1", "16.0", "16.1"] {
        let mut request = posts(&house, &xml);
        request.headers.insert("ms-asprotocolversion", HeaderValue::from_static(version));
        let seen = house.give(request).await;
        let told = action(Response::decode(&seen.body).unwrap());
        assert!(matches!(told, Action::Settings(_)), "{version}");
    }
    conforms!("MS-ASCMD_R6000", "MS-ASCMD_R6001", "MS-ASCMD_R6002", "MS-ASCMD_R6003");
    conforms!("MS-ASCMD_R60031939");
}

#[tokio::test]
async fn others_are_not_spoken_of_whether_they_exist_or_not() {
    let house = House::new().await;
    let of = async |address: &str| action(asks(&house, &Request::mobile_sync(address)).await);
    let nobody = of("nobody@a.example").await;
    assert!(matches!(&nobody, Action::Error(error) if error.error_code == Some(1)));
    house.neighbour("cy").await;
    assert_eq!(of("cy@a.example").await, nobody);
    let outlook =
        |address: &str| Request { schema: Schema::Outlook, ..Request::mobile_sync(address) };
    let Response::Error(error) = asks(&house, &outlook("cy@a.example")).await else {
        panic!("it speaks of cy")
    };
    assert_eq!(error.code, 500);
}

#[tokio::test]
async fn a_mail_program_is_told_in_its_own_schema() {
    let house = House::new().await;
    let request = Request { schema: Schema::Outlook, ..Request::mobile_sync("ann@a.example") };
    let Response::Outlook(answer) = asks(&house, &request).await else { panic!("another schema") };
    let Account::Settings(protocols) = answer.account else { panic!("no settings") };
    assert_eq!(
        (protocols[0].kind.as_str(), protocols[0].server.as_deref()),
        ("MobileSync", Some(URL))
    );
    assert_eq!(protocols[0].login_name.as_deref(), Some("ann"));
}

#[tokio::test]
async fn a_domain_that_moved_is_begun_again_with() {
    let house = House::new().await;
    let request = Request::mobile_sync("ann@old.example");
    assert_eq!(action(asks(&house, &request).await), Action::Redirect("ann@new.example".into()));
    let request = Request { schema: Schema::Outlook, ..request };
    let Response::Outlook(answer) = asks(&house, &request).await else { panic!("another schema") };
    assert_eq!(answer.account, Account::RedirectAddress("ann@new.example".into()));
}

#[tokio::test]
async fn what_is_no_request_is_600_and_what_nobody_answers_601() {
    let house = House::new().await;
    let twice = "<Autodiscover><Request/><Request/></Autodiscover>";
    for junk in ["", "<html/>", "not xml", twice, "<!DOCTYPE a><Autodiscover/>"] {
        let Response::Error(error) = told(&house, junk).await else { panic!("{junk}") };
        assert_eq!(error.code, FrameworkError::INVALID_REQUEST, "{junk}");
        assert!(error.time.is_some() && error.id.is_some());
    }
    conforms!("MS-ASCMD_R2287", "MS-ASCMD_R3799");
    let schema = Schema::Other("urn:other".to_owned());
    let request = Request { schema, ..Request::mobile_sync("ann@a.example") };
    let Response::Error(error) = asks(&house, &request).await else { panic!("answered") };
    assert_eq!(error.code, FrameworkError::PROVIDER_NOT_AVAILABLE);
    conforms!("MS-ASCMD_R2288", "MS-ASCMD_R3818");
}

#[tokio::test]
async fn strangers_are_asked_for_a_password_and_a_get_without_tls_is_sent_on() {
    let house = House::new().await;
    let mut request = posts(&house, &Request::mobile_sync("ann@a.example").encode());
    request.headers.remove(AUTHORIZATION);
    let seen = house.give(request).await;
    assert_eq!(seen.status, 401);
    assert!(seen.headers.iter().any(|(name, _)| name == "www-authenticate"));
    for (secure, status) in [(true, 401), (false, 302)] {
        let mut request = posts(&house, "");
        request.method = Method::GET;
        request.secure = secure;
        request.headers.remove(AUTHORIZATION);
        let seen = house.give(request).await;
        assert_eq!(seen.status, status);
        let to = seen.headers.iter().find(|(name, _)| name == "location").map(|(_, to)| &to[..]);
        let own = "https://mail.a.example/autodiscover/autodiscover.xml";
        assert_eq!(to, (!secure).then_some(own));
    }
}

#[tokio::test]
async fn the_newer_one_tells_everybody_the_same() {
    let house = House::new().await;
    let get = async |path: &str, query: &str| {
        let mut request = posts(&house, "");
        request.place = Place::AutodiscoverJson;
        request.method = Method::GET;
        request.path = format!("/Autodiscover/Autodiscover.json{path}");
        request.query = query.to_owned();
        request.headers.remove(AUTHORIZATION);
        house.give(request).await
    };
    let endpoint = Told::Endpoint { protocol: "ActiveSync".into(), url: URL.into() };
    for (path, query) in [
        ("", "Email=ann@a.example&Protocol=ActiveSync"),
        ("", "email=nobody%40a.example&protocol=activesync&RedirectCount=1"),
        ("/v1.0/ann@a.example", "Protocol=ActiveSync"),
        ("", "Protocol=ActiveSync"),
    ] {
        let seen = get(path, query).await;
        assert_eq!(seen.status, 200, "{query}");
        assert_eq!(Told::decode(&seen.body).unwrap(), endpoint, "{path}?{query}");
    }
    let v1 = get("", "Email=a@a.example&Protocol=AutodiscoverV1").await;
    let Told::Endpoint { url, .. } = Told::decode(&v1.body).unwrap() else { panic!("an error") };
    assert_eq!(url, "https://mail.a.example/autodiscover/autodiscover.xml");
    for (query, code) in [
        ("Email=a@a.example", "MandatoryParameterMissing"),
        ("Email=a@a.example&Protocol=EWS", "ProtocolNotSupported"),
        ("Email=a@a.example&Protocol=Gopher", "InvalidProtocol"),
    ] {
        let seen = get("", query).await;
        assert_eq!(seen.status, 400);
        let Told::Error { code: said, .. } = Told::decode(&seen.body).unwrap() else { panic!() };
        assert_eq!(said, code);
    }
    let moved = get("", "Email=ann@old.example&Protocol=ActiveSync").await;
    assert_eq!(moved.status, 302);
    let to = moved.headers.iter().find(|(name, _)| name == "location").unwrap();
    assert!(to.1.starts_with("https://autodiscover.new.example/autodiscover/autodiscover.json?"));
    assert!(to.1.ends_with("RedirectCount=1"), "{}", to.1);
    let round = get("", "Email=ann@old.example&Protocol=ActiveSync&RedirectCount=10").await;
    assert_eq!(round.status, 200, "nobody is sent round for ever");
}
