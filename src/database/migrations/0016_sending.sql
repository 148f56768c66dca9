-- Mail that is handed to a submission service as the user it is of, and copies owed to mailboxes that are not ours. Room: delivery.

-- 1: nobody was there to submit it as; it goes out when its user comes. 2: the service did not accept the user's credential.
ALTER TABLE outbox ADD COLUMN awaits_user BIGINT NOT NULL DEFAULT 0;
CREATE INDEX outbox_awaits_user ON outbox (user_id) WHERE awaits_user > 0;

-- Copies that go into a mailbox behind us once: what was sent, and what could not be delivered. attempts is raised before each
-- attempt: whoever finds it above 0 looks first whether the copy is there.
CREATE TABLE filings_owed (
    id INTEGER PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    folder BIGINT NOT NULL,      -- 1: Sent Items, read. 2: Inbox.
    token TEXT NOT NULL UNIQUE,
    message_id TEXT,
    body_hash BLOB NOT NULL,
    written_at BIGINT NOT NULL,
    next_try_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX filings_owed_due ON filings_owed (next_try_at, id);
CREATE INDEX filings_owed_by_user ON filings_owed (user_id);
