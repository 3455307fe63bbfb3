//! What tools and prompts ask of clients, and how answers are read.
//!
//! It does not send anything: a modern client gets the questions as a result, a legacy one through `ask.rs`.

use rmcp::ErrorData;
use rmcp::model::{
    CreateMessageRequest, CreateMessageRequestParams, ElicitRequest, ElicitRequestParams, InputRequest,
    InputRequests, InputRequiredResult, InputResponses, JsonObject, ListRootsRequest, SamplingMessage,
};
use serde_json::{Value, json};

/// A form with these properties, of which these are required.
pub fn form(message: &str, properties: Value, required: Value) -> Result<InputRequest, ErrorData> {
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    Ok(InputRequest::Elicitation(ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message.to_owned(),
        requested_schema: serde_json::from_value(schema)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?,
    })))
}

/// A form with one required text.
pub fn text_form(message: &str, property: &str) -> Result<InputRequest, ErrorData> {
    form(message, json!({ property: { "type": "string" } }), json!([property]))
}

pub fn sampling(prompt: &str) -> InputRequest {
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], 100);
    InputRequest::CreateMessage(CreateMessageRequest::new(params))
}

pub fn roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}

/// One question under one key.
pub fn one(key: &str, request: InputRequest) -> InputRequiredResult {
    InputRequiredResult::from_input_requests(InputRequests::from([(key.to_owned(), request)]))
}

/// Answers of a client. What is not an object counts as missing, so that it is asked for again.
#[derive(Clone, Copy)]
pub struct Answers<'a>(pub Option<&'a InputResponses>);

impl<'a> Answers<'a> {
    pub fn get(self, key: &str) -> Option<&'a JsonObject> {
        self.0?.get(key)?.as_object()
    }

    /// A text in the form that was filled in under this key.
    pub fn text(self, key: &str, property: &str) -> Option<&'a str> {
        self.get(key)?.get("content")?.get(property)?.as_str()
    }
}
