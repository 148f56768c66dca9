-- How a message is taken back (src/recall).

-- What was ordered. Rows are never deleted, so a number is never used twice.
CREATE TABLE orders (
    id              BIGINT NOT NULL PRIMARY KEY,
    asked_by        TEXT   NOT NULL,  -- the actor, as the audit names it
    is_sender       BIGINT NOT NULL,  -- 1: a sender for an own mail
    second          TEXT,             -- who agreed, where a brake wanted a second person
    idempotency_key TEXT,
    fingerprint     BLOB   NOT NULL,  -- of the request, so that a reused key is noticed
    message_id      TEXT   NOT NULL,  -- without angle brackets
    from_address    TEXT,             -- NULL: whoever wrote it
    sender_mailbox  BIGINT,           -- left alone unless include_sender
    reason          TEXT   NOT NULL,
    include_sender  BIGINT NOT NULL,
    is_exact        BIGINT NOT NULL,  -- 1: only the bodies in order_identities, also for late copies
    state           BIGINT NOT NULL,  -- 1 open, 2 cancelled
    delivered_at    BIGINT,           -- T0
    asked_at        BIGINT NOT NULL,  -- T1
    fenced_at       BIGINT NOT NULL,  -- T2
    stands_until    BIGINT NOT NULL,  -- late copies bind until then; what is bound stays bound
    copies          BIGINT NOT NULL,  -- in the store at the fence
    is_listed       BIGINT NOT NULL,  -- 1: recipients outside have been listed
    cancelled_at    BIGINT,
    cancelled_by    TEXT,
    UNIQUE (asked_by, idempotency_key)
);
CREATE INDEX orders_by_state ON orders (state, id);
CREATE INDEX orders_unlisted ON orders (id) WHERE is_listed = 0;

CREATE TABLE order_identities (
    order_id    BIGINT NOT NULL REFERENCES orders (id),
    identity_id BIGINT NOT NULL,
    PRIMARY KEY (order_id, identity_id)
);

-- The fence and the work list in one: (identity, mailbox) under an order, with the verdict fixed at the fence.
CREATE TABLE pairs (
    identity_id BIGINT NOT NULL,
    mailbox_id  BIGINT NOT NULL,
    order_id    BIGINT NOT NULL REFERENCES orders (id),
    verdict     BIGINT NOT NULL,  -- 1 withdraw, 2 leave: the sender's own
    is_fenced   BIGINT NOT NULL,  -- 1 while a withdraw stands
    step        BIGINT NOT NULL,  -- 1 to expand, 2 to remove from the store, 3 done, 4 to restore, 5 restored
    since       BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,  -- the next try, after a store that could not
    tries       BIGINT NOT NULL,
    PRIMARY KEY (identity_id, mailbox_id, order_id)
);
CREATE INDEX pairs_by_order ON pairs (order_id);
CREATE INDEX pairs_by_step ON pairs (step, not_before) WHERE step IN (1, 2, 4);

-- A Message-ID an open order stands for: a copy met later binds to it before it reaches any device.
CREATE TABLE standing (
    message_id   TEXT   NOT NULL,
    order_id     BIGINT NOT NULL REFERENCES orders (id),
    from_address TEXT,
    stands_until BIGINT NOT NULL,
    PRIMARY KEY (message_id, order_id)
);

-- The process of one copy on one device. Folder 0 and item 0: the device has no copy.
CREATE TABLE retractions (
    device_id   BIGINT NOT NULL,
    folder_id   BIGINT NOT NULL,
    item        BIGINT NOT NULL,
    kind        BIGINT NOT NULL,  -- 1 a synced item, 2 a search copy
    order_id    BIGINT NOT NULL REFERENCES orders (id),
    identity_id BIGINT NOT NULL,
    mailbox_id  BIGINT NOT NULL,
    state       BIGINT NOT NULL,  -- recall::State
    exposure    BIGINT NOT NULL,  -- flags, as the ledger had them last
    first_seq   BIGINT,           -- first answer with the Delete since the last setback
    sent_seq    BIGINT,           -- last one
    sent_at     BIGINT,
    acked_seq   BIGINT,
    acked_at    BIGINT,
    woken_at    BIGINT,
    replays     BIGINT NOT NULL,
    reason      TEXT,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (device_id, folder_id, item, kind, order_id, identity_id)
);
CREATE INDEX retractions_by_order ON retractions (order_id, mailbox_id, device_id);
-- recall::state::OWED
CREATE INDEX retractions_owed ON retractions (device_id, folder_id, item)
    WHERE state IN (4, 5, 7, 8, 9, 15, 17, 18);

-- Recipients this gateway does not serve: in the denominator, never a success.
CREATE TABLE outside (
    order_id BIGINT NOT NULL REFERENCES orders (id),
    address  TEXT   NOT NULL,
    since    BIGINT NOT NULL,
    PRIMARY KEY (order_id, address)
);

-- Copies taken out of the store, whole enough to be put back; body_refs keeps their bodies.
CREATE TABLE vault (
    folder_id       BIGINT NOT NULL,
    item            BIGINT NOT NULL,
    mailbox_id      BIGINT NOT NULL,
    identity_id     BIGINT NOT NULL,
    order_id        BIGINT NOT NULL REFERENCES orders (id),  -- the one that sealed it
    body_hash       BLOB   NOT NULL,
    size            BIGINT NOT NULL,
    received_at     BIGINT NOT NULL,
    kept            TEXT   NOT NULL,  -- JSON: where its folder was, read, flag, categories, verb, draft
    sealed_at       BIGINT NOT NULL,
    restored_at     BIGINT,
    restored_folder BIGINT,
    restored_item   BIGINT,
    PRIMARY KEY (folder_id, item)
);
CREATE INDEX vault_by_pair ON vault (identity_id, mailbox_id);
CREATE INDEX vault_by_order ON vault (order_id);
