-- Mail on its way out, and what was answered to a phone that may ask again.

-- One row per submission. next_try_at is NULL once every recipient has a final state; the body is let go of then.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    sender TEXT NOT NULL,
    identity_id BIGINT NOT NULL REFERENCES identities (id),
    body_hash BLOB NOT NULL,
    size BIGINT NOT NULL,
    submitted_at BIGINT NOT NULL,
    next_try_at BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    done_at BIGINT
);
CREATE INDEX outbox_due ON outbox (next_try_at, id) WHERE next_try_at IS NOT NULL;
CREATE INDEX outbox_by_identity ON outbox (identity_id);
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;

-- state: 'waiting', 'offered' (handed to the relay, its answer not yet known to us), 'delivered', 'relayed', 'failed', 'withdrawn'.
-- maybe_twice counts the times we sent again without knowing whether the relay had taken it before.
CREATE TABLE outbox_recipients (
    outbox_id BIGINT NOT NULL REFERENCES outbox (id),
    recipient TEXT NOT NULL,
    local_user BIGINT,
    state TEXT NOT NULL,
    reply TEXT,
    maybe_twice BIGINT NOT NULL DEFAULT 0,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (outbox_id, recipient)
);
CREATE INDEX outbox_recipients_offered ON outbox_recipients (outbox_id) WHERE state = 'offered';
CREATE INDEX outbox_recipients_twice ON outbox_recipients (outbox_id) WHERE maybe_twice > 0;

-- What a phone's ClientId led to, kept until then.
CREATE TABLE client_results (
    user_id BIGINT NOT NULL REFERENCES users (id),
    device_id BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    outbox_id BIGINT NOT NULL,
    sent_folder BIGINT,
    sent_item BIGINT,
    until BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id, client_id)
);
CREATE INDEX client_results_by_time ON client_results (until);
