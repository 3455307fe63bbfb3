//! The subscriber of the command line: which lines are written, in which form, and where to.
//!
//! It never writes to stdout, which belongs to the protocol, and it reads no environment.

mod tidy;

use crate::telemetry::log::tidy::Tidy;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

const OWN: &str = "mcp_manifold";

/// How and where to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Comma-separated directives: `LEVEL` for this program, `TARGET=LEVEL` for a crate or module, `all=LEVEL` for
    /// every crate not named. Empty: `info`, with `rmcp=error,all=warn`.
    pub level: String,
    /// Text or JSON lines.
    pub format: Format,
    /// Where lines go.
    pub target: Target,
    /// Colour in the text format.
    pub color: bool,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// The stderr of the program.
    #[default]
    Stderr,
    /// Appended to this file, which is created readable for its owner only.
    File(PathBuf),
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A directive is not understood.
    #[error(
        "log level `{directive}`: `{level}` is no level\nhint: use off, error, warn, info, debug or trace, or `crate=level`"
    )]
    Level {
        /// The directive as written.
        directive: String,
        /// The part of it that is wrong.
        level: String,
    },
    /// The log file cannot be opened.
    #[error("log file `{}` cannot be opened: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program has a subscriber already.
    #[error("logging was started before")]
    Twice,
}

/// Installs the subscriber of this process. Only the command line calls it.
///
/// # Errors
/// [`LogError`] when a directive is wrong, the file cannot be opened, or a subscriber is installed already.
pub fn start(settings: &LogSettings) -> Result<(), LogError> {
    let filter = filter(&settings.level)?;
    let subscriber = match &settings.target {
        Target::Stderr => subscriber(settings, filter, io::stderr),
        Target::File(path) => subscriber(settings, filter, Mutex::new(open(path)?)),
    };
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)
}

fn subscriber<W>(settings: &LogSettings, filter: Targets, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let color = settings.color && settings.format == Format::Text;
    let lines =
        tracing_subscriber::fmt::layer().with_writer(Tidy::new(writer, color)).with_ansi(settings.color);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        Format::Text => Box::new(registry.with(lines.with_target(false))),
        Format::Json => Box::new(registry.with(lines.json().flatten_event(true).with_ansi(false))),
    }
}

fn open(path: &Path) -> Result<File, LogError> {
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| LogError::File { path: path.to_owned(), source })
}

/// A bare level means this program only: libraries at debug level write what passes through them, secrets included.
fn filter(directives: &str) -> Result<Targets, LogError> {
    let mut targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("rmcp", LevelFilter::ERROR)
        .with_target(OWN, LevelFilter::INFO);
    for directive in directives.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let (target, word) = directive.rsplit_once('=').unwrap_or((OWN, directive));
        let wrong = || LogError::Level { directive: directive.to_owned(), level: word.to_owned() };
        let level = level(word.trim()).ok_or_else(wrong)?;
        targets = match target.trim() {
            "all" => targets.with_default(level),
            target => targets.with_target(target.replace('-', "_"), level),
        };
        if directive == "off" {
            targets = Targets::new().with_default(LevelFilter::OFF);
        }
    }
    Ok(targets)
}

fn level(word: &str) -> Option<LevelFilter> {
    let levels = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("warning", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    levels.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, level)| level)
}

#[cfg(test)]
mod tests;
