//! Variables in texts of the file → values. One pass: what a variable brings in is never looked at again.
//!
//! It runs no command and does not know which key it expands for.

use crate::config::environment::Environment;
use crate::config::expand::files::Files;
use crate::config::expand::inputs::Inputs;
use crate::config::expand::template::Part;
use crate::config::model::Expanded;
use std::path::MAIN_SEPARATOR_STR;
use std::path::Path;
use std::path::PathBuf;

pub mod files;
pub mod inputs;
pub mod template;

const PLAIN: &str = "write `${NAME}` or `${NAME:-default}`, and `$${` where no variable is meant";
const FORMS: &str =
    "use `${NAME}`, `${NAME:-default}`, `${file:path}` or `${input:id}`; `$${` for a plain `${`";

/// What variables may refer to.
pub struct Scope<'a> {
    /// The machine.
    pub environment: &'a Environment,
    /// The file's `inputs`.
    pub inputs: &'a Inputs,
    /// The folder of the file: relative paths start here.
    pub folder: &'a Path,
    /// Files read so far.
    pub files: &'a mut Files,
    /// `{env:X}` and `{file:x}` mean variables too.
    pub braces: bool,
    /// Variables of the entry itself: they come before those of the environment.
    pub own: Vec<(String, String)>,
}

/// How one text is expanded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// A leading `~/` means the user's home.
    pub tilde: bool,
    /// A variable that is not set stays as written.
    pub lenient: bool,
}

/// Why a text cannot be expanded. No value is quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
    undefined: bool,
}

/// A text expanded, and which variables brought in white space at their ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The text.
    pub expanded: Expanded,
    /// Names of variables whose value begins or ends with white space.
    pub padded: Vec<String>,
}

/// Expands `written`.
///
/// # Errors
/// Every variable that has no value, and every `${…}` that means nothing.
pub fn expand(written: &str, scope: &mut Scope<'_>, style: Style) -> Result<Outcome, Vec<Fault>> {
    let (mut value, mut padded, mut faults) = (String::new(), Vec::new(), Vec::new());
    for part in template::split(written, scope.braces) {
        match part {
            Part::Plain(text) => value.push_str(text),
            Part::Unclosed => faults.push(fault("a `${` is never closed".to_owned(), PLAIN)),
            Part::Variable { inside, whole } => match resolve(inside, scope) {
                Ok(found) => {
                    if found.from_variable && found.text.trim() != found.text {
                        padded.push(inside.to_owned());
                    }
                    value.push_str(&found.text);
                }
                Err(fault) if fault.undefined && style.lenient => value.push_str(whole),
                Err(fault) => faults.push(fault),
            },
        }
    }
    if style.tilde
        && let Some(rest) = tilde(written).and_then(|_| value.strip_prefix('~').map(str::to_owned))
    {
        match scope.environment.home_folder() {
            Some(home) => value = format!("{}{rest}", home.display()),
            None => faults.push(fault("`~` is not known here".to_owned(), "write the whole path")),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Outcome { expanded: Expanded { value, written: written.to_owned() }, padded })
}

fn tilde(written: &str) -> Option<()> {
    let windows = cfg!(windows) && written.starts_with("~\\");
    (written == "~" || written.starts_with("~/") || windows).then_some(())
}

struct Resolved {
    text: String,
    from_variable: bool,
}

fn resolve(inside: &str, scope: &mut Scope<'_>) -> Result<Resolved, Fault> {
    let fixed = |text: String| Ok(Resolved { text, from_variable: false });
    match inside {
        "self" => match scope.environment.own_binary_path() {
            Some(path) => fixed(path.display().to_string()),
            None => Err(undefined("`${self}` is not known here".to_owned(), "write the path of the program")),
        },
        "/" | "pathSeparator" => fixed(MAIN_SEPARATOR_STR.to_owned()),
        "userHome" => match scope.environment.home_folder() {
            Some(path) => fixed(path.display().to_string()),
            None => Err(undefined("`${userHome}` is not known here".to_owned(), "set `HOME`")),
        },
        "workspaceFolder" => fixed(scope.environment.workspace_folder().display().to_string()),
        "workspaceFolderBasename" => {
            let name = scope.environment.workspace_folder().file_name().unwrap_or_default();
            fixed(name.to_string_lossy().into_owned())
        }
        _ => match template::scheme(inside) {
            (Some("env"), rest) => variable(rest, scope),
            (None, rest) => variable(rest, scope),
            (Some("file"), path) => fixed(file(path, scope)?),
            (Some("input"), id) => fixed(input(id, scope)?),
            (Some(scheme), _) if is_name(scheme) => {
                Err(fault(format!("`${{{scheme}:…}}` means nothing here"), FORMS))
            }
            _ => Err(fault("a `${…}` holds no variable name".to_owned(), PLAIN)),
        },
    }
}

fn variable(inside: &str, scope: &Scope<'_>) -> Result<Resolved, Fault> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(fault("a `${…}` holds no variable name".to_owned(), PLAIN));
    }
    if default.is_some_and(|text| text.contains("${")) {
        let text = format!("the default of `${{{name}:-…}}` holds a variable");
        return Err(fault(text, "only plain text may stand there"));
    }
    let own = scope.own.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match (own.or_else(|| scope.environment.var(name)), default) {
        (Some(value), None) => Ok(Resolved { text: value.to_owned(), from_variable: true }),
        (Some(value), Some(_)) if !value.is_empty() => {
            Ok(Resolved { text: value.to_owned(), from_variable: true })
        }
        (_, Some(default)) => Ok(Resolved { text: default.to_owned(), from_variable: false }),
        (None, None) => Err(undefined(
            format!("environment variable `{name}` is not set"),
            &format!("export it, or write `${{{name}:-}}` to allow an empty value"),
        )),
    }
}

/// Only names are quoted in messages: anything else may be part of a secret.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.()-".contains(c))
}

fn file(path: &str, scope: &mut Scope<'_>) -> Result<String, Fault> {
    let full = absolute(path, scope);
    let text = scope.files.read(&full).map_err(|reason| {
        fault(format!("file `{}` cannot be read: {reason}", full.display()), "mend the path after `file:`")
    })?;
    // An editor ends a file with a line break that no secret has.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn input(id: &str, scope: &Scope<'_>) -> Result<String, Fault> {
    let name = inputs::variable(id);
    if let Some(value) = scope.environment.var(&name).or_else(|| scope.inputs.default_of(id)) {
        return Ok(value.to_owned());
    }
    let text = if scope.inputs.has(id) {
        format!("input `{id}` has no value")
    } else {
        format!("input `{id}` is not among the `inputs`, and environment variable `{name}` is not set")
    };
    Err(undefined(text, &format!("export `{name}`, or give the input a `default`")))
}

/// `path` made absolute: `~/` is the user's home, anything relative starts in the folder of the file.
#[must_use]
pub fn absolute(path: &str, scope: &Scope<'_>) -> PathBuf {
    let full = match (path.strip_prefix("~/"), scope.environment.home_folder()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => scope.folder.join(path),
    };
    // Without the `.` parts, so that one place has one spelling.
    full.components().collect()
}

fn fault(text: String, hint: &str) -> Fault {
    Fault { text, hint: Some(hint.to_owned()), undefined: false }
}

fn undefined(text: String, hint: &str) -> Fault {
    Fault { text, hint: Some(hint.to_owned()), undefined: true }
}

#[cfg(test)]
mod tests;
