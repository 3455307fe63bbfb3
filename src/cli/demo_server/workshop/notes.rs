//! The workshop's resources: three notes and a picture that are listed, and more notes behind a template.
//!
//! Everything is made up from the URI; nothing is read from a disk.

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};

/// The template behind which every note can be read.
pub const TEMPLATE: &str = "workshop://notes/{id}";

const PREFIX: &str = "workshop://notes/";
const LOGO: &str = "workshop://logo.png";
/// A picture of one pixel, in base64.
const LOGO_PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const LOGO_BYTES: u64 = 70;
/// The notes that are listed; the rest is reached through the template.
const PINNED: [&str; 3] =
    ["Hang the tools back on the wall.", "Measure twice, cut once.", "The glue needs an hour; have lunch."];
const LAST: u32 = 20;

/// The resources that are listed.
#[must_use]
pub fn resources() -> Vec<Resource> {
    let notes = (1..).zip(PINNED).map(|(id, text)| {
        Resource::new(format!("{PREFIX}{id}"), format!("note-{id}"))
            .with_title(format!("Note {id}"))
            .with_mime_type("text/plain")
            .with_size(text.len() as u64)
    });
    let logo = Resource::new(LOGO, "logo")
        .with_title("Logo")
        .with_description("A picture of one pixel")
        .with_mime_type("image/png")
        .with_size(LOGO_BYTES);
    notes.chain([logo]).collect()
}

/// The one template.
#[must_use]
pub fn templates() -> Vec<ResourceTemplate> {
    let note = ResourceTemplate::new(TEMPLATE, "note")
        .with_title("A note by its number")
        .with_description("Notes 1 to 20")
        .with_mime_type("text/plain");
    vec![note]
}

/// The contents behind `uri`.
///
/// # Errors
/// When the workshop has no such resource.
pub fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    if uri == LOGO {
        let logo = ResourceContents::blob(LOGO_PNG, uri).with_mime_type("image/png");
        return Ok(ReadResourceResult::new(vec![logo]));
    }
    let id = uri.strip_prefix(PREFIX).and_then(|id| id.parse::<u32>().ok());
    let Some(id) = id.filter(|id| (1..=LAST).contains(id)) else {
        return Err(ErrorData::resource_not_found(
            format!("no resource `{uri}`: notes are `{PREFIX}1` to `{PREFIX}{LAST}`"),
            Some(serde_json::json!({ "uri": uri })),
        ));
    };
    let text = match PINNED.get(id as usize - 1) {
        Some(text) => (*text).to_owned(),
        None => format!("Page {id} of the notebook is still empty."),
    };
    let note = ResourceContents::text(text, uri).with_mime_type("text/plain");
    Ok(ReadResourceResult::new(vec![note]))
}

/// The ids of notes that begin with `typed`.
#[must_use]
pub fn ids(typed: &str) -> Vec<String> {
    (1..=LAST).map(|id| id.to_string()).filter(|id| id.starts_with(typed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_resource_can_be_read() {
        for resource in resources() {
            assert!(read(&resource.uri).is_ok(), "{}", resource.uri);
        }
    }

    #[test]
    fn the_template_reaches_more_than_is_listed() {
        assert!(read("workshop://notes/20").is_ok());
        for missing in ["workshop://notes/0", "workshop://notes/21", "workshop://notes/x", "other://notes/1"]
        {
            let error = read(missing).expect_err("there is no such note");
            assert!(error.message.contains(missing), "{}", error.message);
        }
    }

    #[test]
    fn ids_are_completed_by_prefix() {
        assert_eq!(ids("2"), ["2", "20"]);
        assert_eq!(ids("").len(), 20);
        assert!(ids("x").is_empty());
    }
}
