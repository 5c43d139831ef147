//! How far a build has come, on one line of a terminal.

use std::io::Write;
use std::time::Duration;

/// As many characters long.
const LENGTH: usize = 32;

/// A line that is drawn over itself; nothing where there is no terminal.
pub(super) struct Bar<W> {
    terminal: Option<W>,
    /// As many parts are to be done.
    parts: usize,
}

impl<W: Write> Bar<W> {
    pub(super) fn of(parts: usize, terminal: Option<W>) -> Bar<W> {
        Bar { terminal, parts }
    }

    /// So many parts are done, `passed` after the beginning.
    pub(super) fn show(&mut self, done: usize, passed: Duration) {
        self.write(&format!("\r\x1b[K{}", line(done, self.parts, passed)));
    }

    /// What is written next has a line of its own.
    pub(super) fn end(mut self) {
        self.write("\n");
    }

    /// Nobody needs it, so nobody fails for it.
    fn write(&mut self, text: &str) {
        if let Some(out) = &mut self.terminal {
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }
}

fn line(done: usize, parts: usize, passed: Duration) -> String {
    let filled = "#".repeat(LENGTH * done / parts);
    let bar = format!("[{filled:LENGTH$}] {:3} %", 100 * done / parts);
    match done {
        0 => bar,
        _ if done == parts => format!("{bar}, {}", time(passed)),
        _ => format!("{bar}, about {} left", time(passed.mul_f64((parts - done) as f64 / done as f64))),
    }
}

/// Rounded up: to seconds below a minute, else to minutes.
fn time(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    let minutes = seconds.div_ceil(60);
    match (seconds, minutes) {
        (0..60, _) => format!("{seconds} s"),
        (_, 0..60) => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_grows_and_tells_how_long_it_still_takes() {
        let line = |done, milliseconds| line(done, 256, Duration::from_millis(milliseconds));
        assert_eq!(line(0, 3), "[                                ]   0 %");
        assert_eq!(line(1, 20), "[                                ]   0 %, about 6 s left");
        assert_eq!(line(64, 3_000), "[########                        ]  25 %, about 9 s left");
        assert_eq!(line(128, 60_000), "[################                ]  50 %, about 1 min left");
        assert_eq!(line(128, 61_000), "[################                ]  50 %, about 2 min left");
        assert_eq!(line(64, 4_800_000), "[########                        ]  25 %, about 4 h 0 min left");
        assert_eq!(line(255, 256_000), "[############################### ]  99 %, about 2 s left");
        assert_eq!(line(256, 252_000), "[################################] 100 %, 5 min");
    }

    #[test]
    fn it_is_drawn_over_itself_and_only_on_a_terminal() {
        let mut drawn = Vec::new();
        let mut bar = Bar::of(2, Some(&mut drawn));
        bar.show(0, Duration::ZERO);
        bar.show(1, Duration::from_secs(2));
        bar.show(2, Duration::from_secs(4));
        bar.end();
        let [none, half, whole] = [" ".repeat(32), "#".repeat(16) + &" ".repeat(16), "#".repeat(32)];
        let expected = format!(
            "\r\x1b[K[{none}]   0 %\r\x1b[K[{half}]  50 %, about 2 s left\r\x1b[K[{whole}] 100 %, 4 s\n"
        );
        assert_eq!(String::from_utf8(drawn).expect("text"), expected);
        let mut nowhere = Bar::of(2, None::<Vec<u8>>);
        nowhere.show(1, Duration::from_secs(2));
        nowhere.end();
    }
}
