//! The log: lines on stderr with time, level and what belongs to the request, as text or as JSON. What is worth a line is
//! for whoever writes it; no line holds what people entered, asked for or sign in with.

pub use tracing::Level;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
}

/// Begins the log of this process; later calls change nothing.
pub fn begin(form: Form, level: Level) {
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false);
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
}
