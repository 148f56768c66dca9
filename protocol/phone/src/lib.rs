//! A device that really caches what an Exchange ActiveSync server sends it: a sans-IO state machine and a thin client.
