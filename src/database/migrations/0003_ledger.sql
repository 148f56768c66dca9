-- What each device holds. Room: ledger.
CREATE TABLE devices (
    id            INTEGER PRIMARY KEY,
    user_id       BIGINT NOT NULL,
    mailbox_id    BIGINT NOT NULL,
    wire_id       TEXT   NOT NULL,          -- DeviceId of the query, lower case
    device_type   TEXT   NOT NULL,
    user_agent    TEXT   NOT NULL DEFAULT '',
    version       TEXT   NOT NULL DEFAULT '',
    model         TEXT   NOT NULL DEFAULT '',
    os            TEXT   NOT NULL DEFAULT '',
    friendly_name TEXT   NOT NULL DEFAULT '',
    generation    BIGINT NOT NULL DEFAULT 1, -- partnership generation
    gap           BIGINT NOT NULL DEFAULT 0, -- 1: the ledger cannot vouch for all that this device was given
    removed       BIGINT NOT NULL DEFAULT 0,
    first_seen    BIGINT NOT NULL,
    last_seen     BIGINT NOT NULL,
    gap_p95_ms    BIGINT NOT NULL DEFAULT 0, -- this device's own rhythm, learnt from its requests
    sync_cache    BLOB,                      -- the request an empty or Partial Sync repeats
    ping_cache    BLOB,                      -- what a Ping without a body repeats
    UNIQUE (user_id, wire_id)
);
CREATE INDEX devices_by_mailbox ON devices (mailbox_id);

CREATE TABLE collections (
    device_id       BIGINT NOT NULL,
    folder_id       BIGINT NOT NULL,
    version         BIGINT NOT NULL,          -- grows with every write of the row: the guard of a turn
    generation      BIGINT NOT NULL,          -- grows with every key 0
    epoch           BIGINT NOT NULL,          -- ledger epoch in which the proven key was issued
    seq_max         BIGINT NOT NULL,
    proven_seq      BIGINT,
    proven_tag      BLOB,
    cursor          BIGINT NOT NULL,          -- position in the folder's change log that the proven state stands for
    floor_received  BIGINT NOT NULL,          -- everything at or above (received, item) has been considered
    floor_item      BIGINT NOT NULL,
    filter          BIGINT NOT NULL DEFAULT 0,
    options         BLOB,                     -- sticky options, in the words of the phone's edge
    resetting       BIGINT NOT NULL DEFAULT 0,-- 1 from a key 0 of a collection with a history until its enumeration is proven
    nudged_seq      BIGINT NOT NULL DEFAULT 0,
    last_asked      BIGINT NOT NULL,
    PRIMARY KEY (device_id, folder_id)
) WITHOUT ROWID;
CREATE INDEX collections_by_folder ON collections (folder_id);

-- In flight: answers whose key nobody has presented yet, at most four siblings a collection.
CREATE TABLE answers (
    device_id      BIGINT NOT NULL,
    folder_id      BIGINT NOT NULL,
    seq            BIGINT NOT NULL,
    tag            BLOB   NOT NULL,
    epoch          BIGINT NOT NULL,
    cursor         BIGINT NOT NULL,
    floor_received BIGINT NOT NULL,
    floor_item     BIGINT NOT NULL,
    delta          BLOB   NOT NULL,
    at             BIGINT NOT NULL,
    PRIMARY KEY (device_id, folder_id, seq)
) WITHOUT ROWID;

CREATE TABLE holdings (
    device_id BIGINT NOT NULL,
    folder_id BIGINT NOT NULL,
    kind      BIGINT NOT NULL,
    chunk     BIGINT NOT NULL,
    bits      BLOB   NOT NULL,
    PRIMARY KEY (device_id, folder_id, chunk, kind)
) WITHOUT ROWID;

-- Append-only: one row per answer that exposed content.
CREATE TABLE journal (
    id         INTEGER PRIMARY KEY,
    at         BIGINT NOT NULL,
    device_id  BIGINT NOT NULL,
    folder_id  BIGINT NOT NULL,
    seq        BIGINT,                       -- the key issued with it; none where the command has no key
    command    TEXT   NOT NULL,
    request_id BIGINT NOT NULL,
    items      BLOB   NOT NULL,              -- roaring
    exposure   BIGINT NOT NULL,              -- the flags any of its items got
    bytes      BIGINT NOT NULL,
    hash       BLOB   NOT NULL,              -- SHA-256 of the answer
    written    BIGINT                        -- octets that left; none while unknown
);
CREATE INDEX journal_by_place ON journal (device_id, folder_id, at);
CREATE INDEX journal_unwritten ON journal (device_id, request_id) WHERE written IS NULL;

-- One row per message ever exposed in a mailbox, whichever device it was exposed to.
CREATE TABLE copies (
    identity_id BIGINT NOT NULL,
    mailbox_id  BIGINT NOT NULL,
    folder_id   BIGINT NOT NULL,
    item        BIGINT NOT NULL,
    PRIMARY KEY (identity_id, mailbox_id, folder_id, item)
) WITHOUT ROWID;
CREATE INDEX copies_by_place ON copies (folder_id, item);

-- What phones uploaded: the durable intent, then its result, so that a repeated command counts once.
CREATE TABLE uploads (
    device_id   BIGINT NOT NULL,
    folder_id   BIGINT NOT NULL,
    parent_seq  BIGINT NOT NULL,             -- sequence number of the key the request presented
    fingerprint BLOB   NOT NULL,
    result      BLOB,                        -- none while the intent runs
    item        BIGINT,                      -- the item it made or changed
    seq         BIGINT,                      -- position of that change in the folder's log: our own echo
    at          BIGINT NOT NULL,
    PRIMARY KEY (device_id, folder_id, parent_seq, fingerprint)
) WITHOUT ROWID;
CREATE INDEX uploads_echo ON uploads (device_id, folder_id, item, seq);

CREATE TABLE hierarchies (
    device_id  BIGINT PRIMARY KEY,
    version    BIGINT NOT NULL,
    seq_max    BIGINT NOT NULL,
    proven_seq BIGINT,
    proven_tag BLOB,
    proven     BLOB   NOT NULL,              -- the folders the device is proven to know
    in_flight  BLOB   NOT NULL               -- siblings: keys and the folders each stands for
);
