//! Rate limits where the processes count together: the database has the last word.

use super::error::{RegisterError, unavailable};
use crate::app::App;
use crate::throttle::{Tries, Unsettled};
use std::time::Instant;

/// Counts tries for all processes, which takes a round trip to the store where they count together and nothing otherwise.
///
/// # Errors
/// [`RegisterError::Throttled`] when one came too soon, and [`RegisterError::Unavailable`] when the store does not say.
pub async fn settle(app: &App, tries: Tries) -> Result<(), RegisterError> {
    if !app.throttle.is_shared() {
        return Ok(());
    }
    let begun = Instant::now();
    let settled = Box::pin(app.throttle.settle(tries, &app.clock)).await;
    app.metrics.store.limits.observe(begun.elapsed().as_secs_f64());
    settled.map_err(|error| match error {
        Unsettled::Throttled(throttled) => RegisterError::Throttled(throttled),
        Unsettled::Store(error) => unavailable(app, error),
    })
}
