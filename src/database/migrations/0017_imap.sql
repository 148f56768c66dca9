-- What we know of mail that lies on an IMAP server. Its messages are rows of `messages` without a body; these say where each is.

-- wire is the mailbox's name as the server spells it; uid_validity 0 means that nobody has looked into it yet.
CREATE TABLE imap_folders (
    folder_id BIGINT NOT NULL PRIMARY KEY REFERENCES folders (id),
    mailbox_id BIGINT NOT NULL REFERENCES mailboxes (id),
    wire BLOB NOT NULL,
    selectable BIGINT NOT NULL DEFAULT 1,
    object_id TEXT,
    uid_validity BIGINT NOT NULL DEFAULT 0,
    modseq BIGINT NOT NULL DEFAULT 0,
    UNIQUE (mailbox_id, wire)
);

-- item is NULL while the message is marked \Deleted: it is there, and no phone is shown it. flags are those the server told last.
CREATE TABLE imap_items (
    folder_id BIGINT NOT NULL REFERENCES imap_folders (folder_id),
    uid BIGINT NOT NULL,
    item BIGINT,
    flags TEXT NOT NULL,
    PRIMARY KEY (folder_id, uid)
);
CREATE UNIQUE INDEX imap_items_by_item ON imap_items (folder_id, item) WHERE item IS NOT NULL;
