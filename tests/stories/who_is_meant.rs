//! Whom a name means, and whether a certificate is theirs to be believed: what a mail app asks before it signs and encrypts.

use activesync_phone::{Outcome, Profile};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use retract::clock::Clock;

use super::town::{Handset, Town};

/// A name, a beginning of one, and nobody.
#[tokio::test]
async fn names_of_the_address_list() {
    let town = Town::open().await;
    for profile in Profile::families() {
        let mut phone = town.phone("ann", profile).await;
        let exchange = phone.phone().resolve(&["ben", "cas@a.example", "nobody"]);
        let Outcome::ResolveRecipients(response) = phone.ask(exchange).await else {
            panic!("not ResolveRecipients")
        };
        let said: Vec<u16> = response.responses.iter().map(|one| one.status.0).collect();
        assert_eq!((response.status.0, &said[..]), (1, &[1, 1, 4][..]));
        let ben = &response.responses[0].recipients[0];
        assert_eq!(ben.email_address, "ben@a.example");
        // There is no certificate to encrypt with, and the app is told so.
        assert_eq!(ben.certificates.as_ref().unwrap().status.unwrap().0, 7);
    }
}

/// The operator trusts one authority: what it issued is good, what another issued is not, and nobody's word is taken for it.
#[tokio::test]
async fn certificates_of_an_authority_that_is_trusted() {
    let (root, good) = authority("ours");
    let (_, foreign) = authority("theirs");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), root).unwrap();
    let roots = file.path().to_owned();
    let town = Town::with(Clock::system(), None, |config| {
        config.certificates.roots = Some(roots);
    })
    .await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    assert_eq!(judged(&mut phone, &good).await, 1);
    assert_eq!(judged(&mut phone, &foreign).await, 4);
    let town = Town::open().await;
    let mut phone = town.phone("ann", Profile::ios()).await;
    assert_eq!(judged(&mut phone, &good).await, 4, "without roots nothing is trusted");
}

async fn judged(phone: &mut Handset, certificate: &[u8]) -> u16 {
    let exchange = phone.phone().validate_certificate(&[], certificate);
    match phone.ask(exchange).await {
        Outcome::ValidateCert(response) => {
            assert_eq!(response.status.0, 1);
            response.certificates[0].0
        }
        other => panic!("not ValidateCert: {other:?}"),
    }
}

/// An authority's certificate as PEM, and one for mail that it issued.
fn authority(name: &str) -> (String, Vec<u8>) {
    let params = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let (mut root, mut person) = (params(name), params("ann"));
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    person.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    let (key, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let pem = root.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(root, key);
    (pem, person.signed_by(&own, &issuer).unwrap().der().to_vec())
}
