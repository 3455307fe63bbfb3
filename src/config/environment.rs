//! What loading may know about the machine: variables, folders, the path of this program.
//!
//! It is handed in by the caller; nothing here asks the process.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// The surroundings a file is read in. Start with [`Environment::new`] and add what is known.
///
/// ```
/// use mcp_manifold::config::environment::Environment;
/// let environment = Environment::new([("TOKEN", "t")], "/home/ann/project").home("/home/ann");
/// assert_eq!(environment.var("TOKEN"), Some("t"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    vars: BTreeMap<String, String>,
    cwd: PathBuf,
    home: Option<PathBuf>,
    workspace: Option<PathBuf>,
    own_binary: Option<PathBuf>,
    user_config: Option<PathBuf>,
    user_id: Option<u32>,
    /// What children get unasked, when that is not of `vars`.
    passed_on: Option<Arc<BTreeMap<String, String>>>,
}

/// The folder of the project at hand, as one client tells it.
const PROJECT: &str = "CLAUDE_PROJECT_DIR";

impl Environment {
    /// Variables (those with names and values in UTF-8) and the current folder, absolute.
    pub fn new<K: Into<String>, V: Into<String>>(
        vars: impl IntoIterator<Item = (K, V)>,
        cwd: impl Into<PathBuf>,
    ) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { vars, cwd: cwd.into(), ..Self::default() }
    }

    /// Sets the user's home: `${userHome}` and a leading `~/`.
    #[must_use]
    pub fn home(mut self, path: impl Into<PathBuf>) -> Self {
        self.home = Some(path.into());
        self
    }

    /// Sets `${workspaceFolder}`; without it `CLAUDE_PROJECT_DIR` and then the current folder are meant.
    #[must_use]
    pub fn workspace(mut self, path: impl Into<PathBuf>) -> Self {
        self.workspace = Some(path.into());
        self
    }

    /// Sets `${self}`, the path of this program; without it an entry that uses `${self}` is left out.
    #[must_use]
    pub fn own_binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.own_binary = Some(path.into());
        self
    }

    /// Sets the folder of user settings (`~/.config` on Linux), where `mcp-manifold/mcp.json` is looked for.
    #[must_use]
    pub fn user_config(mut self, path: impl Into<PathBuf>) -> Self {
        self.user_config = Some(path.into());
        self
    }

    /// Sets the user of the process: files with secrets must be this user's. Without it their owner is not looked at.
    #[must_use]
    pub fn user(mut self, id: u32) -> Self {
        self.user_id = Some(id);
        self
    }

    /// For a gateway whose children serve clients of several projects: none gets the project of one of them unasked.
    #[must_use]
    pub fn for_everybody(mut self) -> Self {
        let passed_on = self.vars.iter().filter(|(name, _)| *name != PROJECT);
        self.passed_on =
            Some(Arc::new(passed_on.map(|(name, value)| (name.clone(), value.clone())).collect()));
        self
    }

    /// The same machine and user for a client with variables and a current folder of its own. What children get unasked
    /// stays as it is here, so that a child can serve clients that differ in nothing that the file asks for.
    #[must_use]
    pub fn of_client(
        &self,
        vars: impl IntoIterator<Item = (String, String)>,
        cwd: impl Into<PathBuf>,
    ) -> Self {
        let passed_on = self.passed_on.clone().unwrap_or_else(|| Arc::new(self.vars.clone()));
        let vars = vars.into_iter().collect();
        Self { vars, cwd: cwd.into(), workspace: None, passed_on: Some(passed_on), ..self.clone() }
    }

    /// The variables that children may get although their entry does not name them, sorted by name.
    pub fn passed_on(&self) -> impl Iterator<Item = (&str, &str)> {
        let vars = self.passed_on.as_deref().unwrap_or(&self.vars);
        vars.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a variable; names are compared without case on Windows.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        if let Some(value) = self.vars.get(name) {
            return Some(value);
        }
        let same = |known: &&String| cfg!(windows) && known.eq_ignore_ascii_case(name);
        self.vars.keys().find(same).map(|known| self.vars[known].as_str())
    }

    /// All variables, sorted by name.
    pub fn vars(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vars.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The current folder.
    #[must_use]
    pub fn current_folder(&self) -> &Path {
        &self.cwd
    }

    /// The user's home, when known.
    #[must_use]
    pub fn home_folder(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The folder of the project at hand.
    #[must_use]
    pub fn workspace_folder(&self) -> &Path {
        match (&self.workspace, self.var(PROJECT)) {
            (Some(workspace), _) => workspace,
            (None, Some(project)) if !project.is_empty() => Path::new(project),
            (None, _) => &self.cwd,
        }
    }

    /// The path of this program, when known.
    #[must_use]
    pub fn own_binary_path(&self) -> Option<&Path> {
        self.own_binary.as_deref()
    }

    /// The user of the process, when known.
    #[must_use]
    pub fn user_id(&self) -> Option<u32> {
        self.user_id
    }

    /// The folder of user settings, when known.
    #[must_use]
    pub fn user_config_folder(&self) -> Option<&Path> {
        self.user_config.as_deref()
    }
}

impl fmt::Debug for Environment {
    /// Shows names only: any variable may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("vars", &self.vars.keys())
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspace_falls_back_to_the_project_and_then_to_the_current_folder() {
        let plain = Environment::new(Vec::<(String, String)>::new(), "/now");
        assert_eq!(plain.workspace_folder(), Path::new("/now"));
        let project = Environment::new([("CLAUDE_PROJECT_DIR", "/project")], "/now");
        assert_eq!(project.workspace_folder(), Path::new("/project"));
        assert_eq!(project.workspace("/w").workspace_folder(), Path::new("/w"));
    }

    #[test]
    fn a_client_has_its_own_variables_and_children_those_of_the_gateway() {
        let own = Environment::new([("PATH", "/bin"), (PROJECT, "/a")], "/a").home("/home/ann");
        let (plain, shared) = (own.clone(), own.for_everybody());
        let client = shared.of_client([(PROJECT.to_owned(), "/b".to_owned())], "/c");
        assert_eq!(client.workspace_folder(), Path::new("/b"));
        assert_eq!((client.var("PATH"), client.home_folder()), (None, Some(Path::new("/home/ann"))));
        assert_eq!(client.passed_on().collect::<Vec<_>>(), [("PATH", "/bin")]);
        assert!(shared.passed_on().eq(client.passed_on()) && shared.var(PROJECT) == Some("/a"));
        assert!(plain.passed_on().eq(plain.vars()));
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", Environment::new([("TOKEN", "hunter2")], "/"));
        assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
    }
}
