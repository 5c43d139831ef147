//! What an error of the driver or the server means.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::super::error::{Fault, StoreError};

/// What the error of the one statement that writes an account says about the account.
pub(super) enum Verdict {
    /// Nothing was written: a claim is taken.
    Taken,
    /// Nothing was written, and the same statement can succeed in the next moment.
    Again,
    /// Nothing was written.
    Nothing,
    /// It may have been written.
    Unknown,
}

/// The constraints whose violation means "taken".
const CLAIMS: [&str; 3] = ["user_keys_pkey", "users_public_id_key", "idempotency_keys_pkey"];

/// Judges a failed write. Only the server's own word "ERROR" means that it has rolled back; whatever breaks the
/// connection can happen before the commit or after it.
pub(super) fn verdict(error: &Error) -> Verdict {
    let Some(said) = error.as_db_error().filter(|said| is_plain(said)) else { return Verdict::Unknown };
    match *said.code() {
        SqlState::UNIQUE_VIOLATION if said.constraint().is_some_and(|name| CLAIMS.contains(&name)) => {
            Verdict::Taken
        }
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Verdict::Again,
        SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => Verdict::Unknown,
        _ => Verdict::Nothing,
    }
}

/// Whether the connection is of no use after this error. A server that has become a standby answers politely, yet
/// a new connection may lead to its successor.
pub(super) fn breaks_connection(error: &Error) -> bool {
    match error.as_db_error() {
        Some(said) => !is_plain(said) || *said.code() == SqlState::READ_ONLY_SQL_TRANSACTION,
        None => true,
    }
}

/// The error for the caller and the log: the server's message and code, never its DETAIL, which quotes rows.
pub(super) fn told(error: &Error) -> StoreError {
    match error.as_db_error() {
        Some(said) => {
            let fault =
                Fault { code: Some(said.code().code().to_owned()), message: said.message().to_owned() };
            if is_plain(said) { StoreError::Refused(fault) } else { StoreError::Unreachable(fault) }
        }
        None => {
            let message = match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            };
            StoreError::Unreachable(Fault { code: None, message })
        }
    }
}

/// An error of the statement alone. Class 08 is about the connection even when a pooler calls it an ERROR.
fn is_plain(said: &DbError) -> bool {
    said.parsed_severity() == Some(Severity::Error) && !said.code().code().starts_with("08")
}
