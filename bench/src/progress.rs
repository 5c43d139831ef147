//! What is being done, one plain line each on standard error; the results alone go elsewhere.

/// Prints a line.
#[macro_export]
macro_rules! progress {
    ($($text:tt)*) => { eprintln!("bench: {}", format_args!($($text)*)) };
}
