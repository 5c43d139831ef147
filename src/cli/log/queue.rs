//! Log lines on their way to a stream that may stall or be closed.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::terminal::is_order;

/// Bytes that may wait; about twenty thousand lines. The batch being written comes on top, so it is twice this at most.
const MOST: usize = 4 << 20;
/// How long the end of the program waits for a reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// A handle on the queue; cloning shares it.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    writing: bool,
}

impl Queue {
    /// Starts the thread that writes to `sink`; `notice` makes the line that tells how many were lost.
    pub(super) fn start(
        sink: impl Write + Send + 'static,
        notice: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Queue> {
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, filled: Condvar::new(), emptied: Condvar::new() });
        let writers = Arc::clone(&shared);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writers.write(sink, notice))?;
        Ok(Queue(shared))
    }

    /// Never blocks longer than it takes to copy the line; never fails.
    fn push(&self, line: &[u8]) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > MOST {
            state.lost += 1;
        } else {
            push_visible(&mut state.waiting, line);
        }
        drop(state);
        self.0.filled.notify_one();
    }

    /// Waits until everything is written, but not for ever.
    pub(super) fn flush(&self) {
        let busy = |state: &mut State| state.writing || state.lost > 0 || !state.waiting.is_empty();
        let _ = self.0.emptied.wait_timeout_while(self.0.lock(), PATIENCE, busy);
    }
}

impl Shared {
    /// A lock poisoned by a panic elsewhere still holds whole lines.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut sink: impl Write, notice: impl Fn(u64) -> String) {
        loop {
            let idle = |state: &mut State| state.waiting.is_empty() && state.lost == 0;
            let mut state = self.filled.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            let mut batch = std::mem::take(&mut state.waiting);
            let lost = std::mem::take(&mut state.lost);
            state.writing = true;
            drop(state);
            if lost > 0 {
                batch.extend_from_slice(notice(lost).as_bytes());
            }
            // A closed stream has nobody to tell.
            let _ = sink.write_all(&batch).and_then(|()| sink.flush());
            self.lock().writing = false;
            self.emptied.notify_all();
        }
    }
}

/// Copies a line and spells out, as JSON does, what JSON leaves as it is although terminals and other programs take
/// it for a control or the end of a line. In human lines nothing of the kind is left.
fn push_visible(waiting: &mut Vec<u8>, line: &[u8]) {
    let text = match std::str::from_utf8(line) {
        Ok(text) if !text.bytes().all(|byte| byte < 0x7f) => text,
        _ => return waiting.extend_from_slice(line),
    };
    for c in text.chars() {
        match c {
            c if c >= '\u{7f}' && is_order(c) => {
                waiting.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            _ => waiting.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// One line: the formatter hands each over in a single call.
pub(super) struct Line<'a>(&'a Queue);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Blocks in each write until it is let go, then hands over what was written.
    struct Stalled {
        entered: mpsc::Sender<()>,
        go: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.entered.send(()).unwrap();
            self.go.recv().unwrap();
            self.written.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_lines_which_are_counted_and_never_blocks() {
        let (entered, is_entered) = mpsc::channel();
        let (let_go, go) = mpsc::channel();
        let (written, is_written) = mpsc::channel();
        let queue = Queue::start(Stalled { entered, go, written }, |lost| format!("lost {lost}\n")).unwrap();
        queue.push(b"first\n");
        is_entered.recv().unwrap();
        let line = vec![b'x'; MOST / 4];
        (0..7).for_each(|_| queue.push(&line));
        let_go.send(()).unwrap();
        let_go.send(()).unwrap();
        assert_eq!(is_written.recv().unwrap(), b"first\n");
        let second = is_written.recv().unwrap();
        assert_eq!(second.len(), MOST + b"lost 3\n".len());
        assert!(second.ends_with(b"lost 3\n"));
    }

    #[test]
    fn a_closed_stream_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let queue = Queue::start(Closed, |_| String::new()).unwrap();
        for _ in 0..3 {
            Line(&queue).write_all(b"line\n").unwrap();
            queue.flush();
        }
        assert!(queue.0.lock().waiting.is_empty());
    }
}
