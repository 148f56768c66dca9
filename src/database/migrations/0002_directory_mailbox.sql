-- Who is who, which message is which, and the embedded mail store.

-- name and address in lower case; password_hash is a PHC string.
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled BIGINT NOT NULL DEFAULT 0,
    is_admin BIGINT NOT NULL DEFAULT 0,
    policy_name TEXT,
    created_at BIGINT NOT NULL
);

-- Every address that reaches a user, in lower case, the user's own among them: so an address belongs to one user only.
CREATE TABLE aliases (
    address TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id)
);
CREATE INDEX aliases_by_user ON aliases (user_id);

-- A message as itself. Rows are never removed: orders, ledger and audit point here.
CREATE TABLE identities (
    id INTEGER PRIMARY KEY,
    claimed BLOB NOT NULL,
    verified BLOB NOT NULL,
    message_id TEXT,
    sent_at BIGINT,
    from_address TEXT,
    UNIQUE (claimed, verified)
);
CREATE INDEX identities_by_message_id ON identities (message_id) WHERE message_id IS NOT NULL;

-- One per user, under the user's id.
CREATE TABLE mailboxes (
    id BIGINT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL UNIQUE REFERENCES users (id),
    next_number BIGINT NOT NULL,
    hierarchy_seq BIGINT NOT NULL,
    used_bytes BIGINT NOT NULL DEFAULT 0,
    quota_bytes BIGINT
);

-- next_item and change_seq only grow, so neither an item's number nor a position in the log is ever used again.
CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    mailbox_id BIGINT NOT NULL REFERENCES mailboxes (id),
    number BIGINT NOT NULL,
    parent_number BIGINT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    next_item BIGINT NOT NULL DEFAULT 1,
    change_seq BIGINT NOT NULL DEFAULT 0,
    hierarchy_seq BIGINT NOT NULL,
    deleted BIGINT NOT NULL DEFAULT 0,
    UNIQUE (mailbox_id, number)
);
CREATE UNIQUE INDEX folders_by_name ON folders (mailbox_id, parent_number, name_key) WHERE deleted = 0;
-- Deleted folders that still have rows of messages; the store tidies them away in small steps.
CREATE INDEX folders_deleted ON folders (id) WHERE deleted = 1;

-- A message that has left stays as a row with deleted = 1 and without its body, so that the log can say so.
CREATE TABLE messages (
    folder_id BIGINT NOT NULL REFERENCES folders (id),
    item BIGINT NOT NULL,
    body_hash BLOB,
    size BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    is_read BIGINT NOT NULL,
    flag TEXT,
    categories TEXT,
    verb BIGINT NOT NULL DEFAULT 0,
    verb_at BIGINT,
    is_draft BIGINT NOT NULL DEFAULT 0,
    identity_id BIGINT NOT NULL REFERENCES identities (id),
    change_seq BIGINT NOT NULL,
    arrived_seq BIGINT NOT NULL,
    deleted BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (folder_id, item)
);
CREATE UNIQUE INDEX messages_by_change ON messages (folder_id, change_seq);
CREATE INDEX messages_by_time ON messages (folder_id, received_at, item) WHERE deleted = 0;
CREATE INDEX messages_by_identity ON messages (identity_id, folder_id) WHERE deleted = 0;

-- Tokens that make a repeated append harmless.
CREATE TABLE appended_once (
    mailbox_id BIGINT NOT NULL REFERENCES mailboxes (id),
    token TEXT NOT NULL,
    folder_id BIGINT NOT NULL,
    item BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (mailbox_id, token)
);
CREATE INDEX appended_once_by_time ON appended_once (made_at);

-- Who needs a body: kind is 'message', 'vault' or 'outbox'. A body without a row here is removed from the disk.
CREATE TABLE body_refs (
    hash BLOB NOT NULL,
    kind TEXT NOT NULL,
    count BIGINT NOT NULL CHECK (count > 0),
    PRIMARY KEY (hash, kind)
);
