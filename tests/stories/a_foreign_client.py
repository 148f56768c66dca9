"""pyactivesync, a client that is not ours, does all it can do with mail; the story that started it takes a message back in between.

Arguments: server, file with the certificate, user, password. Each line on standard output is a place the story waits for; the
client goes on when it gets a line back.
"""

import sys
from email.message import EmailMessage

from pyactivesync import BodyType, Client, EmailChange, OofState, StatusError

server, certificate, user, password = sys.argv[1:]


def reached(place):
    print(place, flush=True)
    sys.stdin.readline()


def catch_up(client, folder, key="0"):
    """All rounds until there is nothing more: key, items by subject, deleted ids."""
    added, deleted = {}, []
    if key == "0":
        key = client.sync_folder(folder).sync_key
    while True:
        result = client.sync_folder(folder, key, window_size=2)
        key = result.sync_key
        added.update((item.fields.get("Email.Subject"), item) for item in result.added)
        deleted += result.deleted
        if not result.more_available and not result.added and not result.deleted:
            return key, added, deleted


def expect(what, is_so):
    assert is_so, what


with Client(server, user, password, device_id="PYACTIVESYNC1", verify_ssl=certificate) as client:
    client.provision()
    folders = {folder.type.name: folder.id for folder in client.list_folders()}
    inbox, trash = folders["INBOX"], folders["DELETED_ITEMS"]

    # Folders.
    client.create_folder("Grüße")
    made = next(folder.id for folder in client.list_folders() if folder.name == "Grüße")
    client.update_folder(made, "Umlaute")
    expect("renamed", "Umlaute" in [folder.name for folder in client.list_folders()])

    # Sync, in windows of two.
    key, mails, _ = catch_up(client, inbox)
    expect(f"all four: {sorted(mails)}", sorted(mails) == ["kept", "moved", "secret", "with a file"])
    expect("nothing to estimate", client.get_item_estimate(inbox, key) == 0)

    # An item, its body as text and as MIME, its attachment.
    whole = client.fetch_item(inbox, mails["with a file"].server_id, body_type=BodyType.PLAIN_TEXT)
    expect(f"body: {whole.body}", "See the file" in whole.body.data)
    expect(f"attachment: {whole.attachments}", whole.attachments[0].display_name == "plan.csv")
    octets = client.fetch_attachment(whole.attachments[0].file_reference)
    expect(f"octets: {octets}", octets == b"name;salary\r\n")
    mime = client.fetch_item(inbox, mails["kept"].server_id, body_type=BodyType.MIME)
    expect(f"MIME: {mime.body}", b"Message-ID: <kept@b.example>" in mime.body.data)

    # States, a move, a deletion.
    changes = [EmailChange(mails["kept"].server_id, read=True, flagged=True)]
    changed = client.apply_email_changes(inbox, key, changes)
    expect(f"changed: {changed}", set(changed.statuses.values()) == {"1"})
    moved = client.move_item(mails["moved"].server_id, inbox, made)
    key, _, gone = catch_up(client, inbox, changed.sync_key)
    _, there, _ = catch_up(client, made)
    expect(f"moved: {there}", there["moved"].server_id == moved)
    expect(f"at most the moved one is gone here: {gone}", set(gone) <= {mails["moved"].server_id})

    # A draft, whole as MIME.
    draft = EmailMessage()
    draft["To"], draft["Subject"] = "ben@a.example", "a draft"
    draft.set_content("Not finished.\n")
    drafts = folders["DRAFTS"]
    filed = client.create_email_draft(drafts, client.sync_folder(drafts).sync_key, draft)
    expect(f"draft: {filed}", filed.status == "1" and filed.server_id)

    # A mail to Ben, once, and in Sent Items once.
    mail = EmailMessage()
    mail["To"], mail["Subject"] = "ben@a.example", "hello from Python"
    mail.set_content("Hello.\n")
    client.send_mail(mail)
    _, sent, _ = catch_up(client, folders["SENT_ITEMS"])
    expect(f"sent: {sorted(sent)}", list(sent) == ["hello from Python"])

    # A Ping that ends for a recall, and the Delete that follows.
    reached("pings")
    told = client.ping([inbox, trash], heartbeat=60, timeout=50)
    expect(f"Ping: {told}", told.status == "2" and told.changed_folder_ids == [inbox])
    key, added, gone = catch_up(client, inbox, key)
    expect(f"deleted: {gone}", gone == [mails["secret"].server_id] and not added)
    reached("has let go")

    # Who asks for it again may have it still: it is not there, and its Delete comes once more.
    try:
        client.fetch_item(inbox, mails["secret"].server_id)
        expect("the recalled mail was fetched", False)
    except StatusError as error:
        expect(f"not found: {error}", error.code == "6")
    key, added, gone = catch_up(client, inbox, key)
    expect(f"deleted again: {gone}", gone == [mails["secret"].server_id] and not added)

    # It is found by no search; others are, page by page.
    expect("found though recalled", not client.find_mailbox("secret").items)
    found = client.find_mailbox("file", folder_id=inbox)
    expect(f"found: {found}", [item.server_id for item in found.items] == [mails["with a file"].server_id])
    newer = client.search_mailbox(inbox, date_received_after="2020-01-01T00:00:00.000Z")
    subjects = sorted(hit.get("Email.Subject") for hit in newer)
    expect(f"newer: {newer}", subjects == ["kept", "with a file"])

    # People.
    people = client.search_gal("ben")
    expect(f"people: {people}", [person.email_address for person in people] == ["ben@a.example"])
    people = client.find_gal("ben@a.example").items
    expect(f"found people: {people}", people[0].fields["GAL.EmailAddress"] == "ben@a.example")
    resolved = client.resolve_recipients("ben@a.example")
    expect(f"resolved: {resolved}", [who.email_address for who in resolved] == ["ben@a.example"])

    # Away, and back.
    client.set_oof(OofState.ENABLED, reply_message="I am away.")
    away = client.get_oof()
    expect(f"away: {away}", away.state == OofState.ENABLED)
    texts = {(message.applies_to, message.enabled, message.reply_message) for message in away.messages}
    audiences = ["Internal", "ExternalKnown", "ExternalUnknown"]
    expect(f"texts: {texts}", texts == {(audience, True, "I am away.") for audience in audiences})
    client.set_oof(OofState.DISABLED)
    expect("back", client.get_oof().state == OofState.DISABLED)

    # The person deletes a mail for good, and the folder.
    client.apply_email_changes(
        inbox, key, [EmailChange(mails["kept"].server_id, delete=True)], deletes_as_moves=False
    )
    client.delete_folder(made)
    reached("done")
