//! The README shows the table that the tests run.
//!
//! `UPDATE_FIXTURES=1` writes it anew.

use crate::matrix::table::Outcome;
use crate::matrix::table::rows;
use std::path::Path;

const BEGIN: &str = "<!-- matrix: written by tests/it/matrix/readme.rs -->\n";
const END: &str = "<!-- end of matrix -->\n";

fn rendered() -> String {
    let mut text = String::from(
        "| | legacy → legacy | modern → modern | legacy → modern | modern → legacy |\n|---|---|---|---|---|\n",
    );
    for row in rows() {
        let cells = row.cells.map(|cell| match cell {
            Outcome::Works => "yes".to_owned(),
            Outcome::NotOffered(why) => format!("no: {why}"),
        });
        text.push_str(&format!("| {} | {} |\n", row.feature, cells.join(" | ")));
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether to write is asked by hand")]
fn the_readme_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("there is a README");
    let (head, rest) = readme.split_once(BEGIN).expect("the README has the table");
    let (shown, tail) = rest.split_once(END).expect("the table has an end");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}{}{END}{tail}", rendered()))
            .expect("the README can be written");
        return;
    }
    assert_eq!(shown, rendered(), "run UPDATE_FIXTURES=1 cargo test --test it the_readme_shows_the_table");
}
