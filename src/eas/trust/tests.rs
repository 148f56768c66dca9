//! Certificates made for the purpose, each wrong in one way, and the one status that says so.

use std::slice::from_ref;

use activesync::status::certificate as status;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

use conformance::conforms;

use super::*;

/// 24 November 2026.
const NOW: Timestamp = Timestamp(1_795_521_600_000);

/// An authority, and what its certificate is.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn authority(params: CertificateParams, by: Option<&Authority>) -> Authority {
    let mut params = params;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    let der = match by {
        Some(by) => params.signed_by(&key, &by.issuer()).unwrap().der().to_vec(),
        None => params.self_signed(&key).unwrap().der().to_vec(),
    };
    Authority { params, key, der }
}

impl Authority {
    fn root() -> Authority {
        authority(params("root", 1), None)
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    fn issues(&self, params: CertificateParams) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer()).unwrap().der().to_vec()
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    fn revokes(&self, serial: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2026, 6, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 6, 1),
            next_update: date_time_ymd(2026, 12, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        pem("X509 CRL", list.signed_by(&self.issuer()).unwrap().der())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// Ann's, good for mail.
fn mail() -> CertificateParams {
    let mut params = params("ann", 7);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    params
}

fn trust(root: &Authority) -> Trust {
    Trust::default().with_roots(root.pem().as_bytes()).unwrap()
}

#[test]
fn a_chain_up_to_a_root_of_ours_is_good() {
    let root = Authority::root();
    let below = authority(params("below", 2), Some(&root));
    let (direct, deep) = (root.issues(mail()), below.issues(mail()));
    let chain = vec![below.der.clone()];
    assert_eq!(trust(&root).judge(&direct, &[], false, NOW), status::SUCCESS);
    assert_eq!(trust(&root).judge(&deep, &chain, false, NOW), status::SUCCESS);
    let mut plain = mail();
    (plain.key_usages, plain.extended_key_usages) = (vec![], vec![]);
    let plain = root.issues(plain);
    assert_eq!(trust(&root).judge(&plain, &[], false, NOW), status::SUCCESS);
    // The chain is not complete; the root is not ours; there are no roots.
    assert_eq!(trust(&root).judge(&deep, &[], false, NOW), status::UNTRUSTED_SOURCE);
    let other = trust(&authority(params("another", 1), None));
    assert_eq!(other.judge(&direct, from_ref(&root.der), false, NOW), status::UNTRUSTED_SOURCE);
    assert_eq!(Trust::default().judge(&direct, &[], false, NOW), status::UNTRUSTED_SOURCE);
    conforms!("MS-ASCMD_R688", "MS-ASCMD_R4521");
    // A root of the same name that did not sign it.
    assert_eq!(
        trust(&Authority::root()).judge(&direct, &[], false, NOW),
        status::INVALID_SIGNATURE
    );
}

#[test]
fn times_of_the_certificate_and_of_its_chain_are_told_apart() {
    let root = Authority::root();
    let mut expired = mail();
    expired.not_after = date_time_ymd(2026, 2, 1);
    let mut early = mail();
    (early.not_before, early.not_after) = (date_time_ymd(2026, 12, 1), date_time_ymd(2051, 1, 1));
    for params in [expired, early] {
        let der = root.issues(params);
        let judged = trust(&root).judge(&der, &[], false, NOW);
        assert_eq!(judged, status::EXPIRED_OR_NOT_YET_VALID);
    }
    let mut old = params("below", 2);
    old.not_after = date_time_ymd(2026, 2, 1);
    let below = authority(old, Some(&root));
    let der = below.issues(mail());
    let judged = trust(&root).judge(&der, from_ref(&below.der), false, NOW);
    assert_eq!(judged, status::INCONSISTENT_TIMES);
    conforms!("MS-ASCMD_R687", "MS-ASCMD_R4494");
}

#[test]
fn the_wrong_use_and_the_wrong_role_have_their_statuses() {
    let root = Authority::root();
    let judge =
        |params: CertificateParams| trust(&root).judge(&root.issues(params), &[], false, NOW);
    let mut server = mail();
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(judge(server), status::NOT_FOR_SIGNING);
    let mut secret = mail();
    secret.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    assert_eq!(judge(secret), status::NOT_FOR_SIGNING);
    conforms!("MS-ASCMD_R4488");
    let mut any = mail();
    any.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    assert_eq!(judge(any), status::SUCCESS);
    let mut ca = mail();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(judge(ca), status::CA_ROLE_WRONG);
    // An end entity that signs others.
    let key = KeyPair::generate().unwrap();
    let params_of = mail();
    let der = params_of.signed_by(&key, &root.issuer()).unwrap().der().to_vec();
    let person = Authority { params: params_of, key, der };
    let mut by_person = mail();
    by_person.serial_number = Some(SerialNumber::from(8));
    let below = person.issues(by_person);
    let judged = trust(&root).judge(&below, from_ref(&person.der), false, NOW);
    assert_eq!(judged, status::CA_ROLE_WRONG);
    conforms!("MS-ASCMD_R4504", "MS-ASCMD_R5847");
    // An authority for servers only.
    let mut servers = params("servers", 3);
    servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let servers = authority(servers, Some(&root));
    let judged = trust(&root).judge(&servers.issues(mail()), from_ref(&servers.der), false, NOW);
    assert_eq!(judged, status::USED_INCORRECTLY);
    conforms!("MS-ASCMD_R4497");
    let mut leafless = params("short", 4);
    leafless.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = Authority { der: Vec::new(), key: KeyPair::generate().unwrap(), params: leafless };
    let der = short.params.signed_by(&short.key, &root.issuer()).unwrap().der().to_vec();
    let below = authority(params("below", 5), Some(&short));
    let chain = [der, below.der.clone()];
    let judged = trust(&root).judge(&below.issues(mail()), &chain, false, NOW);
    assert_eq!(judged, status::INVALID_CHAIN);
}

#[test]
fn what_was_revoked_and_what_cannot_be_looked_up() {
    let root = Authority::root();
    let below = authority(params("below", 2), Some(&root));
    let der = below.issues(mail());
    let chain = [below.der.clone()];
    let knows = |lists: &[String]| {
        let trust = trust(&root);
        if lists.is_empty() { trust } else { trust.with_lists(lists.concat().as_bytes()).unwrap() }
    };
    let nothing: [String; 0] = [];
    assert_eq!(knows(&nothing).judge(&der, &chain, false, NOW), status::SUCCESS);
    assert_eq!(knows(&nothing).judge(&der, &chain, true, NOW), status::REVOCATION_UNKNOWN);
    let of_root = [root.revokes(99)];
    assert_eq!(knows(&of_root).judge(&der, &chain, false, NOW), status::SUCCESS);
    assert_eq!(knows(&of_root).judge(&der, &chain, true, NOW), status::REVOCATION_UNKNOWN);
    let of_all = [root.revokes(99), below.revokes(99)];
    assert_eq!(knows(&of_all).judge(&der, &chain, true, NOW), status::SUCCESS);
    let later = NOW.after(Duration::from_secs(20 * 86_400));
    assert_eq!(knows(&of_all).judge(&der, &chain, true, later), status::REVOCATION_UNKNOWN);
    assert_eq!(knows(&of_all).judge(&der, &chain, false, later), status::SUCCESS);
    let of_ann = [root.revokes(99), below.revokes(7)];
    assert_eq!(knows(&of_ann).judge(&der, &chain, false, NOW), status::REVOKED);
    let of_below = [root.revokes(2), below.revokes(99)];
    assert_eq!(knows(&of_below).judge(&der, &chain, true, NOW), status::CHAIN_REVOKED);
    conforms!("MS-ASCMD_R4509", "MS-ASCMD_R4515");
}

#[test]
fn what_is_no_certificate_is_said_to_be_none() {
    let root = Authority::root();
    let good = root.issues(mail());
    let trust = trust(&root);
    for junk in [&b""[..], b"junk", &[0x30, 0x80, 0, 0], &[0x30, 0x84, 255, 255, 255, 255]] {
        assert_eq!(trust.judge(junk, &[], false, NOW), status::INFO_MISSING);
    }
    for length in 0..good.len() {
        assert_eq!(trust.judge(&good[..length], &[], false, NOW), status::INFO_MISSING);
    }
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 0x55;
        assert_ne!(trust.judge(&bent, &[], false, NOW), status::SUCCESS, "{at}");
    }
    assert_eq!(trust.judge(&good, &[b"junk".to_vec()], false, NOW), status::SUCCESS);
    assert!(matches!(Trust::default().with_roots(b"junk"), Err(NotTrust::Empty)));
    assert!(Trust::default().with_lists(root.pem().as_bytes()).is_err());
    let odd = pem("CERTIFICATE", b"junk");
    assert!(matches!(
        Trust::default().with_roots(odd.as_bytes()),
        Err(NotTrust::Entry { number: 1, .. })
    ));
}
