-- What reports tell beyond flags and states. Rooms: recall (first_deliveries), ledger (exposure_details, wakes).

-- When a message first came into a mailbox. Written with the arrival and never changed, so it outlives the copy.
CREATE TABLE first_deliveries (
    identity_id BIGINT NOT NULL,
    mailbox_id  BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (identity_id, mailbox_id)
) WITHOUT ROWID;
INSERT INTO first_deliveries (identity_id, mailbox_id, received_at)
    SELECT identity_id, mailbox_id, MIN(received_at) FROM (
        SELECT messages.identity_id, folders.mailbox_id, messages.received_at
            FROM messages JOIN folders ON folders.id = messages.folder_id
        UNION ALL
        SELECT identity_id, mailbox_id, received_at FROM vault
    ) AS arrived GROUP BY identity_id, mailbox_id;

-- Rare single events that exposed a message, or claimed or showed its use: what was fetched, read, answered. Not what a Sync adds.
CREATE TABLE exposure_details (
    identity_id BIGINT NOT NULL,
    device_id   BIGINT NOT NULL,
    kind        BIGINT NOT NULL,  -- ledger::detail::Kind
    detail      TEXT   NOT NULL,
    first_at    BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    times       BIGINT NOT NULL,
    PRIMARY KEY (identity_id, device_id, kind, detail)
) WITHOUT ROWID;

-- The last time a waiting request of a device was answered for a folder, and the number its next item had then.
CREATE TABLE wakes (
    device_id BIGINT NOT NULL,
    folder_id BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    next_item BIGINT NOT NULL,
    PRIMARY KEY (device_id, folder_id)
) WITHOUT ROWID;
