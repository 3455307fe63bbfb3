//! The prompts the suite names.
//!
//! One of them asks the client for its context first; it does so in either era, like the tools of `interactive.rs`.

use rmcp::ErrorData;
use rmcp::model::{
    ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult, ImageContent,
    InputRequiredResult, InputResponses, Prompt, PromptArgument, PromptMessage, Role,
};

use crate::ask::Outcome;
use crate::inputs::{Answers, one, text_form};
use crate::tools::PIXEL;

impl Outcome for GetPromptResponse {
    fn question(self) -> Result<InputRequiredResult, Self> {
        match self {
            Self::InputRequired(question) => Ok(question),
            outcome => Err(outcome),
        }
    }
}

/// All of them. `changes` is how often the list was changed, which one description tells.
pub fn list(changes: usize) -> Vec<Prompt> {
    let argument =
        |name: &str, required| PromptArgument::new(name).with_description("Any text").with_required(required);
    let simple = format!("A prompt without arguments; the list was changed {changes} times");
    vec![
        Prompt::new("test_simple_prompt", Some(simple), None),
        Prompt::new(
            "test_prompt_with_arguments",
            Some("A prompt with two arguments"),
            Some(vec![argument("arg1", true), argument("arg2", false)]),
        ),
        Prompt::new(
            "test_prompt_with_embedded_resource",
            Some("A prompt with a resource inside"),
            Some(vec![argument("resourceUri", false)]),
        ),
        Prompt::new("test_prompt_with_image", Some("A prompt with an image"), None),
        Prompt::new("test_input_required_result_prompt", Some("A prompt that asks for its context"), None),
    ]
}

/// One of them, or what it asks for.
pub fn get(
    request: &GetPromptRequestParams,
    answers: Option<&InputResponses>,
) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| {
        let arguments = request.arguments.as_ref();
        arguments.and_then(|arguments| arguments.get(name)?.as_str()).unwrap_or_default().to_owned()
    };
    let messages = match request.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            vec![text(&format!(
                "Prompt with arguments: arg1='{}', arg2='{}'",
                argument("arg1"),
                argument("arg2")
            ))]
        }
        "test_prompt_with_embedded_resource" => embedded(argument("resourceUri")),
        "test_prompt_with_image" => vec![
            PromptMessage::new(Role::User, ContentBlock::Image(ImageContent::new(PIXEL, "image/png"))),
            text("Please analyze the image above."),
        ],
        "test_input_required_result_prompt" => match Answers(answers).text("user_context", "context") {
            Some(context) => vec![text(&format!("Prompt with the context {context}"))],
            None => return Ok(one("user_context", text_form("What is the context?", "context")?).into()),
        },
        name => return Err(ErrorData::invalid_params(format!("unknown prompt {name}"), None)),
    };
    Ok(GetPromptResult::new(messages).with_description("A prompt of the conformance server").into())
}

fn embedded(uri: String) -> Vec<PromptMessage> {
    let uri = if uri.is_empty() { "test://static-text".to_owned() } else { uri };
    let content = Some("Embedded resource content for testing.".to_owned());
    vec![
        PromptMessage::new_resource(
            Role::User,
            uri,
            Some("text/plain".to_owned()),
            content,
            None,
            None,
            None,
        ),
        text("Please process the embedded resource above."),
    ]
}

fn text(text: &str) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}
