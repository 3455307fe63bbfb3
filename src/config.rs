//! The user's file → what the gateway runs by: read → parse → expand → check, in that order.
//!
//! It watches nothing and asks the process for nothing: surroundings come in as an [`Environment`].

use crate::config::check::check;
use crate::config::check::exposure;
use crate::config::check::lock;
use crate::config::dialect::Found;
use crate::config::dialect::entry::Raw;
use crate::config::environment::Environment;
use crate::config::expand::Scope;
use crate::config::expand::files;
use crate::config::expand::files::Files;
use crate::config::expand::inputs::Inputs;
use crate::config::finding::Finding;
use crate::config::finding::Findings;
use crate::config::model::Config;
use crate::config::problem::Problem;
use crate::config::problem::visible;
use crate::config::syntax::Node;
use crate::config::syntax::lines::Lines;
use crate::config::syntax::lines::decode;
use crate::config::syntax::lines::without_mark;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

pub mod canon;
pub mod check;
pub mod date;
pub mod dialect;
pub mod diff;
pub mod digest;
pub mod envfile;
pub mod environment;
pub mod expand;
pub mod file;
pub mod file_lock;
pub mod finding;
pub mod locate;
pub mod lockfile;
pub mod model;
pub mod private_file;
pub mod problem;
pub mod secretive;
pub mod suggest;
pub mod syntax;

/// Longest file accepted, in bytes.
pub const MAX_FILE: u64 = 16 << 20;

/// A file that can be used, perhaps without some of its entries.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Everything found, sorted by place; errors are about entries that are left out.
    pub problems: Vec<Problem>,
    /// Digest of the bytes of the file and of the extra files, as [`digest::content_digest`] makes it.
    pub digest: String,
}

/// A file that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no text.
    #[error("`{}` cannot be read: {reason}", .file.display())]
    Unreadable {
        /// The file, as it was named.
        file: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// There is a text, and it is wrong.
    #[error("`{}` cannot be used: {}", .file.display(), problem::summary(.problems))]
    Invalid {
        /// The file, as it was named.
        file: PathBuf,
        /// Everything found, sorted by place.
        problems: Vec<Problem>,
        /// Extra files read on the way: mending one may mend the configuration.
        extra_files: Vec<PathBuf>,
        /// Digest of the bytes read, to know the same wrong content again.
        digest: String,
    },
}

impl LoadError {
    /// The problems in the text; none when there is no text.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Invalid { problems, .. } => problems,
        }
    }
}

/// Loads the file at `path`, which is relative to the current folder of `environment`.
///
/// # Errors
/// [`LoadError`] when the file cannot be read or used as a whole; a bad entry is only left out.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, LoadError> {
    parse(read_text(path, environment)?, path, environment)
}

/// The bytes of the file at `path`, which is relative to the current folder of `environment`, for [`parse`].
///
/// # Errors
/// [`LoadError::Unreadable`].
pub fn read_text(path: &Path, environment: &Environment) -> Result<Vec<u8>, LoadError> {
    let unreadable = |reason: String| LoadError::Unreadable { file: path.to_owned(), reason };
    read(&environment.current_folder().join(path)).map_err(unreadable)
}

/// As [`read_text`], for a file that was read before: only a regular one can be read twice.
///
/// # Errors
/// As [`read_text`], and for a pipe or a device.
pub fn read_again(path: &Path, environment: &Environment) -> Result<Vec<u8>, LoadError> {
    let full = environment.current_folder().join(path);
    let odd = full.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    if odd && !is_named_pipe(&full) {
        let reason = "it is not a regular file".to_owned();
        return Err(LoadError::Unreadable { file: path.to_owned(), reason });
    }
    read_text(path, environment)
}

