//! Retract: an Exchange ActiveSync gateway that takes mail back from phones.
