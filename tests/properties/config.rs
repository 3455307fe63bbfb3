//! Any bytes are a configuration or problems with places, and never anything else.
//!
//! Fuzzing calls [`check`] too. What a good file means is tested beside the parser.

use mcp_manifold::config;
use mcp_manifold::config::LoadError;
use mcp_manifold::config::diff::diff;
use mcp_manifold::config::digest::entry_digest;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::config::problem::Problem;
use mcp_manifold::config::problem::Severity;
use std::path::Path;

/// A folder that is not there: nothing that an input names can be read.
const NOWHERE: &str = "/nonexistent/folder";
/// A value that must not show in a problem.
const SECRET: &str = "s3cr3t-value-of-a-variable";

/// Reading it twice gives the same, every problem has a place in the text, and no secret is told.
pub fn check(bytes: &[u8]) {
    let path = Path::new("mcp.json");
    let environment = Environment::new([("A", SECRET), ("HOME", NOWHERE)], NOWHERE).home(NOWHERE);
    let read = || config::parse(bytes, path, &environment);
    match (read(), read()) {
        (Ok(loaded), Ok(again)) => {
            assert_eq!((&loaded.problems, &loaded.digest), (&again.problems, &again.digest));
            assert!(diff(&loaded.config, &again.config).is_empty(), "it differs from itself");
            places(bytes, &loaded.problems);
            for server in loaded.config.servers.values() {
                assert!(!entry_digest(server).is_empty());
                assert!(!format!("{server:?}").contains(SECRET) || !shows(bytes), "{server:?}");
            }
        }
        (Err(first), Err(again)) => {
            assert_eq!(first.problems(), again.problems());
            assert!(matches!(first, LoadError::Invalid { .. }), "there was a text: {first}");
            let errors =
                first.problems().iter().filter(|problem| problem.severity == Severity::Error).count();
            assert!(errors > 0, "refused without a reason");
            places(bytes, first.problems());
        }
        (first, again) => panic!("once {first:?}, once {again:?}"),
    }
}

/// A value that was written down in the file is no secret.
fn shows(bytes: &[u8]) -> bool {
    !bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
}

fn places(bytes: &[u8], problems: &[Problem]) {
    let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    let mut before = (0, 0);
    for problem in problems {
        let place = (problem.line, problem.column);
        assert!(place >= before, "not sorted: {problem}");
        before = place;
        assert!((1..=lines).contains(&problem.line), "line {} of {lines}: {problem}", problem.line);
        assert!((1..=bytes.len() + 1).contains(&problem.column), "column {}: {problem}", problem.column);
        assert!(!problem.text.is_empty());
        let shown = problem.to_string();
        assert!(!shown.replace('\n', "").contains(char::is_control), "{shown:?}");
        assert!(!shown.contains(SECRET) || !shows(bytes), "a secret is told: {shown}");
    }
}
