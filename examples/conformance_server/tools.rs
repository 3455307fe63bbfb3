//! All tools that are listed, and the results of those that only answer.
//!
//! Those that ask are in `interactive.rs`, those that become tasks in `tasks.rs`, those that notify in `server.rs`.

use rmcp::ErrorData;
use rmcp::model::{AudioContent, CallToolRequestParams, CallToolResult, ContentBlock, JsonObject, Tool};
use serde_json::{Value, json};

use crate::interactive;
use crate::resources::text as resource;
use crate::tasks;

/// One red pixel, a PNG.
pub const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

/// No sound at all, a WAV.
const SILENCE: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// Those without arguments that neither ask nor become tasks.
const PLAIN: [(&str, &str); 14] = [
    // The first by name: the suite calls the tool that is listed first, without arguments, and expects it to answer.
    ("about", "Tells what this server is"),
    ("test_simple_text", "Answers with a text"),
    ("test_image_content", "Answers with an image"),
    ("test_audio_content", "Answers with a sound"),
    ("test_embedded_resource", "Answers with a resource inside"),
    ("test_multiple_content_types", "Answers with a text, an image and a resource"),
    ("test_error_handling", "Always answers with isError"),
    ("test_tool_with_logging", "Logs while it runs"),
    ("test_tool_with_progress", "Tells its progress while it runs"),
    ("test_logging_tool", "Logs if it is asked to"),
    ("test_reconnection", "Takes a moment"),
    ("test_missing_capability", "Refuses clients without sampling"),
    ("test_trigger_tool_change", "Changes the list of tools"),
    ("test_trigger_prompt_change", "Changes the list of prompts"),
];

/// All of them. `changes` is how often the list was changed, which one description tells.
pub fn list(changes: usize) -> Vec<Tool> {
    let named = PLAIN.iter().chain(&interactive::TOOLS).chain(&tasks::TOOLS);
    let mut tools: Vec<Tool> =
        named.map(|(name, description)| Tool::new(*name, *description, schema(name))).collect();
    if let Some(tool) = tools.iter_mut().find(|tool| tool.name == "test_trigger_tool_change") {
        tool.description = Some(format!("Changes the list of tools; it did so {changes} times").into());
    }
    tools.push(custom_header());
    tools.push(Tool::new("json_schema_2020_12_tool", "Has a schema with much in it", rich_schema()));
    tools
}

/// The tool whose argument is repeated in a header over modern HTTP.
pub fn custom_header() -> Tool {
    let value = json!({ "type": "string", "x-mcp-header": "Value" });
    Tool::new(
        "test_custom_header",
        "Repeats its argument",
        object(json!({ "value": value }), json!(["value"])),
    )
}

/// The result of a tool that only answers.
pub fn answer(call: &CallToolRequestParams) -> Result<CallToolResult, ErrorData> {
    let argument = |name: &str| {
        call.arguments.as_ref().and_then(|arguments| arguments.get(name)?.as_str()).unwrap_or("nobody")
    };
    let image = || ContentBlock::image(PIXEL, "image/png");
    let content = match call.name.as_ref() {
        "about" => vec![ContentBlock::text("The server of the conformance tests")],
        "test_simple_text" => vec![ContentBlock::text("This is a simple text response for testing.")],
        "test_image_content" => vec![image()],
        "test_audio_content" => vec![ContentBlock::Audio(AudioContent::new(SILENCE, "audio/wav"))],
        "test_embedded_resource" => vec![ContentBlock::resource(resource(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        ))],
        "test_multiple_content_types" => vec![
            ContentBlock::text("Multiple content types test:"),
            image(),
            ContentBlock::resource(resource(
                "test://mixed-content-resource",
                "application/json",
                r#"{"test":"data","value":123}"#,
            )),
        ],
        "test_error_handling" => {
            let text = "This tool intentionally returns an error for testing";
            return Ok(CallToolResult::error(vec![ContentBlock::text(text)]));
        }
        "test_custom_header" => vec![ContentBlock::text(argument("value"))],
        "json_schema_2020_12_tool" => vec![ContentBlock::text(format!("Hello, {}!", argument("name")))],
        name => return Err(ErrorData::invalid_params(format!("unknown tool {name}"), None)),
    };
    Ok(CallToolResult::success(content))
}

fn schema(name: &str) -> JsonObject {
    let text = json!({ "type": "string" });
    match name {
        "test_sampling" => object(json!({ "prompt": text }), json!(["prompt"])),
        "test_elicitation" => object(json!({ "message": text }), json!(["message"])),
        "greet" => object(json!({ "name": text }), json!(["name"])),
        "slow_compute" => object(json!({ "seconds": { "type": "number" }, "label": text }), json!([])),
        "confirm_delete" => object(json!({ "filename": text }), json!([])),
        _ => object(json!({}), json!([])),
    }
}

fn object(properties: Value, required: Value) -> JsonObject {
    members(json!({ "type": "object", "properties": properties, "required": required }))
}

fn rich_schema() -> JsonObject {
    members(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } }
            }
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" }
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false
    }))
}

fn members(value: Value) -> JsonObject {
    match value {
        Value::Object(members) => members,
        _ => JsonObject::new(),
    }
}