/// The digest that [`load`] would give for what is on disk now, without reading it as a configuration.
///
/// `extra_files` are those of the last load.
///
/// # Errors
/// [`LoadError::Unreadable`] when the file itself cannot be read.
pub fn digest_now(
    path: &Path,
    extra_files: &[PathBuf],
    environment: &Environment,
) -> Result<String, LoadError> {
    let bytes = read_text(path, environment)?;
    let contents: Vec<_> = extra_files.iter().map(|extra| files::content(extra).ok()).collect();
    let extra = extra_files.iter().map(PathBuf::as_path).zip(contents.iter().map(Option::as_deref));
    Ok(digest::content_digest(&bytes, extra))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    };
    if is_named_pipe(path) {
        return Err("it is a named pipe, where reading may never end".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(words)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(words)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

/// True for a pipe that stands in a folder: opening it waits for a writer. One of a shell's `<(…)` has its writer.
#[cfg(unix)]
fn is_named_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_pipe = path.metadata().is_ok_and(|meta| meta.file_type().is_fifo());
    is_pipe && path.canonicalize().is_ok_and(|place| !place.starts_with("/dev"))
}

#[cfg(not(unix))]
fn is_named_pipe(_path: &Path) -> bool {
    false
}

/// Reads a configuration from `text`; `path` is where it stands: it is shown, and relative paths start in its folder.
///
/// # Errors
/// [`LoadError::Invalid`] when the text cannot be used as a whole.
///
/// ```
/// use mcp_manifold::config::environment::Environment;
/// let environment = Environment::new([("HOME", "/home/ann")], "/home/ann");
/// let text = r#"{ "mcpServers": { "files": { "command": "npx", "args": ["-y", "server"] } } }"#;
/// let loaded = mcp_manifold::config::parse(text, "mcp.json".as_ref(), &environment).unwrap();
/// assert!(loaded.config.servers.contains_key("files") && loaded.problems.is_empty());
/// ```
pub fn parse(text: impl AsRef<[u8]>, path: &Path, environment: &Environment) -> Result<Loaded, LoadError> {
    parse_with(text.as_ref(), path, environment, lock::pin)
}

/// As [`load`], without looking at the lock file: every server is as if there were none.
///
/// # Errors
/// As [`load`].
pub fn load_unlocked(path: &Path, environment: &Environment) -> Result<Loaded, LoadError> {
    let text = read_text(path, environment)?;
    parse_with(&text, path, environment, |config, _, _, _, _| Some(config))
}

/// The last step, from the lock file.
type Pin = fn(Config, &Path, &Found<'_>, &mut Files, &mut Findings) -> Option<Config>;

fn parse_with(bytes: &[u8], path: &Path, environment: &Environment, pin: Pin) -> Result<Loaded, LoadError> {
    let lines = Lines::new(without_mark(bytes));
    let (mut files, mut findings) = (Files::default(), Findings::default());
    let mut problems =
        Problems { file: visible(&path.display().to_string()).into(), lines, list: Vec::new() };
    let mut config = None;

    match decode(without_mark(bytes)).and_then(|text| syntax::parse(text, &problems.lines)) {
        Err(found) => problems.add_all(found, None, &[]),
        Ok(root) => {
            let found = dialect::find(&root, &mut findings);
            if let Some(found) = &found {
                let full = environment.current_folder().join(path);
                config = checked(found, &full, environment, &mut files, &mut findings)
                    .and_then(|config| pin(config, &full, found, &mut files, &mut findings));
            }
            let entries = found.map(|found| found.entries).unwrap_or_default();
            problems.add_all(findings, Some(&root), &entries);
        }
    }
    let digest = digest::content_digest(bytes, files.contents());
    let extra_files: Vec<_> = files.contents().map(|(path, _)| path.to_owned()).collect();
    let problems = problems.sorted();
    match config {
        Some(mut config) => {
            config.extra_files = extra_files;
            Ok(Loaded { config, problems, digest })
        }
        None => Err(LoadError::Invalid { file: path.to_owned(), problems, extra_files, digest }),
    }
}

fn checked(
    found: &Found<'_>,
    path: &Path,
    environment: &Environment,
    files: &mut Files,
    findings: &mut Findings,
) -> Option<Config> {
    let inputs = Inputs::read(found.inputs, findings);
    let (folder, own) = (path.parent().unwrap_or(path), Vec::new());
    let mut scope = Scope { environment, inputs: &inputs, folder, files, braces: found.braces, own };
    let config = check(found, &mut scope, findings)?;
    exposure::check_file(path, found.gateway, &config.settings, environment, findings).then_some(config)
}

/// Findings on their way to problems.
struct Problems {
    file: Arc<str>,
    lines: Lines,
    list: Vec<Problem>,
}

impl Problems {
    fn add_all(&mut self, findings: Findings, root: Option<&Node>, entries: &[Raw<'_>]) {
        for Finding { severity, at, text, hint } in findings.into_list() {
            let (line, column) = self.lines.position(at);
            let entry = entries.iter().find(|raw| raw.at <= at && at < raw.node.end);
            self.list.push(Problem {
                severity,
                file: self.file.clone(),
                place: visible(&root.map(|root| root.path_to(at)).unwrap_or_default()),
                server: entry.map(|raw| visible(raw.name)),
                line,
                column,
                text: visible(&text),
                hint: hint.as_deref().map(visible),
            });
        }
    }

    fn sorted(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| (problem.line, problem.column));
        self.list
    }
}
