//! A mail server that is not ours hands mail in: Python's `smtplib.LMTP`, which any machine has.

use std::process::Command;

use activesync_phone::Profile;
use retract::recall::State;

use super::town::Town;

const SCRIPT: &str = r#"
import smtplib, sys
from email.message import EmailMessage

port = int(sys.argv[1])
mail = EmailMessage()
mail["From"], mail["To"] = "Bob <bob@b.example>", "ann@a.example, ben@a.example"
mail["Subject"], mail["Message-ID"] = "Grüße aus Köln", "<secret@b.example>"
mail.set_content("Ein Gruß.\n.\n..\nEnde\n")
mail.add_attachment(b"name;salary\n", maintype="text", subtype="csv", filename="gehälter.csv")
with smtplib.LMTP("127.0.0.1", port) as line:
    # It reads a single reply after the data, so each recipient gets a mail of their own.
    for to in "ann@a.example", "ben@a.example":
        refused = line.send_message(mail, "bob@b.example", [to, "nobody@a.example"])
        print(sorted((who, told[0]) for who, told in refused.items()))
    line.rset()
    line.noop()
    try:
        line.sendmail("bob@b.example", ["nobody@a.example"], b"Subject: lost\r\n\r\n")
    except smtplib.SMTPRecipientsRefused as error:
        print(sorted((who, told[0]) for who, told in error.recipients.items()))
"#;

#[tokio::test]
async fn smtplib_delivers_and_the_mail_is_taken_back() {
    let town = Town::open().await;
    let mut ann = town.phone("ann", Profile::ios()).await;
    let mut ben = town.phone("ben", Profile::android()).await;
    let port = town.lmtp().port().to_string();
    let run = move || Command::new("python3").args(["-c", SCRIPT, &port]).output();
    let told = tokio::task::spawn_blocking(run).await.unwrap().expect("python3 is installed");
    let (said, wrong) =
        (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{wrong}");
    assert_eq!(said.lines().collect::<Vec<_>>(), ["[('nobody@a.example', 550)]"; 3]);
    for phone in [&mut ann, &mut ben] {
        phone.catch_up().await;
        assert_eq!(phone.subjects(), ["Grüße aus Köln"]);
    }
    let (inbox, id) = (ann.inbox(), ann.id_of("Grüße aus Köln"));
    let item = &ann.phone().cache.collections[&inbox].items[&id].email;
    assert_eq!(
        item.attachments.as_ref().unwrap().attachments[0].display_name.as_deref(),
        Some("gehälter.csv")
    );
    let order = town.recall("secret").await;
    town.until(order, |c| c.devices.iter().filter(|d| d.state == State::Queued).count() == 2).await;
    for phone in [&mut ann, &mut ben] {
        phone.catch_up().await;
        phone.sync().await;
        assert!(phone.subjects().is_empty());
    }
    town.until(order, |coverage| coverage.covered == 2).await;
}
