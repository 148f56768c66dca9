//! Mail of phones that leaves through a submission service as the user whose mail it is: Debian's Dovecot, over TLS, with the user's own
//! password.
//!
//! `tests/run` installs it and sets `RETRACT_MAIL_SERVERS=1`; without that, a machine that lacks it says so and goes on.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use activesync_phone::activesync::command::folder_sync::FolderType;
use activesync_phone::{Outcome, Profile};
use retract::clock::{Clock, Timestamp};
use retract::config::{RelayCredentials, Security};
use retract::delivery::OutboxId;
use retract::ids::UserId;

use super::post::World;
use super::town::{Handset, PASSWORD, PATIENCE, Town, folder};

const DOVECOT: &str = "/usr/sbin/dovecot";

/// A submission service that goes when this goes.
struct Submission {
    port: u16,
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Submission {
    /// Starts it in front of a world that takes what it lets through; none where this machine has none.
    #[allow(clippy::print_stdout, reason = "who runs the tests must see what was not tested")]
    fn before(world: &World) -> Option<Submission> {
        if !Path::new("/usr/lib/dovecot/submission").exists() {
            assert!(
                std::env::var_os("RETRACT_MAIL_SERVERS").is_none(),
                "this machine should have dovecot-submissiond, and has not"
            );
            println!("NOT TESTED: this machine has no dovecot-submissiond; tests/run installs it");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("submission").tempdir().unwrap();
        let root = folder.path();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(root.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(root.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let users = ["ann", "ben"].map(|name| format!("{name}:{{PLAIN}}{PASSWORD}::::::\n"));
        std::fs::write(root.join("users"), users.concat()).unwrap();
        open_to_all(root, 0o755);
        open_to_all(&root.join("users"), 0o644);
        std::fs::create_dir(root.join("mail")).unwrap();
        open_to_all(&root.join("mail"), 0o777);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(root.join("dovecot.conf"), configuration(root, port, world.port)).unwrap();
        let mut submission = Submission { port, child: None, folder };
        submission.start();
        Some(submission)
    }

    fn start(&mut self) {
        let child = Command::new(DOVECOT)
            .args(["-F", "-c"])
            .arg(self.folder.path().join("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
        self.until_it_listens();
    }

    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let file = self.folder.path().join("dovecot.conf");
        let told = Command::new(DOVECOT).arg("-c").arg(file).arg("stop").status();
        if !told.is_ok_and(|status| status.success()) {
            let _gone = child.kill();
        }
        let _ended = child.wait();
    }

    fn until_it_listens(&self) {
        let end = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = self.folder.path().join("log");
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(Instant::now() < end, "it does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ann, Ben and Cas live in front of it.
    async fn town(&self, clock: Clock) -> Town {
        Town::with(clock, None, |config| {
            config.relay.host = Some("localhost".to_owned());
            config.relay.port = Some(self.port);
            config.relay.security = Security::Starttls;
            config.relay.credentials = Some(RelayCredentials::User);
            config.relay.authority = Some(self.folder.path().join("cert.pem"));
        })
        .await
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        self.stop();
    }
}

fn open_to_all(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn configuration(root: &Path, port: u16, relay: u16) -> String {
    format!(
        "base_dir = {r}/run
state_dir = {r}/state
log_path = {r}/log
protocols = submission
listen = 127.0.0.1
hostname = submission.a.example
ssl = required
ssl_cert = <{r}/cert.pem
ssl_key = <{r}/key.pem
auth_mechanisms = plain login
default_internal_user = dovecot
default_login_user = dovenull
mail_location = maildir:{r}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
default_vsz_limit = 1G
submission_max_mail_size = 6M
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
service submission-login {{
  inet_listener submission {{
    port = {port}
  }}
}}
passdb {{
  driver = passwd-file
  args = {r}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={r}/mail/%u
}}
",
        r = root.display()
    )
}

fn letter(to: &str, words: &str) -> Vec<u8> {
    format!(
        "From: ann@a.example\r\nTo: {to}\r\nBcc: eve@x.example\r\nSubject: {words}\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\nGrüße.\r\n.one dot\r\n"
    )
    .into_bytes()
}

async fn sends(phone: &mut Handset, mime: &[u8]) -> Outcome {
    let client_id = phone.driver.phone.next_client_id();
    let exchange = phone.phone().send_mail(&client_id, mime);
    phone.ask(exchange).await
}

#[tokio::test]
async fn a_phones_mail_leaves_as_its_user() {
    let world = World::open().await;
    let Some(submission) = Submission::before(&world) else { return };
    let town = submission.town(Clock::system()).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    assert_eq!(sends(&mut ann, &letter("dan@x.example", "hello")).await, Outcome::Sent(None));
    let letters = world.until(1).await;
    let said = letters[0].envelope.join(" ");
    for part in ["FROM:<ann@a.example>", "TO:<dan@x.example>", "TO:<eve@x.example>"] {
        assert!(said.contains(part), "{said}");
    }
    let text = &letters[0].text;
    assert!(text.contains("Grüße.\r\n..one dot\r\n") && !text.contains("Bcc"), "{text}");
    let sent = folder(ann.phone(), FolderType::SENT_ITEMS);
    ann.driver.catch_up(&sent).await.unwrap();
    assert_eq!(ann.subjects_in(&sent), ["hello"]);
    // Cas has no account there: the phone hears no error, and the mail stays.
    let mut cas = town.phone("cas", Profile::android()).await;
    assert_eq!(sends(&mut cas, &letter("dan@x.example", "me too")).await, Outcome::Sent(None));
    assert_eq!(town.server.house.outbox.counts().await.unwrap().waiting, 1);
    // 122: too large ([MS-ASCMD] 2.2.2), as the service has said what it takes.
    let large = [letter("dan@x.example", "large"), b"0123456789\r\n".repeat(600_000)].concat();
    let refused = sends(&mut ann, &large).await;
    let is_122 =
        |status| matches!(status, Outcome::Sent(Some(s)) | Outcome::Refused(s) if s.0 == 122);
    assert!(is_122(refused));
    assert_eq!(world.letters().len(), 1);
}

/// The service is away when the mail is handed in, and the gateway forgets the password in a restart: the mail goes when the user comes.
#[tokio::test]
async fn after_a_restart_mail_goes_when_its_user_comes() {
    let world = World::open().await;
    let Some(mut service) = Submission::before(&world) else { return };
    let clock = Clock::manual(Timestamp(1_795_500_000_000));
    let town = service.town(clock).await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    service.stop();
    assert_eq!(sends(&mut ann, &letter("dan@x.example", "later")).await, Outcome::Sent(None));
    // Not before the mail has been tried once.
    let outbox = town.server.house.outbox.clone();
    let tried = async {
        while outbox.states(OutboxId(1)).await.unwrap()[0].reply.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.unwrap();
    drop(outbox);
    let town = town.restart_after(Duration::from_secs(60)).await;
    service.start();
    assert!(!town.server.house.keyring.knows(UserId(1)));
    let mut ann = town.same_phone(ann);
    ann.catch_up().await;
    let letters = world.until(1).await;
    assert!(letters[0].text.contains("Subject: later\r\n"));
    assert_eq!(world.letters().len(), 1);
}
