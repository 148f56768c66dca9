-- Recall of what lies on another mail server. Room: recall.

-- Why what is to be done for a pair could not be done the last time, as a reason code.
ALTER TABLE pairs ADD COLUMN hindrance TEXT;
CREATE INDEX pairs_by_mailbox ON pairs (mailbox_id) WHERE step IN (1, 2, 4);

-- removing_at: since when the copy is being removed, or when it was; NULL while it is sealed and known to lie where it lay.
-- restoring_*: where it is being put back, and the first number it can have there, so that a crash puts it back once.
ALTER TABLE vault ADD COLUMN removing_at BIGINT;
ALTER TABLE vault ADD COLUMN restoring_folder BIGINT;
ALTER TABLE vault ADD COLUMN restoring_item BIGINT;
UPDATE vault SET removing_at = sealed_at;

-- 1: a row of lookups was made for every mailbox there was. What was ordered before needs none.
ALTER TABLE orders ADD COLUMN is_spread BIGINT NOT NULL DEFAULT 1;

-- Mailboxes on another server that an open order has looked into, or has still to: no phone may ever have asked for the folder the
-- message lies in. looked_at is NULL before the first whole look; not_before is the next one.
CREATE TABLE lookups (
    order_id   BIGINT NOT NULL REFERENCES orders (id),
    mailbox_id BIGINT NOT NULL,
    looked_at  BIGINT,
    not_before BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    hindrance  TEXT,
    PRIMARY KEY (order_id, mailbox_id)
) WITHOUT ROWID;
CREATE INDEX lookups_due ON lookups (not_before);
CREATE INDEX lookups_by_mailbox ON lookups (mailbox_id);
