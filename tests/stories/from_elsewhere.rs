//! People who come from elsewhere: from a directory server and from a file, and whose passwords are verified there or by an IMAP server.

use std::time::Duration;

use activesync_phone::activesync::command::resolve_recipients::Resolved;
use activesync_phone::activesync::command::search::HitProperties;
use activesync_phone::activesync::item::gal::GalEntry;
use activesync_phone::driver::Driver;
use activesync_phone::{Outcome, Phone, Profile};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use retract::clock::{Clock, Timestamp};
use retract::config::Security;
use sha2::Sha256;

use super::slapd::{
    BASE, Dovecot, PASSWORD_QUOTED, Slapd, TOKEN_KEY, foreign_certificate, group, person,
};
use super::town::{Handset, Town};

/// Ann, the head of the sales; Ben; Cas, who administers through a group within a group; Dan, who has no address.
fn entries() -> String {
    [
        person(
            "ann",
            "cn: Ann Lee\nsn: Lee\ngivenName: Ann\ntelephoneNumber: +49 30 1\nmobile: +49 170 1\n\
             title: Head of Sales\no: A Ltd\nphysicalDeliveryOfficeName: B 12\n\
             mailLocalAddress: sales@a.example",
        ),
        person("ben", "cn: Ben Gray\nsn: Gray"),
        person("cas", "cn: Cas Moss\nsn: Moss"),
        person("dan", "cn: Dan Hill\nsn: Hill").replace("mail: dan@a.example\n", ""),
        group("admins", "admins@a.example", &["cn=inner"]),
        group("inner", "inner@a.example", &["uid=cas", "cn=admins"]),
        group("all", "all@a.example", &["uid=ann", "uid=ben", "cn=inner"]),
    ]
    .concat()
}

async fn town(slapd: &Slapd, security: Security) -> Town {
    let clock = Clock::manual(Timestamp(1_795_500_000_000));
    let town = Town::of(&[], clock, |config| slapd.serves(config, security)).await;
    town.server.house.directory.sync(false).await.unwrap();
    town
}

async fn found(phone: &mut Handset, text: &str) -> Vec<GalEntry> {
    let exchange = phone.phone().search_people(text);
    let Outcome::Search(response) = phone.ask(exchange).await else { panic!("not Search") };
    let hits = response.store.unwrap().results.into_iter();
    let people = hits.filter_map(|hit| match hit.properties {
        Some(HitProperties::Person(person)) => Some(*person),
        _ => None,
    });
    people.collect()
}

async fn resolved(phone: &mut Handset, name: &str) -> Resolved {
    let exchange = phone.phone().resolve(&[name]);
    match phone.ask(exchange).await {
        Outcome::ResolveRecipients(response) => response.responses.into_iter().next().unwrap(),
        other => panic!("not ResolveRecipients: {other:?}"),
    }
}

/// What a phone that has just been unpacked is answered to OPTIONS: the status, and when to come back.
async fn options(phone: &mut Handset) -> (u16, Option<String>) {
    let exchange = phone.phone().options();
    let answer = phone.driver.send(&exchange).await.unwrap();
    (answer.status, answer.header("retry-after").map(str::to_owned))
}

