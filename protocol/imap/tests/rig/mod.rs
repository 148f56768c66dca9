//! Real servers on free loopback ports with throw-away configuration: Debian's Dovecot and Cyrus.
//!
//! `tests/run` installs them and sets `RETRACT_MAIL_SERVERS=1`; without that, a machine that lacks one says so and goes on.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where `tests/run` unpacks Cyrus' imapd, which Debian does not install beside Dovecot's.
const CYRUS_IMAPD: [&str; 2] =
    ["/usr/lib/cyrus/bin/imapd", "/opt/retract-tests/cyrus/usr/lib/cyrus/bin/imapd"];
const CYRUS_BIN: &str = "/usr/lib/cyrus/bin";
const DOVECOT: &str = "/usr/sbin/dovecot";

/// How long a server may take to greet for the first time.
const START_MAX: Duration = Duration::from_secs(30);

/// What Dovecot says it can do when its extensions are off.
pub(crate) const BARE: &str = "IMAP4rev1 NAMESPACE UIDPLUS";

/// A server that goes when this goes.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) port: u16,
    child: Child,
    /// How it is told to stop.
    pub(crate) stop: Option<(PathBuf, PathBuf)>,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let told = self.stop.as_ref().is_some_and(|(program, config)| {
            let status = Command::new(program).arg("-c").arg(config).arg("stop").status();
            status.is_ok_and(|status| status.success())
        });
        if !told {
            let pid = self.child.id().to_string();
            let _ = Command::new("kill").arg(pid).status();
        }
        let _ = self.child.wait();
    }
}

/// Dovecot, with all its extensions or as good as none.
pub(crate) fn dovecot(extensions: bool) -> Option<Server> {
    dovecot_saying((!extensions).then_some(BARE))
}

/// Dovecot, which says that it can do this and nothing else.
pub(crate) fn dovecot_saying(capability: Option<&str>) -> Option<Server> {
    if !Path::new("/usr/lib/dovecot/imap").exists() {
        return missing("dovecot-imapd");
    }
    let folder = folder();
    let port = free_port();
    let config = folder.path().join("dovecot.conf");
    std::fs::write(&config, dovecot_config(folder.path(), port, capability)).unwrap();
    let mail = folder.path().join("mail");
    std::fs::create_dir(&mail).unwrap();
    open_to_all(&mail);
    let child = Command::new(DOVECOT)
        .args(["-F", "-c"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.path().join("errors")).unwrap())
        .spawn()
        .unwrap();
    let stop = Some((PathBuf::from(DOVECOT), config));
    Some(ready(Server { port, child, stop, _folder: folder }))
}

/// Cyrus.
pub(crate) fn cyrus() -> Option<Server> {
    let Some(imapd) = CYRUS_IMAPD.iter().find(|path| Path::new(path).exists()) else {
        return missing("cyrus-common and the imapd of cyrus-imapd");
    };
    let folder = folder();
    let port = free_port();
    let root = folder.path();
    for name in ["config", "spool"] {
        std::fs::create_dir(root.join(name)).unwrap();
    }
    std::fs::write(root.join("imapd.conf"), cyrus_config(root)).unwrap();
    let services = format!(
        "START {{\n  recover cmd=\"{CYRUS_BIN}/ctl_cyrusdb -C {r}/imapd.conf -r\"\n}}\nSERVICES {{\n  \
         imap cmd=\"{imapd} -C {r}/imapd.conf\" listen=\"127.0.0.1:{port}\" proto=\"tcp4\" prefork=0\n}}\nEVENTS {{\n}}\n",
        r = root.display()
    );
    std::fs::write(root.join("cyrus.conf"), services).unwrap();
    for user in ["anna", "berta", "admin"] {
        password(&root.join("sasldb2"), user);
    }
    run(Command::new("chown").args(["-R", "cyrus:mail"]).arg(root));
    let child = Command::new(format!("{CYRUS_BIN}/master"))
        .arg("-C")
        .arg(root.join("imapd.conf"))
        .arg("-M")
        .arg(root.join("cyrus.conf"))
        .arg("-p")
        .arg(root.join("master.pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Some(ready(Server { port, child, stop: None, _folder: folder }))
}

#[allow(clippy::print_stdout, reason = "who runs the tests must see what was not tested")]
fn missing(what: &str) -> Option<Server> {
    assert!(
        std::env::var_os("RETRACT_MAIL_SERVERS").is_none(),
        "this machine should have {what}, and has not"
    );
    println!("NOT TESTED: this machine has no {what}; tests/run installs it");
    None
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("imap").tempdir().unwrap();
    open_to_all(folder.path());
    folder
}

/// The servers work as users of their own.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until the server takes connections.
fn ready(mut server: Server) -> Server {
    let until = Instant::now() + START_MAX;
    while std::net::TcpStream::connect(("127.0.0.1", server.port)).is_err() {
        assert!(Instant::now() < until, "the server does not listen");
        assert_eq!(server.child.try_wait().unwrap(), None, "the server has ended");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

fn run(command: &mut Command) {
    assert!(command.status().is_ok_and(|status| status.success()), "{command:?}");
}

fn password(database: &Path, user: &str) {
    use std::io::Write;
    let mut child = Command::new("saslpasswd2")
        .args(["-p", "-c", "-f"])
        .arg(database)
        .args(["-u", "localhost", user])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"pw").unwrap();
    assert!(child.wait().unwrap().success());
}

fn dovecot_config(root: &Path, port: u16, capability: Option<&str>) -> String {
    let capability =
        capability.map(|words| format!("imap_capability = {words}\n")).unwrap_or_default();
    format!(
        "base_dir = {r}/run
state_dir = {r}/state
log_path = {r}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_master_user_separator = *
default_internal_user = dovecot
default_login_user = dovenull
mail_location = maildir:{r}/mail/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
mailbox_idle_check_interval = 1s
default_vsz_limit = 1G
{capability}passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={r}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_zlib
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = subscribe
  }}
}}
",
        r = root.display()
    )
}

fn cyrus_config(root: &Path) -> String {
    format!(
        "configdirectory: {r}/config
proc_path: {r}/config/proc
mboxname_lockpath: {r}/config/lock
defaultpartition: default
partition-default: {r}/spool
admins: admin
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {r}/sasldb2
sasl_mech_list: PLAIN
servername: localhost
unixhierarchysep: yes
altnamespace: yes
autocreate_quota: 0
autocreate_inbox_folders: Sent|Trash
autocreate_subscribe_folders: Sent|Trash
xlist-sent: Sent
xlist-trash: Trash
imapidlepoll: 1
syslog_prefix: retract-test
",
        r = root.display()
    )
}
