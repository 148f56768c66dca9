//! The mail of the demo: a few dozen messages as an office has them, and the one that should not have been sent.

/// People of the demo: name, address, display name.
pub(super) const PEOPLE: [(&str, &str, &str); 5] = [
    ("alice", "alice@example.org", "Alice Sørensen"),
    ("bob", "bob@example.org", "Bob Okafor"),
    ("carol", "carol@example.org", "Carol Weiß"),
    ("dave", "dave@example.org", "Dave Nakamura"),
    ("erin", "erin@example.org", "Erin Lindqvist"),
];

/// The password of everybody in the demo; it is printed so that a real phone can be pointed at it.
pub(super) const PASSWORD: &str = "demo-password";

/// The Message-ID of the mail that is recalled.
pub(super) const RECALLED: &str = "salaries-2027@example.org";
/// Its subject.
pub(super) const RECALLED_SUBJECT: &str = "Salaries 2027 (confidential)";

/// A mail ready for LMTP.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    /// Envelope sender.
    pub(super) from: &'static str,
    /// Envelope recipients.
    pub(super) to: Vec<&'static str>,
    /// The octets.
    pub(super) raw: String,
}

const LINES: [(&str, &str); 30] = [
    ("Minutes of Monday's planning", "The minutes are below; corrections by Wednesday, please."),
    ("Lunch on Thursday?", "The new place by the canal has a table for six at half past twelve."),
    ("Re: Offer for the Hamburg office", "They came down by four per cent. I would take it."),
    ("Printer on the second floor", "It is alive again. Nobody knows why."),
    (
        "Trip report: Rotterdam",
        "Three customers, two of them happy, one with a list. The list is attached to the ticket.",
    ),
    ("Your parcel has arrived", "It is at the front desk until Friday."),
    ("Invoice 2026-1184", "Payable within 30 days. Thank you for your order."),
    ("Quarterly figures, draft", "Still a draft: the Danish numbers are missing."),
    (
        "Fire drill on Tuesday",
        "At ten o'clock. Please use the stairs and meet by the bicycle shed.",
    ),
    ("Re: Re: Logo", "The second one. But with the old blue."),
    ("Interview schedule", "Two candidates on Wednesday, one on Friday. Rooms are booked."),
    ("Server maintenance tonight", "Mail may be slow between 22:00 and 23:00."),
    ("Happy birthday, Carol!", "There is cake in the kitchen."),
    ("Contract with Nordwind", "Signed by both sides. The scan is in the usual place."),
    ("Holiday plans", "I am away from 21 December to 6 January; Dave covers."),
    (
        "Question about the API",
        "Does the cursor survive a restart? I could not find it in the documentation.",
    ),
    ("Parking permits", "The new ones are green. The old ones end with the month."),
    ("Re: Budget for training", "Approved, up to 1,200 each."),
    ("Lost: a grey scarf", "Probably left in the large meeting room."),
    ("Weekly newsletter", "What shipped, what slipped, and a picture of somebody's dog."),
    ("Travel expenses for October", "Please hand in receipts by the fifth."),
    ("Re: Incident of last night", "Root cause: a certificate. It is always a certificate."),
    ("Book club", "Next one on the 9th. We read the short one."),
    ("Phone numbers", "The list has changed; the old one is wrong in four places."),
    (
        "Customer visit, Friday",
        "They bring six people. Can we have the large room and vegetarian lunch?",
    ),
    ("Heating", "It will be repaired on Monday. Bring a jumper."),
    ("Re: Press release", "Two commas and it can go out."),
    ("Bicycle shed", "Somebody's lock has been there since spring. It will be cut on Friday."),
    ("New colleague", "Erin starts on the first. Please say hello."),
    ("Backup report", "All jobs finished. 1.9 TiB in 3 h 12 min."),
];

/// Mail number `n` of the demo, `n` from 0.
pub(super) fn mail(n: usize) -> Mail {
    let (subject, text) = LINES[n % LINES.len()];
    let (_, from, name) = PEOPLE[(n * 7 + 1) % PEOPLE.len()];
    let to: Vec<&'static str> =
        PEOPLE.iter().map(|(_, address, _)| *address).filter(|a| *a != from).collect();
    let to = if n.is_multiple_of(3) { to } else { vec![to[n % to.len()]] };
    let body = if n.is_multiple_of(2) { plain(text) } else { alternative(n, text) };
    Mail {
        from,
        raw: envelope(&format!("demo-{n}@example.org"), from, name, &to, subject, n, &body),
        to,
    }
}

/// How many mails there are before the one that is recalled.
pub(super) const COUNT: usize = 36;

/// The one that should not have been sent: to everybody, with the file.
pub(super) fn recalled() -> Mail {
    let (_, from, name) = PEOPLE[0];
    let to: Vec<&'static str> = PEOPLE.iter().skip(1).map(|(_, address, _)| *address).collect();
    let body = "MIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=\"mix\"\r\n\r\n\
        --mix\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
        Hi Dave,\r\n\r\nall salaries for 2027 are attached. For your eyes only!\r\n\r\nAlice\r\n\
        --mix\r\nContent-Type: text/csv; name=\"salaries-2027.csv\"\r\n\
        Content-Disposition: attachment; filename=\"salaries-2027.csv\"\r\n\r\n\
        name,salary\r\nAlice,91000\r\nBob,67000\r\nCarol,72500\r\n\
        --mix--\r\n";
    Mail { from, raw: envelope(RECALLED, from, name, &to, RECALLED_SUBJECT, COUNT, body), to }
}

fn envelope(
    id: &str,
    from: &str,
    name: &str,
    to: &[&str],
    subject: &str,
    n: usize,
    body: &str,
) -> String {
    let (day, hour, minute) = (20 + n / 12, 8 + n % 10, (n * 7) % 60);
    format!(
        "From: {name} <{from}>\r\nTo: {}\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n\
         Date: {day} Nov 2026 {hour:02}:{minute:02}:00 +0000\r\n{body}",
        to.join(", ")
    )
    .replace("From: Alice Sørensen", "From: =?utf-8?q?Alice_S=C3=B8rensen?=")
    .replace("From: Carol Weiß", "From: =?utf-8?q?Carol_Wei=C3=9F?=")
}

fn plain(text: &str) -> String {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello,\r\n\r\n{text}\r\n"
    )
}

fn alternative(n: usize, text: &str) -> String {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"alt{n}\"\r\n\r\n\
         --alt{n}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\
         --alt{n}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body><p>Hello,</p><p>{text}</p></body></html>\r\n--alt{n}--\r\n"
    )
}