/// Phones find people with what the directory server says of them, and sign in with the passwords they have there.
#[tokio::test]
async fn people_of_a_directory_server() {
    let Some(slapd) = Slapd::start(&entries()) else { return };
    for security in [Security::Starttls, Security::Tls] {
        let town = town(&slapd, security).await;
        let standing = town.server.house.directory.standing().await.unwrap();
        assert_eq!((standing.users, standing.groups), (3, 3), "in pages of three");
        let mut phone = town.phone("ben", Profile::ios()).await;
        let ann = found(&mut phone, "lee").await.remove(0);
        let said = [&ann.phone, &ann.mobile_phone, &ann.title, &ann.company, &ann.office];
        let said = said.map(|field| field.as_deref().unwrap_or_default());
        assert_eq!(said, ["+49 30 1", "+49 170 1", "Head of Sales", "A Ltd", "B 12"]);
        assert_eq!(ann.first_name.as_deref(), Some("Ann"));
        assert_eq!(found(&mut phone, "sales@").await.len(), 1, "by another address");
        let all = found(&mut phone, "all").await;
        assert_eq!(all[0].email_address.as_deref(), Some("all@a.example"));
        // A group is counted through the groups within it, though they contain each other.
        let all = resolved(&mut phone, "all@a.example").await;
        let certificates = all.recipients[0].certificates.as_ref().unwrap();
        assert_eq!(certificates.recipient_count, Some(3));
        let directory = &town.server.house.directory;
        let mut admins = Vec::new();
        for user in directory.list(None, 9).await.unwrap() {
            admins.extend(user.is_admin.then_some(user.name));
        }
        assert_eq!(admins, ["cas"]);
        for (login, answer) in
            [("sales@a.example", 200), ("dan", 401), ("*", 401), ("x)(uid=ann", 401)]
        {
            let mut phone = town.new_phone(login, Profile::ios());
            assert_eq!(options(&mut phone).await.0, answer, "{login}");
        }
        let mut phone = town.new_phone("ann", Profile::ios());
        for password in ["wrong", ""] {
            phone.driver.phone.set_password(password);
            assert_eq!(options(&mut phone).await.0, 401, "{password:?}");
        }
        town.server.stop().await;
    }
}

/// A password that is changed there is the password here, and whoever is gone there is shut out here; what they had stays.
#[tokio::test]
async fn who_leaves_the_directory_server() {
    let Some(slapd) = Slapd::start(&entries()) else { return };
    let town = town(&slapd, Security::Starttls).await;
    let directory = town.server.house.directory.clone();
    let mut phone = town.phone("ben", Profile::ios()).await;
    slapd.change(&format!(
        "dn: uid=ben,{BASE}\nchangetype: modify\nreplace: userPassword\nuserPassword: another\n"
    ));
    town.clock.advance(Duration::from_mins(16));
    assert_eq!(options(&mut phone).await.0, 401);
    phone.driver.phone.set_password("another");
    assert_eq!(options(&mut phone).await.0, 200);
    slapd.change(&format!("dn: uid=ben,{BASE}\nchangetype: delete\n"));
    let report = directory.sync(false).await.unwrap();
    assert_eq!((report.gone, report.gone_unconfirmed), (1, 0));
    let ben = directory.find("ben").await.unwrap();
    assert!(ben.is_gone);
    assert_eq!(options(&mut phone).await.0, 403, "as long as the password is remembered");
    // A new colleague need not wait for the next look: the first right password has us look.
    let eve = person("eve", "cn: Eve\nsn: Eve").replacen('\n', "\nchangetype: add\n", 1);
    slapd.change(&eve);
    let mut eve = town.new_phone("eve", Profile::android());
    assert_eq!(options(&mut eve).await.0, 503);
    let known = async {
        while directory.find("eve").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::town::PATIENCE, known).await.expect("nobody looked");
    assert_eq!(options(&mut eve).await.0, 200);
}

/// Down is not wrong: who was right lately goes on, others are told to come back, and nobody is removed.
#[tokio::test]
async fn a_directory_server_that_is_away() {
    let Some(mut slapd) = Slapd::start(&entries()) else { return };
    let town = town(&slapd, Security::Starttls).await;
    let directory = town.server.house.directory.clone();
    let mut phone = town.phone("ann", Profile::ios()).await;
    slapd.is_cut_off();
    town.clock.advance(Duration::from_hours(7));
    phone.catch_up().await;
    let mut other = town.new_phone("ben", Profile::android());
    assert_eq!(options(&mut other).await, (503, Some("30".to_owned())));
    assert!(directory.sync(true).await.is_err());
    let standing = directory.standing().await.unwrap();
    assert_eq!((standing.users, standing.users_gone), (3, 0));
    assert!(standing.status.error.is_some());
    town.clock.advance(Duration::from_hours(2));
    assert_eq!(options(&mut phone).await.0, 503, "but not for ever");
    slapd.go_on();
    town.clock.advance(Duration::from_mins(1));
    assert_eq!(options(&mut phone).await.0, 200);
    assert_eq!(options(&mut other).await.0, 200);
    directory.sync(false).await.unwrap();
}

