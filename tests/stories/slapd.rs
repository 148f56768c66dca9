//! Real servers behind the gateway, on free loopback ports with throw-away configuration: Debian's slapd, and its Dovecot.
//!
//! `tests/run` installs them and sets `RETRACT_MAIL_SERVERS=1`; without that, a machine that lacks one says so and goes on.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use retract::config::{Config, Security};
use tempfile::TempDir;

use super::town::PASSWORD;

const SLAPD: &str = "/usr/sbin/slapd";
const DOVECOT: &str = "/usr/sbin/dovecot";
pub(crate) const BASE: &str = "dc=a,dc=example";
const ADMIN: &str = "cn=admin,dc=a,dc=example";
/// Whom the gateway binds as; the password is everybody's.
const READER: &str = "cn=retract,dc=a,dc=example";
/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(30);
const SCHEMAS: [&str; 5] = ["core", "cosine", "nis", "inetorgperson", "misc"];

/// A server that ends with its story.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _told = Command::new("kill").arg(self.0.id().to_string()).status();
        let _gone = self.0.wait();
    }
}

/// OpenLDAP's slapd.
pub(crate) struct Slapd {
    port: u16,
    tls_port: u16,
    dir: TempDir,
    running: Option<Running>,
}

impl Slapd {
    /// One with these entries (LDIF); none where the machine has no slapd.
    pub(crate) fn start(entries: &str) -> Option<Slapd> {
        if !Path::new(SLAPD).exists() || !Path::new("/usr/bin/ldapmodify").exists() {
            return missing("slapd and ldap-utils");
        }
        let dir = tempfile::Builder::new().prefix("slapd").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("db")).unwrap();
        certificate(dir.path());
        std::fs::write(dir.path().join("slapd.conf"), config(dir.path())).unwrap();
        std::fs::write(dir.path().join("entries.ldif"), format!("{}{entries}", root())).unwrap();
        let mut add = Command::new("/usr/sbin/slapadd");
        add.arg("-f").arg(dir.path().join("slapd.conf"));
        add.arg("-l").arg(dir.path().join("entries.ldif"));
        let added = add.output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let mut slapd = Slapd { port: free_port(), tls_port: free_port(), dir, running: None };
        slapd.go_on();
        Some(slapd)
    }

    /// Starts it, for the first time or again.
    pub(crate) fn go_on(&mut self) {
        let urls = format!("ldap://127.0.0.1:{} ldaps://127.0.0.1:{}", self.port, self.tls_port);
        let child = Command::new(SLAPD)
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(self.dir.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Running(child);
        until_it_listens(&mut running, &[self.port, self.tls_port]);
        self.running = Some(running);
    }

    /// Ends it.
    pub(crate) fn is_cut_off(&mut self) {
        self.running = None;
    }

    /// Changes something in it, as an administrator (LDIF).
    pub(crate) fn change(&self, ldif: &str) {
        let mut child = Command::new("/usr/bin/ldapmodify")
            .args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.port)])
            .args(["-D", ADMIN, "-w", PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{ldif}");
    }

    /// Has a gateway take its users from here and verify their passwords here.
    pub(crate) fn serves(&self, config: &mut Config, security: Security) {
        config.directory.source = retract::config::Source::Ldap;
        config.directory.sign_in = retract::config::SignIn::Ldap;
        config.ldap.host = Some("127.0.0.1".to_owned());
        config.ldap.port = Some(if security == Security::Tls { self.tls_port } else { self.port });
        config.ldap.security = security;
        config.ldap.roots = Some(self.dir.path().join("cert.pem"));
        config.ldap.bind_dn = Some(READER.to_owned());
        config.ldap.bind_password = Some(PASSWORD.to_owned().into());
        config.ldap.base = BASE.to_owned();
        config.ldap.page_entries = 3;
        config.ldap.admins_group = Some("admins".to_owned());
    }
}

fn config(root: &Path) -> String {
    let schemas = SCHEMAS.map(|name| format!("include /etc/ldap/schema/{name}.schema\n")).concat();
    format!(
        "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\n\
         pidfile {r}/pid\nargsfile {r}/args\n\
         TLSCACertificateFile {r}/cert.pem\nTLSCertificateFile {r}/cert.pem\n\
         TLSCertificateKeyFile {r}/key.pem\n\
         database mdb\nmaxsize 16777216\nsuffix \"{BASE}\"\nrootdn \"{ADMIN}\"\nrootpw \"{PASSWORD}\"\n\
         directory {r}/db\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"{READER}\" read by * none\n\
         limits dn.exact=\"{READER}\" size=unlimited\n",
        r = root.display()
    )
}

fn root() -> String {
    format!(
        "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: a\no: A\n\n\
         dn: {READER}\nobjectClass: simpleSecurityObject\nobjectClass: organizationalRole\n\
         cn: retract\nuserPassword: {PASSWORD}\n\n"
    )
}

/// Somebody in it.
pub(crate) fn person(uid: &str, more: &str) -> String {
    format!(
        "dn: uid={uid},{BASE}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\nuid: {uid}\n\
         mail: {uid}@a.example\nuserPassword: {PASSWORD}\n{more}\n\n"
    )
}

