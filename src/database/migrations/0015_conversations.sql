-- Where mail of a conversation goes when it arrives, because a phone asked that it always be moved. Room: mailbox.
CREATE TABLE conversations_filed (
    mailbox_id BIGINT NOT NULL REFERENCES mailboxes (id),
    conversation BLOB NOT NULL,
    folder_id BIGINT NOT NULL REFERENCES folders (id),
    filed_at BIGINT NOT NULL,
    PRIMARY KEY (mailbox_id, conversation)
);
CREATE INDEX conversations_filed_by_time ON conversations_filed (mailbox_id, filed_at);
