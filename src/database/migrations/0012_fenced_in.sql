-- What open orders cover of one mailbox, looked up before somebody empties or deletes a folder of it.
CREATE INDEX pairs_fenced_in ON pairs (mailbox_id, identity_id, order_id) WHERE is_fenced = 1;
