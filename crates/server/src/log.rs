//! The log: lines on stderr with time, level and what belongs to the request, as text or as JSON. What is worth a line is
//! for whoever writes it; no line holds what people entered, asked for or sign in with.
//!
//! Lines are written by a thread of their own: whoever does not read them (a full pipe, a full disk) loses lines, which
//! are counted, and holds no request up.

use std::sync::OnceLock;
pub use tracing::Level;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder};
pub use tracing_appender::non_blocking::WorkerGuard as Guard;

/// Lines that may wait to be written; of each at most some kilobytes.
const WAITING: usize = 4_096;

static LOST: OnceLock<ErrorCounter> = OnceLock::new();

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
}

/// Lines that nobody took in time.
pub fn lost() -> u64 {
    LOST.get().map_or(0, |lost| lost.dropped_lines() as u64)
}

/// Begins the log of this process; later calls change nothing. What waits to be written is written when the guard goes.
#[must_use]
pub fn begin(form: Form, level: Level) -> Guard {
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING).lossy(true).thread_name("log").finish(std::io::stderr());
    let _ = LOST.set(writer.error_counter());
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(writer).with_ansi(false);
    // Whoever began one already has it.
    let _ = match form {
        Form::Text => tracing::subscriber::set_global_default(lines.finish()),
        Form::Json => tracing::subscriber::set_global_default(lines.json().flatten_event(true).with_current_span(true).with_span_list(false).finish()),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        // Its words may hold what a record says.
        tracing::error!(place, "something failed that never should");
    }));
    guard
}