/// A directory server with somebody else's certificate is not believed, and sees no password.
#[tokio::test]
async fn a_directory_server_that_is_another() {
    let Some(slapd) = Slapd::start(&entries()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let foreign = foreign_certificate(dir.path());
    for security in [Security::Starttls, Security::Tls] {
        let town = Town::of(&[], Clock::system(), |config| {
            slapd.serves(config, security);
            config.ldap.roots = Some(foreign.clone());
        })
        .await;
        let refused = town.server.house.directory.sync(false).await.unwrap_err().to_string();
        assert!(refused.contains("down"), "{refused}");
        let mut phone = town.new_phone("ann", Profile::ios());
        assert_eq!(options(&mut phone).await.0, 503);
        town.server.stop().await;
    }
}

/// Rules of policies go by the groups of the file.
#[tokio::test]
async fn a_policy_for_a_group_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.csv");
    let lines = "kind,name,address,groups\nuser,ann,ann@a.example,board\nuser,ben,ben@a.example,\n\
        group,board,,heads\n";
    std::fs::write(&file, lines).unwrap();
    let town = Town::of(&["ann", "ben"], Clock::system(), |config| {
        config.directory.csv_file = Some(file.clone());
    })
    .await;
    let mut config = town.config.clone();
    config.directory.source = retract::config::Source::Csv;
    let town = town.with_another(config).await;
    town.server.house.directory.sync(false).await.unwrap();
    let policies = &town.server.house.policies;
    let book = |group: &str| {
        let rules = format!("[[rule]]\ngroup = \"{group}\"\naccess = \"block\"\n");
        toml::from_str(&rules).unwrap()
    };
    assert!(policies.put_rule_book(book("nobody"), "root").await.is_err());
    policies.put_rule_book(book("Heads"), "root").await.unwrap();
    let mut ann = town.new_phone("ann", Profile::ios());
    assert!(ann.driver.set_up().await.is_err(), "her group lies in the one that is blocked");
    let mut ben = town.new_phone("ben", Profile::ios());
    ben.driver.set_up().await.unwrap();
}

/// Whoever the IMAP server lets in is a user from then on, by password or by token.
#[tokio::test]
async fn whoever_the_imap_server_lets_in() {
    let Some(dovecot) = Dovecot::start() else { return };
    let town = Town::of(&[], Clock::system(), |config| dovecot.verifies(config)).await;
    let directory = &town.server.house.directory;
    let mut phone = town.new_phone("ann", Profile::ios());
    assert_eq!(options(&mut phone).await.0, 401, "not her password there");
    assert!(directory.find("ann").await.is_err());
    phone.driver.phone.set_password(PASSWORD_QUOTED);
    phone.driver.set_up().await.unwrap();
    let ann = directory.find("ann").await.unwrap();
    assert_eq!(ann.address, "ann@a.example");
    // Her token, somebody else's, and one that nobody signed.
    for (token, status) in [
        (token("ann", TOKEN_KEY), 200),
        (token("ben", TOKEN_KEY), 401),
        (token("ann", b"another key that nobody knows of"), 401),
        ("nonsense".to_owned(), 401),
    ] {
        let mut exchange = phone.phone().options();
        exchange.target =
            "/Microsoft-Server-ActiveSync?User=ann&DeviceId=d1&DeviceType=iPhone".to_owned();
        for (name, value) in &mut exchange.headers {
            if name.eq_ignore_ascii_case("authorization") {
                *value = format!("Bearer {token}");
            }
        }
        let answer = phone.driver.send(&exchange).await.unwrap();
        assert_eq!(answer.status, status, "{token}");
        let challenges = answer.headers.iter().filter(|(name, _)| name == "www-authenticate");
        assert_eq!(challenges.count(), if status == 401 { 2 } else { 0 });
    }
    drop(dovecot);
    let phone_of_ben = Phone::new(Profile::ios(), "ben", PASSWORD_QUOTED, "ben1");
    let mut ben = Handset::new(Driver::new(phone_of_ben, town.tls_line()));
    assert_eq!(options(&mut ben).await.0, 503, "an IMAP server that is away refuses nobody");
    phone.catch_up().await;
}

/// A token for somebody (RFC 7519), good for a year.
fn token(sub: &str, key: &[u8]) -> String {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let now = Clock::system().now().seconds();
    let claims = format!(r#"{{"sub":"{sub}","iat":{},"exp":{}}}"#, now - 60, now + 31_536_000);
    let signed = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
