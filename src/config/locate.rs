//! Which file to read when several could be meant.
//!
//! It reads none of them.

use crate::config::environment::Environment;
use std::path::Path;
use std::path::PathBuf;

/// The variable that names the file.
pub const VARIABLE: &str = "MCP_MANIFOLD_CONFIG";

/// No file was named and none is in the usual places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no configuration file: none of {} exists", shown(.tried))]
pub struct NotFound {
    /// Where it was looked for, in order.
    pub tried: Vec<PathBuf>,
}

fn shown(tried: &[PathBuf]) -> String {
    tried.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}

/// The file to read: `named` (from `--config`), else the variable, else the first that exists of `./mcp.json`,
/// `./.mcp.json` and `mcp-manifold/mcp.json` in the folder of user settings.
///
/// A file that was named is not checked to exist: loading it says so in better words.
///
/// # Errors
/// [`NotFound`] with the places tried.
pub fn locate(named: Option<&Path>, environment: &Environment) -> Result<PathBuf, NotFound> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    if let Some(path) = environment.var(VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let mut tried =
        vec![environment.current_folder().join("mcp.json"), environment.current_folder().join(".mcp.json")];
    tried.extend(environment.user_config_folder().map(|folder| folder.join("mcp-manifold").join("mcp.json")));
    tried.iter().find(|path| path.is_file()).cloned().ok_or(NotFound { tried })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_in_the_documented_order() {
        let folder = tempfile::tempdir().unwrap();
        let (cwd, user) = (folder.path().join("cwd"), folder.path().join("user"));
        std::fs::create_dir_all(&cwd).unwrap();
        std::fs::create_dir_all(user.join("mcp-manifold")).unwrap();
        let none: [(&str, &str); 0] = [];
        let environment = Environment::new(none, &cwd).user_config(&user);

        let missing = locate(None, &environment).unwrap_err();
        assert_eq!(missing.tried.len(), 3);
        assert!(missing.to_string().contains("`"), "{missing}");

        let last = user.join("mcp-manifold").join("mcp.json");
        for path in [last, cwd.join(".mcp.json"), cwd.join("mcp.json")] {
            std::fs::write(&path, "{}").unwrap();
            assert_eq!(locate(None, &environment), Ok(path));
        }

        let by_variable = Environment::new([(VARIABLE, "/x/y.json")], &cwd);
        assert_eq!(locate(None, &by_variable), Ok(PathBuf::from("/x/y.json")));
        let named = locate(Some(Path::new("z.json")), &by_variable);
        assert_eq!(named, Ok(PathBuf::from("z.json")));
        assert!(locate(None, &Environment::new([(VARIABLE, "")], folder.path())).is_err(), "empty is unset");
    }
}
