//! The resources the suite names, and their template.
//!
//! They never change.

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::tools::PIXEL;

pub fn list() -> Vec<Resource> {
    vec![
        Resource::new("test://static-text", "Static text").with_mime_type("text/plain"),
        Resource::new("test://static-binary", "Static binary").with_mime_type("image/png"),
        Resource::new("test://watched-resource", "Watched resource").with_mime_type("text/plain"),
    ]
}

pub fn templates() -> Vec<ResourceTemplate> {
    vec![ResourceTemplate::new("test://template/{id}/data", "Template").with_mime_type("application/json")]
}

pub fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let contents = match uri {
        "test://static-text" => text(uri, "text/plain", "This is the content of the static text resource."),
        "test://watched-resource" => text(uri, "text/plain", "This is watched."),
        "test://static-binary" => ResourceContents::BlobResourceContents {
            uri: uri.to_owned(),
            mime_type: Some("image/png".to_owned()),
            blob: PIXEL.to_owned(),
            meta: None,
        },
        _ => from_template(uri).ok_or_else(|| {
            ErrorData::resource_not_found(format!("there is no resource {uri}"), Some(json!({ "uri": uri })))
        })?,
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

fn from_template(uri: &str) -> Option<ResourceContents> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    let content = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
    Some(text(uri, "application/json", &content.to_string()))
}

pub fn text(uri: &str, mime_type: &str, text: &str) -> ResourceContents {
    ResourceContents::TextResourceContents {
        uri: uri.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        text: text.to_owned(),
        meta: None,
    }
}