/// A group in it, of these DNs.
pub(crate) fn group(name: &str, address: &str, members: &[&str]) -> String {
    let members: String =
        members.iter().map(|member| format!("member: {member},{BASE}\n")).collect();
    // Addresses of groups come with a class that has the attribute, and any class may be mixed in.
    format!(
        "dn: cn={name},{BASE}\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: {name}\n\
         mail: {address}\n{members}\n"
    )
}

/// Debian's Dovecot, which verifies passwords and tokens.
pub(crate) struct Dovecot {
    port: u16,
    dir: TempDir,
    _running: Running,
}

impl Dovecot {
    /// Everybody may sign in, with everybody's password; none where the machine has no Dovecot.
    pub(crate) fn start() -> Option<Dovecot> {
        use std::os::unix::fs::PermissionsExt as _;
        if !Path::new("/usr/lib/dovecot/imap").exists() {
            return missing("dovecot-imapd");
        }
        let dir = tempfile::Builder::new().prefix("imap").tempdir().unwrap();
        // It works as users of its own.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        certificate(dir.path());
        let keys = dir.path().join("keys/default/HS256");
        std::fs::create_dir_all(&keys).unwrap();
        std::fs::write(keys.join("default"), TOKEN_KEY_BASE64).unwrap();
        let oauth = format!(
            "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={}/keys/\n\
             username_attribute = sub\n",
            dir.path().display()
        );
        std::fs::write(dir.path().join("oauth2.conf"), oauth).unwrap();
        let port = free_port();
        let config = dir.path().join("dovecot.conf");
        std::fs::write(&config, dovecot_config(dir.path(), port)).unwrap();
        let child = Command::new(DOVECOT)
            .args(["-F", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Running(child);
        until_it_listens(&mut running, &[port]);
        Some(Dovecot { port, dir, _running: running })
    }

    /// Has a gateway verify passwords and tokens here.
    pub(crate) fn verifies(&self, config: &mut Config) {
        config.directory.sign_in = retract::config::SignIn::Imap;
        config.directory.bearer = true;
        config.imap.host = Some("127.0.0.1".to_owned());
        config.imap.port = Some(self.port);
        config.imap.security = Security::Starttls;
        config.imap.roots = Some(self.dir.path().join("cert.pem"));
    }
}

/// What tokens are signed with (HS256).
pub(crate) const TOKEN_KEY: &[u8] = b"a key for tokens of this story 1";
const TOKEN_KEY_BASE64: &str = "YSBrZXkgZm9yIHRva2VucyBvZiB0aGlzIHN0b3J5IDE=";

fn dovecot_config(root: &Path, port: u16) -> String {
    format!(
        "base_dir = {r}/run\nstate_dir = {r}/state\nlog_path = {r}/log\nprotocols = imap\n\
         listen = 127.0.0.1\nssl = required\nssl_cert = <{r}/cert.pem\nssl_key = <{r}/key.pem\n\
         auth_mechanisms = plain login oauthbearer xoauth2\n\
         auth_failure_delay = 0\n\
         default_internal_user = dovecot\ndefault_login_user = dovenull\n\
         mail_location = maildir:{r}/mail/%u\nmail_uid = nobody\nmail_gid = nogroup\n\
         first_valid_uid = 1\nfirst_valid_gid = 1\ndefault_vsz_limit = 1G\n\
         passdb {{\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n  args = {r}/oauth2.conf\n}}\n\
         passdb {{\n  driver = static\n  mechanisms = plain login\n  args = password={PASSWORD_QUOTED}\n}}\n\
         userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={r}/mail/%u\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {port}\n  }}\n  \
         inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service stats {{\n  unix_listener stats-writer {{\n    mode = 0666\n  }}\n}}\n",
        r = root.display()
    )
}

/// Everybody's password at Dovecot, whose configuration has no blanks in it.
pub(crate) const PASSWORD_QUOTED: &str = "correct-horse";

/// A certificate for this host that vouches for itself.
fn certificate(dir: &Path) {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

/// A certificate of somebody else.
pub(crate) fn foreign_certificate(dir: &Path) -> PathBuf {
    let path = dir.join("foreign");
    std::fs::create_dir(&path).unwrap();
    certificate(&path);
    path.join("cert.pem")
}

fn missing<T>(what: &str) -> Option<T> {
    assert!(
        std::env::var_os("RETRACT_MAIL_SERVERS").is_none(),
        "this machine should have {what}, and has not"
    );
    // A word for whoever reads along; the assertion above is what counts.
    let said = format!("NOT TESTED: this machine has no {what}; tests/run installs it\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    None
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn until_it_listens(running: &mut Running, ports: &[u16]) {
    let until = Instant::now() + START_MAX;
    for port in ports {
        while std::net::TcpStream::connect(("127.0.0.1", *port)).is_err() {
            assert!(Instant::now() < until, "the server does not listen");
            assert_eq!(running.0.try_wait().unwrap(), None, "the server has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
