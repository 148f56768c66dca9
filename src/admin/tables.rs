//! The SQL of this room: tokens, one-time links and sessions, migration 0007.

use super::caller::Role;
use super::tokens::{Grant, SecretHash, TokenView};
use crate::clock::Timestamp;
use crate::database::{Error, Row, Tx};
use crate::params;

/// Puts a token in; false when the name was ever used.
pub(super) fn insert_token(
    tx: &Tx<'_>,
    hash: SecretHash,
    token: &TokenView,
) -> Result<bool, Error> {
    let sql = "INSERT INTO admin_tokens (name, hash, role, created_at, created_by, expires_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING";
    let role = token.role.number();
    let row =
        params![&token.name, hash, role, token.created_at, &token.created_by, token.expires_at];
    Ok(tx.execute(sql, row)? == 1)
}

/// What the token with this hash may do, unless it is over.
pub(super) fn token(tx: &Tx<'_>, hash: SecretHash, now: Timestamp) -> Result<Option<Grant>, Error> {
    let sql = "SELECT name, role FROM admin_tokens \
        WHERE hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)";
    tx.one(sql, params![hash, now], read_grant)
}

/// All tokens by name, those that are over too.
pub(super) fn list_tokens(tx: &Tx<'_>, limit: usize) -> Result<Vec<TokenView>, Error> {
    let sql = "SELECT name, role, created_at, created_by, expires_at, revoked_at \
        FROM admin_tokens ORDER BY name LIMIT ?1";
    tx.all(sql, params![limit], |row| {
        Ok(TokenView {
            name: row.get(0)?,
            role: read_role(row, 1)?,
            created_at: row.get(2)?,
            created_by: row.get(3)?,
            expires_at: row.get(4)?,
            revoked_at: row.get(5)?,
        })
    })
}

/// Whether there is a token of this name, over or not.
pub(super) fn has_token(tx: &Tx<'_>, name: &str) -> Result<bool, Error> {
    let sql = "SELECT name FROM admin_tokens WHERE name = ?1";
    Ok(tx.one(sql, params![name], |row| row.get::<String>(0))?.is_some())
}

/// Ends a token; false when it is over already.
pub(super) fn revoke_token(tx: &Tx<'_>, name: &str, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE admin_tokens SET revoked_at = ?2 WHERE name = ?1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![name, now])? == 1)
}

/// Puts a one-time link in, and tidies those away that were never used.
pub(super) fn insert_link(
    tx: &Tx<'_>,
    hash: SecretHash,
    grant: &Grant,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute("DELETE FROM admin_links WHERE expires_at <= ?1", params![now])?;
    let sql = "INSERT INTO admin_links (hash, name, role, expires_at) VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![hash, &grant.name, grant.role.number(), expires_at]).map(drop)
}

/// Uses a link up.
pub(super) fn take_link(
    tx: &Tx<'_>,
    hash: SecretHash,
    now: Timestamp,
) -> Result<Option<Grant>, Error> {
    let sql = "DELETE FROM admin_links WHERE hash = ?1 AND expires_at > ?2 RETURNING name, role";
    tx.one(sql, params![hash, now], read_grant)
}

/// Begins a session, and tidies those away that are over.
pub(super) fn insert_session(
    tx: &Tx<'_>,
    hash: SecretHash,
    grant: &Grant,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.execute("DELETE FROM admin_sessions WHERE expires_at <= ?1", params![now])?;
    let sql = "INSERT INTO admin_sessions (hash, name, role, created_at, expires_at) \
        VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.execute(sql, params![hash, &grant.name, grant.role.number(), now, expires_at]).map(drop)
}

/// Whose session this is, unless it is over.
pub(super) fn session(
    tx: &Tx<'_>,
    hash: SecretHash,
    now: Timestamp,
) -> Result<Option<Grant>, Error> {
    let sql = "SELECT name, role FROM admin_sessions WHERE hash = ?1 AND expires_at > ?2";
    tx.one(sql, params![hash, now], read_grant)
}

/// Ends a session.
pub(super) fn delete_session(tx: &Tx<'_>, hash: SecretHash) -> Result<(), Error> {
    tx.execute("DELETE FROM admin_sessions WHERE hash = ?1", params![hash]).map(drop)
}

fn read_grant(row: &Row<'_>) -> Result<Grant, Error> {
    Ok(Grant { name: row.get(0)?, role: read_role(row, 1)? })
}

fn read_role(row: &Row<'_>, column: usize) -> Result<Role, Error> {
    let number: i64 = row.get(column)?;
    Role::from_number(number).ok_or_else(|| Error::Corrupt(format!("no role has number {number}")))
}
