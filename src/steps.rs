//! The named steps of a sign-up, between which a process may die.
//!
//! Whoever embeds the server can watch them; that is how the fault tests end, hold or delay a process exactly there.
//! The program itself watches nothing, and no setting, variable or flag makes it.

use std::fmt;
use std::sync::Arc;

/// What has just been done. In the order of one sign-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The request is read and means a new user; nothing has been done for it.
    Understood,
    /// The password is hashed; nothing has been asked of the store for this account.
    Hashed,
    /// The reply is written. On SQLite the user's row is in the open transaction, its keys and event are not yet; on
    /// PostgreSQL the serial number is drawn and the one statement that writes has not been sent.
    Sealed,
    /// All rows of a group of sign-ups are in the open transaction. SQLite only: on PostgreSQL this is inside of the
    /// one statement, in the server.
    Inserted,
    /// The commit has returned; nobody has been told.
    Committed,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Step; 5] =
        [Step::Understood, Step::Hashed, Step::Sealed, Step::Inserted, Step::Committed];
}

/// Who is told about each step; nobody, usually.
#[derive(Clone, Default)]
pub struct Steps(Option<Arc<dyn Fn(Step) + Send + Sync>>);

impl Steps {
    /// Nobody watches.
    pub fn none() -> Steps {
        Steps(None)
    }

    /// `watcher` is called in the thread that has done the step, which goes on when it returns.
    pub fn watched_by(watcher: impl Fn(Step) + Send + Sync + 'static) -> Steps {
        Steps(Some(Arc::new(watcher)))
    }

    /// Tells that a step is done.
    pub fn pass(&self, step: Step) {
        if let Some(watcher) = &self.0 {
            watcher(step);
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Steps(watched)" } else { "Steps(none)" })
    }
}
