//! Passwords: Argon2id hashes as PHC strings.
//!
//! Both functions take some 20 MiB and tens of milliseconds on purpose; they run in the bounded pool of the directory.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::{DirectoryError, Settings};

/// The shortest password an administrator may set, in characters.
pub(super) const PASSWORD_CHARS_MIN: usize = 8;

/// The longest password anybody may send, in bytes.
pub(super) const PASSWORD_BYTES_MAX: usize = 1024;

/// A new hash with a salt of its own.
pub(super) fn hash(password: &[u8], settings: &Settings) -> Result<String, DirectoryError> {
    let params = Params::new(settings.argon2_kib, settings.argon2_passes, 1, None)
        .map_err(|_| DirectoryError::NotValid("the settings of the password hash"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password);
    hash.map(|hash| hash.to_string()).map_err(|_| DirectoryError::NotValid("the password"))
}

/// Whether the password is the one behind the hash, whatever settings it was made with.
pub(super) fn is_right(password: &[u8], hash: &str) -> bool {
    Argon2::default().verify_password(password, hash).is_ok()
}

/// Whether a text is a hash of ours, of a cost that one sign-in may have.
pub(super) fn is_hash(text: &str) -> bool {
    let Ok(hash) = argon2::password_hash::phc::PasswordHash::new(text) else { return false };
    let params = Params::try_from(&hash);
    text.starts_with("$argon2id$")
        && params.is_ok_and(|params| {
            params.m_cost() <= HASH_KIB_MAX && params.t_cost() <= HASH_PASSES_MAX
        })
}

/// Memory of a hash that comes from outside, in KiB.
const HASH_KIB_MAX: u32 = 256 * 1024;
/// Passes of a hash that comes from outside.
const HASH_PASSES_MAX: u32 = 16;
