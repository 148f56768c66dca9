-- Mail that is kept back, and by what a mail is recognised that carries a recalled one. Rooms: delivery, recall, ledger.

-- 1: a recall took it back before it left; cancelling the order sends it after all, so the body stays. 2: held for review.
ALTER TABLE outbox ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN held_order BIGINT;
ALTER TABLE outbox ADD COLUMN held_why TEXT;
CREATE INDEX outbox_held ON outbox (held, id) WHERE held > 0;

CREATE INDEX order_identities_by_identity ON order_identities (identity_id);

-- SHA-256 of every attachment of a message that was ever recalled.
CREATE TABLE recalled_files (
    hash        BLOB   NOT NULL,
    identity_id BIGINT NOT NULL,
    PRIMARY KEY (hash, identity_id)
) WITHOUT ROWID;

-- The folders a device's Ping (kind 1) or waiting Sync (kind 2) last named: a recall in another folder cannot wake it.
CREATE TABLE watches (
    device_id BIGINT NOT NULL,
    kind      BIGINT NOT NULL,
    folders   BLOB   NOT NULL,  -- eight octets each
    PRIMARY KEY (device_id, kind)
) WITHOUT ROWID;
